"""What the attacks of a finished evaluation say about each other."""

import typing
from collections.abc import Callable

import keras
import numpy as np

from tfrobust.evaluation.checks.after import black_box, certificates, noise, records
from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.beside.disagreement import LOSSES, judge_gap
from tfrobust.evaluation.checks.check import Check, Limits
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.losses.objectives import CrossEntropy

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.evaluation import Evaluation

SUITE_LOSSES = Check(
    "C39",
    "losses of the suite",
    measures="How many examples are robust to the suite's attacks on the cross-entropy, and broken by "
    "its other attacks with gradients.",
    why="It is C16 for the suite itself: one loss overstates robustness where it saturates.",
    advice="Report the union of attacks on several losses.",
    settings=LOSSES.settings,
)
DISTANCES = Check(
    "C41",
    "distances",
    measures="The median distance at which FAB or RayS broke examples, beside the radius.",
    why="It says how far from the radius the decision boundary is; it judges nothing.",
    advice="Report it.",
)
ADAPTIVE = Check(
    "C34",
    "adaptive attack",
    measures="Whether the evaluation states what the defence does and which attack was made for it.",
    why="A defence that does more than plain training needs an attack on what it does.",
    advice="Describe both in `statement` (`--statement`).",
)


def check_suite(
    evaluation: "Evaluation",
    limits: Limits | None = None,
    *,
    model: keras.Model | Callable | None = None,
    statement: str = "",
) -> tuple[Finding, ...]:
    """Compares the attacks of an evaluation, and checks its records.

    Black box against white box (C8, C19, C20), one loss against the others (C39), rejected results
    (C26), images without finite logits (C42), accounting (C27), the interval (C40), models with noise
    (C22), distances (C41), certificates (C43), and whether an adaptive attack is reported (C34).

    Args:
        evaluation: `Evaluation`.
        limits: `Limits`, by `read_limits`; the default ones if None.
        model: Keras model or callable; for C22, which classifies the adversarial images many times.
        statement: what the defence does, which part of it is not differentiable, which adaptive attack
            was tried, in words.

    Returns:
        A tuple of `Finding`, passed ones included.

    Example:
    >>> x, y = np.full((4, 2, 2, 1), 0.5, "float32"), np.zeros(4, int)
    >>> model = lambda x: tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 3)
    >>> attack = tfrobust.attacks.RandomNoise(tfrobust.Linf("8/255"), samples=1)
    >>> result = tfrobust.evaluate(model, (x, y), attack, checks="none")
    >>> [finding.id for finding in check_suite(result, model=model) if finding.level == "passed"]
    ['C22', 'C26', 'C42', 'C27', 'C40']
    """
    limits = limits or Limits()
    found = (
        black_box.check_black_box(evaluation, limits),
        check_losses(evaluation, limits),
        black_box.check_transfer(evaluation, limits),
        black_box.check_hard_label(evaluation, limits),
        noise.check_passes(evaluation, model, limits),
        records.check_second_look(evaluation),
        records.check_unanswered(evaluation),
        records.check_accounting(evaluation),
        records.check_interval(evaluation),
        certificates.check_certificates(evaluation),
        check_distances(evaluation),
        check_statement(statement),
    )
    return tuple(finding for finding in found if finding)


def check_losses(evaluation: "Evaluation", limits: Limits) -> Finding:
    """C39: of the attacks with gradients those on the cross-entropy find what all find."""
    white = [o for o in evaluation.outcomes if o.attack.needs_gradient]
    is_entropy = [isinstance(o.attack.climbed_objective, CrossEntropy) for o in white]
    if all(is_entropy) or not any(is_entropy):
        why = "it takes an attack on the cross-entropy and one on another loss; have both."
        return SUITE_LOSSES.skip(why)
    one = [o for o, is_one in zip(white, is_entropy) if is_one]
    by_one, by_all = (np.any([o.broken for o in group], axis=0) for group in (one, white))
    # Attacks on the cross-entropy may have been given only what others had left.
    given = np.any([o.attempted for o in one], axis=0)
    only = by_all & ~by_one & given
    gap = float(only.mean())
    text = (
        f"{format_share(gap)} of the examples are robust to the attacks on the cross-entropy and are "
        f"broken by others with gradients; {format_share(float((evaluation.clean & ~by_all).mean()))} "
        "are robust to all of these."
    )
    return judge_gap(SUITE_LOSSES, gap, text, pick_ids(evaluation.ids, only), len(only), limits)


def check_distances(evaluation: "Evaluation") -> Finding | None:
    """C41: the median distance at which examples are broken; None if no attack measures distances."""
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
    return DISTANCES.finding("passed", None, None, text)


def check_statement(statement: str) -> Finding:
    """C34: whether the attacks were made for this defence."""
    if statement:
        return ADAPTIVE.finding("passed", None, None, statement)
    text = (
        "No adaptive attack is reported. If the defence does more than plain training does, say what it "
        "does and attack that."
    )
    return ADAPTIVE.finding("info", None, None, text)
