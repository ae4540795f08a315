"""Whatever an attack found is looked at once more before it counts."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.ops.logits import all_finite, correct
from tfrobust.threat_models.base import ThreatModel

VERDICTS = ("broken", "rejected", "outvoted", "unanswered")


class SecondLook(NamedTuple):
    """A second look at adversarial images, boolean tensors of shape (b,).

    Attributes:
        right: the label has the largest logit in a fresh pass, or in more than half of several.
        inside: the image lies in the ball (`ThreatModel.contains`) and in the pixel box.
        finite: the image is finite.
        answered: the logits of all passes are finite.
    """

    right: tf.Tensor
    inside: tf.Tensor
    finite: tf.Tensor
    answered: tf.Tensor


def look_again(
    forward: Callable[[tf.Tensor], tf.Tensor],
    threat_model: ThreatModel,
    found: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    scale: float = 1.0,
    passes: int = 1,
) -> SecondLook:
    """Checks adversarial images as if they came from anywhere: distance, pixel box, fresh logits.

    Args:
        forward: function from images to full-precision logits in inference mode.
        threat_model: that the images should belong to.
        found: adversarial images, (b, h, w, c).
        x: clean images, (b, h, w, c).
        y: labels, (b,).
        scale: of the radius.
        passes: how many; with several, for models with noise, the label must win more than half.

    Returns:
        `SecondLook`.

    Example:
    >>> from tfrobust.evaluation.engine.gate import look_again
    >>> x, found = tf.zeros((2, 1, 1, 1)), tf.reshape([0.1, 0.2], (2, 1, 1, 1))
    >>> forward = lambda x: tf.concat([x[:, 0, 0], 0.15 - x[:, 0, 0]], axis=1)
    >>> seen = look_again(forward, tfrobust.Linf(0.1), found, x, tf.constant([0, 0]))
    >>> seen.right.numpy().tolist(), seen.inside.numpy().tolist()
    ([True, True], [True, False])
    """
    near = threat_model.contains(found, x, threat_model.radius(scale))
    pixels = tf.range(1, tf.rank(x))
    # A NaN fails every comparison.
    boxed = tf.reduce_all((found >= 0.0) & (found <= 1.0), axis=pixels)
    finite = tf.reduce_all(tf.math.is_finite(found), axis=pixels)
    right, is_answer = vote(forward, found, y, passes)
    return SecondLook(right, near & boxed, finite, is_answer)


def vote(
    forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor, passes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Says whether the label wins more than half of the passes, and whether all had finite logits, (b,)."""

    def once(wins, is_answer):
        logits = forward(x)
        return wins + tf.cast(correct(y, logits), tf.int32), is_answer & all_finite(logits)

    none = tf.zeros_like(y, tf.int32)
    wins, is_answer = once(none, tf.ones_like(none, tf.bool))
    if passes > 1:
        _, wins, is_answer = tf.while_loop(
            lambda number, *_: number < passes,
            lambda number, *so_far: (number + 1, *once(*so_far)),
            (tf.constant(1), wins, is_answer),
        )
    return 2 * wins > passes, is_answer


def judge_claims(claims: np.ndarray, seen: tuple, votes: int) -> dict[str, np.ndarray]:
    """Says what becomes of examples that an attack says it broke, or whose model gave no finite logits.

    Args:
        claims: boolean (m,): those that it says it broke.
        seen: fields of a `SecondLook`, boolean (m,) each.
        votes: passes of the second look.

    Returns:
        `VERDICTS` -> boolean (m,); an example has one of them at most, see `Outcome`.

    Example:
    >>> from tfrobust.evaluation.engine.gate import judge_claims
    >>> right, yes = np.array([False, True]), np.array([True, True])
    >>> verdicts = judge_claims(yes, (right, yes, yes, yes), votes=1)
    >>> verdicts["broken"].tolist(), verdicts["rejected"].tolist()
    ([True, False], [False, True])
    """
    right, inside, finite, is_answer = seen
    valid = inside & finite
    stands = claims & valid & is_answer & ~right
    lost = valid & ~is_answer
    outvoted = claims & valid & is_answer & right & (votes > 1)
    rejected = claims & ~stands & ~lost & ~outvoted
    return dict(zip(VERDICTS, (stands, rejected, outvoted, lost), strict=True))
