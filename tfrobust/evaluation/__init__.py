"""Judging a trained classifier."""

from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.compiled.store import forget_traces
from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.evaluation.evaluate import evaluate
from tfrobust.evaluation.examples import Examples, StoredExamples, load_examples
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.evaluation.reports.headline import headline
from tfrobust.evaluation.reports.page import write_page
from tfrobust.evaluation.reports.report_files import read_report
from tfrobust.evaluation.robust_accuracy import RobustAccuracy, robust_accuracy
from tfrobust.evaluation.settings import read_run_settings
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import SUITES, Suite, as_suite, custom, list_suites, suite
from tfrobust.runs.bar import Bar

__all__ = [
    "SUITES",
    "Bar",
    "Evaluation",
    "Evaluator",
    "Examples",
    "Finding",
    "Outcome",
    "RobustAccuracy",
    "StoredExamples",
    "Subject",
    "Suite",
    "custom",
    "evaluate",
    "forget_traces",
    "headline",
    "list_suites",
    "load_examples",
    "read_report",
    "read_run_settings",
    "robust_accuracy",
    "suite",
    "as_suite",
    "write_page",
    "write_reports",
]
