"""The papers' names: functions that compose a method with its paper's defaults.

A recipe takes the classifier and the threat model, and returns a method to be compiled:
`recipes.rat(classifier, "Linf", "8/255", order=2)`. For other parts use the classes of `tfrobust.methods`.
"""

from tfrobust.recipes.adversarial import adv, gairat, mart
from tfrobust.recipes.atlas import atlas, atlas_g, atlas_l, trades_jac
from tfrobust.recipes.fait import fait, fait_mer
from tfrobust.recipes.friendly import fat, fat_trades
from tfrobust.recipes.hat import hat
from tfrobust.recipes.llr import llr, llr_gamma
from tfrobust.recipes.natural import cure, jac, natural
from tfrobust.recipes.rat import rat, rat_adv, rat_reference
from tfrobust.recipes.single_step import free, gat, grad_align
from tfrobust.recipes.trades import awp, score, trades, trades_mer

__all__ = [
    "adv",
    "atlas",
    "atlas_g",
    "atlas_l",
    "awp",
    "cure",
    "fait",
    "fait_mer",
    "fat",
    "fat_trades",
    "free",
    "gairat",
    "gat",
    "grad_align",
    "hat",
    "jac",
    "llr",
    "llr_gamma",
    "mart",
    "natural",
    "rat",
    "rat_adv",
    "rat_reference",
    "score",
    "trades",
    "trades_jac",
    "trades_mer",
]
