"""Automatic checks of an evaluation."""

from tfrobust.evaluation.checks.behaviour import behaviour_findings
from tfrobust.evaluation.checks.contract import contract_findings
from tfrobust.evaluation.checks.selftest import selftest
from tfrobust.evaluation.checks.suite import suite_findings
from tfrobust.evaluation.checks.thresholds import Thresholds
from tfrobust.evaluation.checks.training_log import run_findings

__all__ = [
    "Thresholds",
    "behaviour_findings",
    "contract_findings",
    "run_findings",
    "selftest",
    "suite_findings",
]
