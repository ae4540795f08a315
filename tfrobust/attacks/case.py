"""What a search works on, what it remembers, and what it returns."""

from typing import NamedTuple

import tensorflow as tf

from tfrobust.ops import norms
from tfrobust.ops.random.keys import Keys


class Perturbation(NamedTuple):
    """What an attack found. Nothing in it carries a gradient.

    Attributes:
        x: adversarial images, shape of the clean ones.
        survived: int32, shape (b,): in how many steps the incoming iterate was still classified
            right.
        path: tuple of the iterates that were asked for, each of the shape of `x`.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 2)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.4]]]])
    >>> found = tfrobust.PGD(tfrobust.Linf(0.2), steps=3)(model, x, [0], seed=0)
    >>> found.x.shape, found.survived.shape
    (TensorShape([1, 1, 1, 2]), TensorShape([1]))
    """

    x: tf.Tensor
    survived: tf.Tensor
    path: tuple = ()


class Case(NamedTuple):
    """What a search works on: in every row an example and one of its runs.

    Attributes:
        x: clean images, (b, h, w, c).
        y: labels, int32, (b,).
        logits: logits of the model at the clean images, (b, k).
        run: which run, int32, (b,): from 0 to `Attack.runs` - 1, counting restarts and targets.
        keys: noise that belongs to the row's example and run.
        radius: of the threat model, a scalar.
        example_keys: noise that belongs to the row's example, the same in all its runs.
        scale: factor of the radius, a scalar.
        is_random: whether the model gives other logits in each pass, boolean scalar; tested only for an
            attack that `trusts_answers`.

    Example:
    >>> x, y = tf.zeros((2, 1, 1, 3)), tf.constant([0, 1])
    >>> keys = tfrobust.ops.random.keys.keys_of(0)
    >>> case = Case(x, y, tf.zeros((2, 3)), run=tf.zeros_like(y), keys=keys, radius=tf.constant(0.1))
    >>> case.scale
    1.0
    """

    x: tf.Tensor
    y: tf.Tensor
    logits: tf.Tensor
    run: tf.Tensor
    keys: Keys
    radius: tf.Tensor
    example_keys: Keys | None = None
    scale: tf.Tensor | float = 1.0
    is_random: tf.Tensor | bool = False


def make_state(case: Case) -> dict[str, tf.Tensor]:
    """What every state holds at the beginning.

    Returns:
        "index", steps made; "done"; "broken"; "adversarial", an image, which is meaningful where
        "broken" or "unanswered"; "forwards" and "backwards", the passes made for the row;
        "unanswered", how often the model gave no finite logits (see `answers.record_unanswered`).

    Example:
    >>> x, y = tf.zeros((2, 1, 1, 3)), tf.constant([0, 1])
    >>> keys = tfrobust.ops.random.keys.keys_of(0)
    >>> case = Case(x, y, tf.zeros((2, 3)), run=tf.zeros_like(y), keys=keys, radius=tf.constant(0.1))
    >>> make_state(case)["broken"].numpy().tolist()
    [False, False]
    """
    nothing, nobody = tf.zeros_like(case.y), tf.zeros_like(case.y, tf.bool)
    return {
        "index": nothing,
        "done": nobody,
        "broken": nobody,
        "adversarial": case.x,
        "forwards": nothing,
        "backwards": nothing,
        "unanswered": nothing,
    }


def keep_done(state: dict[str, tf.Tensor], new: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`new` with the numbers, and the "best", of rows that are done in `state` as they are there."""
    kept = [name for name, value in new.items() if value.shape.rank == 1 or name == "best"]
    over = {name: norms.expand(state["done"], new[name]) for name in kept}
    return {**new, **{name: tf.where(over[name], state[name], new[name]) for name in kept}}
