"""Judging a trained classifier."""

from tfrobust.evaluation.evaluator import Evaluator
from tfrobust.evaluation.examples import Examples, load_examples
from tfrobust.evaluation.finding import Finding
from tfrobust.evaluation.outcome import Evaluation, Outcome
from tfrobust.evaluation.progress import Bar
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
    "custom",
    "listed_suites",
    "load_examples",
    "suite",
    "suite_of",
]
