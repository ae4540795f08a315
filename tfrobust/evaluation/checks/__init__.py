"""Automatic checks of an evaluation; `docs/checks.md` describes each of them.

`before` the attacks they look at the data and the classifier, `beside` them they run short attacks of
their own, `after` them they compare what the attacks found.
"""

from tfrobust.evaluation.checks.after.suite import check_suite
from tfrobust.evaluation.checks.after.training_log import check_training_log
from tfrobust.evaluation.checks.before.contract import check_contract
from tfrobust.evaluation.checks.beside.behaviour import check_behaviour
from tfrobust.evaluation.checks.beside.selftest import check_installation
from tfrobust.evaluation.checks.catalogue.entries import read_limits

__all__ = [
    "check_behaviour",
    "check_contract",
    "check_installation",
    "check_suite",
    "check_training_log",
    "read_limits",
]
