"""How attacks on a model behave, by short ones on a few examples."""

import numpy as np

from tfrobust.evaluation.checks import disagreement, landscape, radius, strength
from tfrobust.evaluation.checks.answers import skipped
from tfrobust.evaluation.checks.budget import FEWEST, Budget
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.runs import Runs, cost_of_all
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
    passes=None,
):
    """Looks at how short attacks behave on the first 256 examples, for the passes that it is given.

    One step against many (C9), larger radii (C10), no bound at all (C11), twice the steps (C12),
    twice the restarts (C13), successes passed by (C14), random noise (C15), one loss against another
    (C16), local linearity (C18b), storage in 8 bits (C23), the looks of perturbations (C31),
    the curve over the radius (C32), another seed (C33), and attacks on a model whose answer is known
    (C29). A model that an attack cannot climb is not the same as a robust one: these tell them apart.

    Args:
        model, x, y, threat_model, num_classes, thresholds, ids, has_gradient, has_scores: as in
            `contract_findings`, which comes first.

        is_random: whether the model has noise, so that single passes tell nothing: nothing is tried.
        passes: how many forward and backward passes of an example they may make; None for any number.
            With few they look at fewer examples, down to 16, and C15 draws fewer points; what is then
            not afforded says so, and C36 says what was spent.

    Returns:
        A tuple of `Finding`, passed ones included.
    """
    limits = thresholds or Thresholds()
    if is_random:
        why = "the model is random, and single passes of it compare nothing; see C22."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    budget = Budget(passes)
    # With few passes all checks look at fewer examples, before any is left out.
    affordable = budget.examples(cost_of_all(limits, num_classes), limits.examples)
    count = min(limits.examples, max(FEWEST, affordable))
    given = (has_gradient and has_scores, has_scores, count)
    probe = Probe(model, np.asarray(x), y, ids, threat_model, *given)
    if not probe.differentiable:
        why = "it needs attacks by gradients, and the model has none."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    if threat_model.radius() == 0:
        why = "the radius is 0."
        return (*(skipped(id, title, why) for id, title in _TITLES.items()), selftest(threat_model))
    runs = Runs(probe, limits, budget)
    # What says most for its passes first; the long part of C15 takes what is left.
    checks = {
        "C16": lambda: disagreement.losses(runs, limits),
        "C9": lambda: strength.one_step(runs, limits),
        "C14": lambda: strength.silent_success(runs),
        "C23": lambda: landscape.storage(runs, limits),
        "C31": lambda: landscape.texture(runs, limits),
        "C12": lambda: strength.steps(runs, limits),
        "C18b": lambda: landscape.linearity(probe, limits, budget),
        "C11": lambda: radius.unbounded(runs, num_classes, limits),
        "C10": lambda: radius.monotone(runs, limits),
        "C32": lambda: radius.accuracy_curve(runs),
        "C33": lambda: strength.seeds(runs, limits),
        "C13": lambda: strength.restarts(runs, limits),
        "C15": lambda: disagreement.noise(runs, limits),
    }
    found = {id: budget.made(id, _TITLES[id], check) for id, check in checks.items()}
    found["C29"] = selftest(threat_model)
    if passes is not None:
        found["C36"] = budget.finding(len(probe.x), probe.total, limits.budget)
    return tuple(sorted(found.values(), key=lambda f: (int(f.id[1:].rstrip("b")), f.id)))
