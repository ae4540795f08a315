"""Judging a trained classifier."""

from tfrobust.evaluation.checks import Thresholds
from tfrobust.evaluation.evaluate import evaluate
from tfrobust.evaluation.evaluator import Evaluator
from tfrobust.evaluation.examples import Examples, load_examples
from tfrobust.evaluation.finding import Finding
from tfrobust.evaluation.headline import headline
from tfrobust.evaluation.merge import merged
from tfrobust.evaluation.outcome import Evaluation, Outcome
from tfrobust.evaluation.progress import Bar
from tfrobust.evaluation.report import write_reports
from tfrobust.evaluation.report_files import read_report
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import SUITES, Suite, custom, listed_suites, suite, suite_of

__all__ = [
    "SUITES",
    "Bar",
    "Evaluation",
    "Evaluator",
    "Examples",
    "Finding",
    "Outcome",
    "Subject",
    "Suite",
    "Thresholds",
    "custom",
    "evaluate",
    "headline",
    "listed_suites",
    "load_examples",
    "merged",
    "read_report",
    "suite",
    "suite_of",
    "write_reports",
]
