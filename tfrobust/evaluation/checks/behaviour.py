"""How attacks on a model behave, by short ones on a few examples."""

import numpy as np

from tfrobust.evaluation.checks import disagreement, landscape, radius, strength
from tfrobust.evaluation.checks.answers import skipped
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.runs import Runs
from tfrobust.evaluation.checks.selftest import selftest
from tfrobust.evaluation.checks.thresholds import Thresholds

_TITLES = {
    "C9": "one step against many",
    "C10": "larger radii",
    "C11": "no bound",
    "C12": "convergence",
    "C13": "restarts",
    "C14": "silent success",
    "C15": "random noise",
    "C16": "losses",
    "C18b": "local linearity",
    "C23": "8-bit images",
    "C31": "looks of the perturbations",
    "C32": "accuracy over the radius",
    "C33": "seeds",
}


def behaviour_findings(
    model,
    x,
    y,
    threat_model,
    num_classes,
    thresholds=None,
    *,
    ids=None,
    has_gradient=True,
    has_scores=True,
    is_random=False,
):
    """Looks at how short attacks behave on the first 256 examples, for a tenth of AutoAttack's cost.

    One step against many (C9), larger radii (C10), no bound at all (C11), twice the steps (C12),
    twice the restarts (C13), successes passed by (C14), random noise (C15), one loss against another
    (C16), local linearity (C18b), storage in 8 bits (C23), the looks of perturbations (C31),
    the curve over the radius (C32), another seed (C33), and attacks on a model whose answer is known
    (C29). A model that an attack cannot climb is not the same as a robust one: these tell them apart.

    Args:
        model, x, y, threat_model, num_classes, thresholds, ids, has_gradient, has_scores: as in
            `contract_findings`, which comes first.

        is_random: whether the model has noise, so that single passes tell nothing: nothing is tried.

    Returns:
        A tuple of `Finding`, passed ones included.
    """
    limits = thresholds or Thresholds()
    if is_random:
        why = "the model is random, and single passes of it compare nothing; see C22."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    count = limits.examples
    given = (has_gradient and has_scores, has_scores, count)
    probe = Probe(model, np.asarray(x), y, ids, threat_model, *given)
    if not probe.differentiable:
        why = "it needs attacks by gradients, and the model has none."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    if threat_model.radius() == 0:
        why = "the radius is 0."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    runs = Runs(probe, limits)
    return (
        strength.one_step(runs, limits),
        radius.monotone(runs, limits),
        radius.unbounded(runs, num_classes, limits),
        strength.steps(runs, limits),
        strength.restarts(runs, limits),
        strength.silent_success(runs),
        disagreement.noise(runs, limits),
        disagreement.losses(runs, limits),
        landscape.linearity(probe, limits),
        landscape.storage(runs, limits),
        selftest(threat_model),
        landscape.texture(runs, limits),
        radius.accuracy_curve(runs),
        strength.seeds(runs, limits),
    )
