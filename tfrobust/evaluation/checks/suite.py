"""What the attacks of a finished evaluation say about each other."""

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks import black_box, disagreement, records
from tfrobust.evaluation.checks.answers import chosen, percent, skipped
from tfrobust.evaluation.checks.consistency import averages
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.thresholds import Thresholds
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.ops.logits import correct, inference

_BATCH = 256


def suite_findings(evaluation, thresholds=None, *, model=None, statement="", training_attack=None):
    """Compares the attacks of an evaluation, and checks its records.

    Black box against white box (C8, C19, C20), one loss against the others (C16), rejected results
    (C26), images without finite logits (C35), accounting (C27), the interval (C28), models with noise
    (C22), distances (C32), and whether an adaptive attack is reported (C34).

    Args:
        evaluation: `Evaluation`.
        thresholds: `Thresholds`; the default ones if None.
        model: Keras model or callable; for C22, which asks it about the adversarial images that were
            kept, many times.
        statement: what the defence does, which part of it is not differentiable, which adaptive attack
            was tried, in words.
        training_attack: the `Attack` that the model was trained with, if any.

    Returns:
        A tuple of `Finding`, passed ones included.
    """
    limits = thresholds or Thresholds()
    found = (
        black_box.black_box(evaluation, limits),
        losses(evaluation, limits),
        black_box.transfer(evaluation, limits),
        black_box.hard_label(evaluation, limits),
        randomness(evaluation, model, limits),
        records.validity(evaluation),
        records.unanswered(evaluation),
        records.accounting(evaluation),
        records.interval(evaluation, limits),
        distances(evaluation),
        adaptivity(evaluation, statement, training_attack),
    )
    return tuple(finding for finding in found if finding)


def losses(evaluation, limits):
    """C16: of the attacks with gradients those on the cross-entropy find what all find."""
    white = [o for o in evaluation.outcomes if o.attack.needs_gradient]
    is_entropy = [isinstance(o.attack.climbed_objective, CrossEntropy) for o in white]
    if all(is_entropy) or not any(is_entropy):
        why = "it takes an attack on the cross-entropy and one on another loss; have both."
        return skipped("C16", "losses", why)
    one = [o for o, is_one in zip(white, is_entropy) if is_one]
    by_one, by_all = (np.any([o.broken for o in group], axis=0) for group in (one, white))
    # Attacks on the cross-entropy may have been given only what others had left.
    given = np.any([o.attempted for o in one], axis=0)
    only = by_all & ~by_one & given
    gap = float(only.mean())
    text = (
        f"{percent(gap)} of the examples stand the attacks on the cross-entropy and fall to other ones with "
        f"gradients; {percent(float((evaluation.clean & ~by_all).mean()))} stand all of these."
    )
    return disagreement.verdict(gap, text, chosen(evaluation.ids, only), len(only), limits)


def randomness(evaluation, model, limits):
    """C22: how often the adversarial images fool a model that answers anew each time."""
    title = "many passes"
    if model is None or evaluation.adversarial is None or not len(evaluation.ids):
        return skipped("C22", title, "it needs the model and the adversarial images.")
    forward = tf.function(inference(model), autograph=False, reduce_retracing=True)
    y, x = evaluation.labels.astype(np.int32), evaluation.adversarial
    right = np.stack(
        [
            np.concatenate(
                [
                    correct(y[at : at + _BATCH], forward(tf.constant(x[at : at + _BATCH]))).numpy()
                    for at in range(0, len(y), _BATCH)
                ]
            )
            for _ in range(limits.forwards)
        ]
    )
    changing = right.any(axis=0) != right.all(axis=0)
    mean, worst = float(right.mean()), float(right.all(axis=0).mean())
    if not changing.any():
        text = f"{limits.forwards} passes over the adversarial images give the same answers."
        return Finding("C22", title, "passed", mean - worst, 0.0, text)
    text = (
        f"Of {limits.forwards} passes over each adversarial image (the clean one where none was found) "
        f"{percent(mean)} are right on average, and all of them for {percent(worst)} of the "
        "images. Report both "
    )
    ids = chosen(evaluation.ids, changing)
    if evaluation.votes > 1 and averages([outcome.attack for outcome in evaluation.outcomes]):
        text += f"beside robust accuracy, for which {evaluation.votes} passes vote."
        return Finding("C22", title, "info", mean - worst, 0.0, text, ids)
    text += (
        "instead of robust accuracy, and average gradients in the attacks (suite autoattack_rand); "
        "Square and FAB are unreliable here."
    )
    return Finding("C22", title, "warning", mean - worst, 0.0, text, ids)


def distances(evaluation):
    """C32: the median distance at which examples fall, beside the radius; None if nobody measured."""
    told = []
    for outcome in evaluation.outcomes:
        distance = outcome.measures.get("distance")
        if distance is not None and np.isfinite(distance).any():
            found = distance[np.isfinite(distance)]
            told.append(f"{outcome.name} {np.median(found):.4g} ({found.size} examples)")
    if not told:
        return None
    text = (
        f"Median distances of what was found: {', '.join(told)}; the radius is "
        f"{evaluation.threat_model.radius():.4g}."
    )
    return Finding("C32", "distances", "passed", None, None, text)


def adaptivity(evaluation, statement, training_attack):
    """C34: whether the attacks were made for this defence."""
    title = "adaptive attack"
    attacks = [outcome.attack for outcome in evaluation.outcomes]
    if training_attack is not None and attacks == [training_attack]:
        text = "The only attack is the one that the model was trained with. Use another, such as autoattack."
        return Finding("C34", title, "warning", None, None, text)
    if statement:
        return Finding("C34", title, "passed", None, None, statement)
    text = (
        "No adaptive attack is reported. If the defence does more than plain training does, say what it "
        "does and attack that."
    )
    return Finding("C34", title, "info", None, None, text)
