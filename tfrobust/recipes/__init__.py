"""The papers' names: functions that compose a method with its paper's defaults.

A recipe takes the classifier and the threat model, and returns a method to be compiled:
`recipes.rat(classifier, "Linf", "8/255", order=2)`. For other parts use the classes of `tfrobust.methods`.
"""

from tfrobust.recipes.adversarial import adv as adv
from tfrobust.recipes.adversarial import gairat as gairat
from tfrobust.recipes.adversarial import mart as mart
from tfrobust.recipes.atlas import atlas as atlas
from tfrobust.recipes.atlas import atlas_g as atlas_g
from tfrobust.recipes.atlas import atlas_l as atlas_l
from tfrobust.recipes.atlas import trades_jac as trades_jac
from tfrobust.recipes.certified import crown_ibp as crown_ibp
from tfrobust.recipes.certified import ibp as ibp
from tfrobust.recipes.fait import fait as fait
from tfrobust.recipes.fait import fait_mer as fait_mer
from tfrobust.recipes.friendly import fat as fat
from tfrobust.recipes.friendly import fat_trades as fat_trades
from tfrobust.recipes.hat import hat as hat
from tfrobust.recipes.llr import llr as llr
from tfrobust.recipes.llr import llr_gamma as llr_gamma
from tfrobust.recipes.natural import cure as cure
from tfrobust.recipes.natural import jac as jac
from tfrobust.recipes.natural import natural as natural
from tfrobust.recipes.rat import rat as rat
from tfrobust.recipes.rat import rat_adv as rat_adv
from tfrobust.recipes.rat import rat_reference as rat_reference
from tfrobust.recipes.single_step import free as free
from tfrobust.recipes.single_step import gat as gat
from tfrobust.recipes.single_step import grad_align as grad_align
from tfrobust.recipes.smoothed import gaussian_noise as gaussian_noise
from tfrobust.recipes.smoothed import smooth_adv as smooth_adv
from tfrobust.recipes.trades import awp as awp
from tfrobust.recipes.trades import score as score
from tfrobust.recipes.trades import trades as trades
from tfrobust.recipes.trades import trades_mer as trades_mer
from tfrobust.spec import public_names

__all__ = public_names(globals())
