"""Which of two models, or rows of a table, is more robust: compared in pairs on the same test examples."""

from tfrobust.comparison.evaluations import compare_evaluations
from tfrobust.comparison.pairs import PairOfMethods

__all__ = ["PairOfMethods", "compare_evaluations"]
