"""What an evaluation rests on, looked at before any attack."""

import numpy as np

from tfrobust.evaluation.checks import consistency, gradients, inputs, outputs
from tfrobust.evaluation.checks.answers import skipped
from tfrobust.evaluation.checks.graph import scan
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.thresholds import Thresholds

_TITLES = {
    "C1": "logits",
    "C4": "inference mode",
    "C5": "determinism",
    "C6": "eager and graph",
    "C7": "gradients",
    "C17": "saturation",
    "C18a": "finite differences",
    "C24": "ties",
    "C25": "precision",
    "C30": "operations",
    "C35": "logits in the ball",
}


def contract_findings(
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
    xla=False,
    attacks=(),
):
    """Looks at data and model before any attack: a second or two, on the first 256 examples.

    Pixels and radius (C2), labels and clean accuracy (C3), number of examples (C28), logits (C1, C35),
    determinism (C5), independence of the batch (C4), saturation (C17), ties (C24), precision (C25),
    operations in the graph (C30), eager against graph (C6), gradients (C7, C18a). Where one finds
    that others would look at nothing that makes sense, these say that they were not made.

    Args:
        model: Keras model, or callable in TensorFlow, images to logits.
        x: images, float32 (n, h, w, c) in [0, 1].
        y: labels, integers (n,).
        threat_model: `ThreatModel`.
        num_classes: k.
        thresholds: `Thresholds`; the default ones if None.
        ids: names of the examples, integers (n,); their places if None.
        has_gradient: False if TensorFlow cannot differentiate the model and nobody expects it to.
        has_scores: False if its logits tell the predicted class only.
        xla: whether C6 compiles the model with XLA as well.
        attacks: sequence of `Attack` that will be run; C5 and C7 say what a fault means for these.

    Returns:
        A tuple of `Finding`, passed ones included. A model with one of level "error" should not be
        attacked.
    """
    limits, found = thresholds or Thresholds(), []
    found.append(inputs.pixels(x, threat_model, limits))
    wrong_labels = inputs.labels(y, num_classes)
    if wrong_labels:
        found.append(wrong_labels)
    else:
        found.append(inputs.sample(y, num_classes, limits))
    if any(finding.level == "error" for finding in found):
        return _with_rest(found, "the data is not what it should be.")
    count = limits.examples
    given = (has_gradient, has_scores, count)
    probe = Probe(model, np.asarray(x), y, ids, threat_model, *given)
    found.append(outputs.logits(probe, num_classes, limits))
    if found[-1].level == "error":
        return _with_rest(found, "the outputs are no finite logits.")
    clean = inputs.accuracy(probe, num_classes, limits)
    # A function outside of TensorFlow is one opaque operation.
    operations = scan(probe.graph)
    if has_gradient:
        found.append(gradients.suspects(operations))
    if has_scores:
        found += [outputs.saturation(probe, limits), outputs.ties(probe)]
    found.append(outputs.precision(probe, operations, limits))
    found.append(outputs.around(probe, limits))
    found.append(consistency.determinism(probe, limits, attacks))
    if found[-1].level != "passed":
        return _with_rest([*found, clean], "the model is random.")
    found.append(consistency.batch_independence(probe, operations, limits))
    if found[-1].fired:
        return _with_rest([*found, clean], "the logits depend on the batch.")
    found.append(consistency.parity(probe, limits, xla))
    if has_gradient:
        found.append(gradients.availability(probe, limits, gradients.climbed(attacks)))
        if probe.differentiable:
            found.append(gradients.differences(probe, limits))
            clean = inputs.radius_zero(probe) or clean
    found.append(clean)
    return _with_rest(found, "the classifier is said to give no gradient or no scores.")


def _with_rest(found, why):
    made = {finding.id for finding in found}
    rest = (skipped(id, title, why) for id, title in _TITLES.items() if id not in made)
    return tuple(sorted((*found, *rest), key=lambda f: (int(f.id[1:].rstrip("ab")), f.id)))
