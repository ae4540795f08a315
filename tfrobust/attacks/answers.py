"""What a search records of a model's answers: success, non-finite logits, votes of several passes."""

import tensorflow as tf

from tfrobust.ops import norms


def record_success(
    state: dict[str, tf.Tensor], candidate: tf.Tensor, wrong: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The state's "broken" and "adversarial" after a look at images, of which some are `wrong`, (b,).

    The first image that is found is kept.

    Example:
    >>> x, nobody = tf.zeros((2, 1, 1, 3)), tf.constant([False, False])
    >>> state = {"broken": nobody, "done": nobody, "adversarial": x}
    >>> record_success(state, x + 1.0, tf.constant([True, False]))["broken"].numpy().tolist()
    [True, False]
    """
    newly = wrong & ~state["broken"] & ~state["done"]
    found = tf.where(norms.expand(newly, candidate), candidate, state["adversarial"])
    return {"broken": state["broken"] | newly, "adversarial": found}


def record_unanswered(
    state: dict[str, tf.Tensor], candidate: tf.Tensor, answered: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The state's "unanswered" and "adversarial" after a look at images of the threat model.

    The first image for which the model gave no finite logits is kept, until a misclassified
    one is found: an evaluation looks at it again and names the example.

    Args:
        state: of the rows.
        candidate: images that the model was asked about, (b, h, w, c).
        answered: whether all logits were finite, (b,).
    """
    lost = ~answered & ~state["done"]
    first = lost & ~state["broken"] & tf.equal(state["unanswered"], 0)
    kept = tf.where(norms.expand(first, candidate), candidate, state["adversarial"])
    return {
        "unanswered": state["unanswered"] + tf.cast(lost, tf.int32),
        "adversarial": kept,
    }


def record_votes(
    state: dict[str, tf.Tensor],
    candidate: tf.Tensor,
    wrong: tf.Tensor,
    over: tf.Tensor,
    passes: int,
) -> dict[str, tf.Tensor]:
    """The state's "broken", "adversarial" and "wrong_passes" after several passes of the same images.

    For models with noise, where one misclassification may be chance: the search goes on, and keeps the image
    that was wrong in most of the passes, the last one on ties. At its end that image breaks the example if
    it was wrong in at least half of them.

    Args:
        state: of the rows.
        candidate: images, (b, h, w, c).
        wrong: in how many passes each was misclassified, int32 (b,).
        over: whether the row's run ends with this look, (b,).
        passes: how many there were.
    """
    most = state["wrong_passes"]
    takes = (wrong > 0) & (wrong >= most) & ~state["done"]
    most = tf.where(takes, wrong, most)
    kept = tf.where(norms.expand(takes, candidate), candidate, state["adversarial"])
    broken = state["broken"] | (over & ~state["done"] & (2 * most >= passes))
    return {"broken": broken, "adversarial": kept, "wrong_passes": most}
