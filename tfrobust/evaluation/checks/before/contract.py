"""What an evaluation rests on, checked before any attack."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.checks.answers import sort_findings
from tfrobust.evaluation.checks.before import consistency, gradients, inputs, outputs
from tfrobust.evaluation.checks.before.graph import scan
from tfrobust.evaluation.checks.beside.budget import COST
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.threat_models.base import ThreatModel

_ALL = (
    inputs.LABELS,
    inputs.SAMPLE,
    inputs.CLEAN_ACCURACY,
    inputs.RADIUS_ZERO,
    outputs.LOGITS,
    outputs.BALL,
    outputs.SATURATION,
    outputs.TIES,
    outputs.PRECISION,
    consistency.BATCH,
    consistency.DETERMINISM,
    consistency.EXECUTION,
    gradients.GRADIENTS,
    gradients.DIFFERENCES,
    gradients.OPERATIONS,
)


def check_contract(
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
    attacks: Sequence[Attack] = (),
) -> tuple[Finding, ...]:
    """Checks data and model before any attack: a second or two, on the first 256 examples.

    Pixels and radius (C2), labels (C3), number of examples (C28), logits (C1, C35), clean accuracy
    (C37), determinism (C5), independence of the batch (C4), saturation (C17), ties (C24), precision
    (C25), operations in the graph (C30), eager against graph (C6), gradients (C7, C18a), an attack of
    radius 0 (C38). Where one finds something that makes others meaningless, these say that they were not
    made.

    Args:
        model: Keras model, callable in TensorFlow, images to logits, or `TracedModel` of one.
        x: images, float32 (n, h, w, c) in [0, 1].
        y: labels, integers (n,).
        threat_model: `ThreatModel`.
        num_classes: k.
        limits: `Limits`, by `read_limits`; the default ones if None.
        ids: names of the examples, integers (n,); their places if None.
        has_gradient: False if TensorFlow cannot differentiate the model and nobody expects it to.
        has_scores: False if its logits tell the predicted class only.
        attacks: the `Attack`s that will be run; C5 and C7 say what a fault means for these.

    Returns:
        A tuple of `Finding`, passed ones included. A model with one of level "error" should not be
        attacked.

    Example:
    >>> x, y = np.full((4, 2, 2, 1), 255.0, "float32"), np.zeros(4, int)
    >>> model = lambda x: tf.zeros([len(x), 3])
    >>> found = check_contract(model, x, y, tfrobust.Linf("8/255"), 3)
    >>> [finding.id for finding in found if finding.level == "error"]
    ['C2']
    """
    limits = limits or Limits()
    found = [inputs.check_pixels(x, threat_model, limits), inputs.check_labels(y, num_classes)]
    if found[-1].level != "error":
        found.append(inputs.check_sample(y, num_classes, limits))
    if any(finding.level == "error" for finding in found):
        return _with_rest(found, "the data is not what it should be.")
    given = (has_gradient, has_scores, limits[COST].examples)
    probe = Probe(model, np.asarray(x), y, ids, threat_model, *given)
    found.append(outputs.check_logits(probe, num_classes, limits))
    if found[-1].level == "error":
        return _with_rest(found, "the outputs are not finite logits.")
    clean = inputs.check_clean_accuracy(probe, num_classes, limits)
    # A function outside of TensorFlow is one opaque operation.
    operations = scan(probe.traced.graph)
    if has_gradient:
        found.append(gradients.check_operations(operations))
    if has_scores:
        found += [outputs.check_saturation(probe, limits), outputs.check_ties(probe)]
    found.append(outputs.check_precision(probe, operations, limits))
    found.append(outputs.check_ball(probe, limits))
    found.append(consistency.check_determinism(probe, limits, attacks))
    if found[-1].level != "passed":
        return _with_rest([*found, clean], "the model is random.")
    found.append(consistency.check_batch(probe, operations, limits))
    if found[-1].fired:
        return _with_rest([*found, clean], "the logits depend on the batch.")
    found.append(consistency.check_execution(probe, limits))
    if has_gradient:
        climbed = gradients.list_climbed(attacks)
        found.append(gradients.check_gradients(probe, limits, climbed))
        if probe.differentiable:
            found.append(gradients.check_differences(probe, limits))
            found.append(inputs.check_radius_zero(probe))
    found.append(clean)
    return _with_rest(found, "the classifier is said to give no gradient or no scores.")


def _with_rest(found: list[Finding], why: str) -> tuple[Finding, ...]:
    made = {finding.id for finding in found}
    return sort_findings((*found, *(check.skip(why) for check in _ALL if check.id not in made)))
