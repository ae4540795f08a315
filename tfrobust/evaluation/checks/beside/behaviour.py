"""How attacks on a model behave, by short ones on a few examples."""

import functools
import typing
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfrobust.evaluation.checks.answers import sort_findings
from tfrobust.evaluation.checks.beside import disagreement, landscape, radius, strength
from tfrobust.evaluation.checks.beside.budget import COST, FEWEST, Budget, Grant
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.beside.selftest import check_installation
from tfrobust.evaluation.checks.beside.standing import summarize_outcomes
from tfrobust.evaluation.checks.check import Check, Limits
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.threat_models.base import ThreatModel

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.outcome import Outcome

# What says most for its passes first; the long part of C15 takes what is left.
_CHECKS: dict[Check, Callable[[Runs, Limits], Finding]] = {
    disagreement.LOSSES: disagreement.check_losses,
    strength.ONE_STEP: strength.check_one_step,
    strength.SILENT_SUCCESS: strength.check_silent_success,
    landscape.STORAGE: landscape.check_storage,
    landscape.TEXTURE: landscape.check_texture,
    strength.CONVERGENCE: strength.check_convergence,
    landscape.LINEARITY: landscape.check_linearity,
    radius.NO_BOUND: radius.check_no_bound,
    radius.LARGER_RADII: radius.check_larger_radii,
    radius.RADII_CURVE: radius.check_radii_curve,
    strength.SEEDS: strength.check_seeds,
    strength.RESTARTS: strength.check_restarts,
    disagreement.NOISE: disagreement.check_noise,
}


def check_behaviour(
    model: keras.Model | Callable | TracedModel,
    x: np.ndarray,
    y: np.ndarray,
    threat_model: ThreatModel,
    num_classes: int,
    limits: Limits | None = None,
    *,
    ids: np.ndarray | None = None,
    has_gradient: bool = True,
    has_scores: bool = True,
    is_random: bool = False,
    passes: float | Grant | None = None,
    outcomes: "Sequence[Outcome]" = (),
) -> tuple[Finding, ...]:
    """Checks how short attacks behave on the first 256 examples, within the passes that it is given.

    One step against many (C9), larger radii (C10), no bound at all (C11), twice the steps (C12),
    twice the restarts (C13), successes passed by (C14), random noise (C15), one loss against another
    (C16), local linearity (C18b), storage in 8 bits (C23), the looks of perturbations (C31),
    the curve over the radius (C32), another seed (C33), and attacks on a model whose answer is known
    (C29). A model that an attack cannot climb is not the same as a robust one: these tell them apart.

    Args:
        model: Keras model, callable in TensorFlow, images to logits, or `TracedModel` of one.
        x: images, float32 (n, h, w, c) in [0, 1].
        y: labels, integers (n,).
        threat_model: `ThreatModel`.
        num_classes: k.
        limits: `Limits`, by `read_limits`; the default ones if None.
        ids: names of the examples, integers (n,); their places if None.
        has_gradient: False if TensorFlow cannot differentiate the model.
        has_scores: False if its logits tell the predicted class only.
        is_random: whether the model has noise, so that single passes tell nothing: only C29 is made.
        passes: how many forward and backward passes of an example they may make; None for any number.
            With few they look at fewer examples, down to 16, and C15 draws fewer points; what is then
            not afforded says so, and C36 says what was spent.
        outcomes: `Outcome`s of the suite's attacks on these examples: those of its attacks that are long
            enough stand for the checks' own on the same loss.

    Returns:
        A tuple of `Finding`, passed ones included.

    Example:
    >>> x, y = np.zeros((4, 2, 2, 1), "float32"), np.zeros(4, int)
    >>> model = lambda x: tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 3)
    >>> found = check_behaviour(model, x, y, tfrobust.Linf("8/255"), 3, has_gradient=False)
    >>> [finding.id for finding in found if finding.made]
    ['C29']
    """
    limits = limits or Limits()
    if is_random:
        return _skip_all("the model is random, and single passes compare nothing.", threat_model)
    budget, most = Budget(passes), limits[COST].examples
    # With few passes all checks look at fewer examples, before any is left out.
    each = _count_passes(limits, num_classes)
    count = min(most, max(FEWEST, budget.count_examples(each, most)))
    given = (has_gradient and has_scores, has_scores, count)
    probe = Probe(model, np.asarray(x), y, ids, threat_model, *given)
    if not probe.differentiable:
        return _skip_all("it needs attacks by gradients, and the model has none.", threat_model)
    if threat_model.radius() == 0:
        return _skip_all("the radius is 0.", threat_model)
    standing = summarize_outcomes(probe.clean, outcomes, limits[COST].steps)
    runs = Runs(probe, limits, budget, standing)
    found = [
        budget.run(check, functools.partial(make, runs, limits)) for check, make in _CHECKS.items()
    ]
    found.append(check_installation(threat_model))
    if passes is not None:
        whole, noise = min(most, probe.total), limits[disagreement.NOISE]
        needed = whole * each + min(whole, noise.long_examples) * noise.long_samples
        found.append(budget.report(len(probe.x), probe.total, needed))
    return sort_findings(found)


def _count_passes(limits: Limits, num_classes: int) -> int:
    """About the passes for each example of all checks but the long part of C15."""
    steps, targets = limits[COST].steps, min(limits[COST].targets, num_classes - 1)
    # Radii and restarts; the others; one step twice; the departure from the tangent.
    long = 2 * (2 * steps + 2) * (6 + 2 * limits[strength.RESTARTS].restarts)
    samples = limits[disagreement.NOISE].samples
    return long + 2 * (steps + 2) * (2 + targets) + 6 + 108 + samples


def _skip_all(why: str, threat_model: ThreatModel) -> tuple[Finding, ...]:
    return (*(check.skip(why) for check in _CHECKS), check_installation(threat_model))
