"""A search that is traced once for any number of examples, starts and radii, and keeps its history."""

import typing
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case
from tfrobust.evaluation.checks.traced import TracedModel, trace
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.ops import norms
from tfrobust.ops.random.keys import ExampleKeys


class Found(NamedTuple):
    """What a search found.

    Attributes:
        x: adversarial images, (n, h, w, c).
        survived: as in `Perturbation`, (n,).
        history: the largest objective so far, (looks, n), for a `Climb` that keeps it; else None.
    """

    x: np.ndarray
    survived: np.ndarray
    history: np.ndarray | None = None


class Climb:
    """An attack on one model; noise is keyed by the example.

    Args:
        attack: `Attack`.
        traced: `TracedModel`.
        looks: keep the history of a single run of at most so many steps; None to make all runs of the
            attack and keep none.

    Example:
    >>> traced = TracedModel(lambda x: 9.0 * x[:, 0, 0], (1, 1, 2))
    >>> climb = Climb(tfrobust.PGD(tfrobust.Linf(0.1), steps=3, selection="any"), traced, looks=4)
    >>> found = climb(np.full((1, 1, 1, 2), [0.5, 0.1], "float32"), np.array([0]), np.array([7]))
    >>> found.history.shape
    (4, 1)
    """

    def __init__(self, attack: Attack, traced: TracedModel, looks: int | None = None):
        self.attack, self._forward, self._looks = attack, traced.forward, looks
        self._function: typing.Any = None

    def __call__(
        self, x: np.ndarray, y: np.ndarray, ids: np.ndarray, seed: int = 0, scale: float = 1.0
    ) -> Found:
        """Searches from the start that `seed` and the examples' ids name, with `scale` times the radius."""
        if self._function is None:
            images = tf.TensorSpec((None, *x.shape[1:]), tf.float32)
            rows = tf.TensorSpec((None,), tf.int32)
            seeds, factor = tf.TensorSpec((None, 2), tf.int32), tf.TensorSpec((), tf.float32)
            search = self._search if self._looks is None else self._search_once
            self._function = trace(search, images, rows, seeds, factor)
        seeds = derive_seeds(seed, "checks", ids)
        found = self._function(x, y, seeds, tf.constant(scale, tf.float32))
        return Found(*(part.numpy() for part in found))

    def _search(self, x, y, seeds, scale):
        none = tf.constant(0.0)
        found = self.attack.search(self._forward, x, y, ExampleKeys(seeds), scale, none)
        return found.x, found.survived

    def _search_once(self, x, y, seeds, scale):
        """One run by the attack's steps, with the largest objective after each look."""
        attack, forward, keys = self.attack, self._forward, ExampleKeys(seeds)
        radius = tf.cast(attack.threat_model.radius(scale), x.dtype)
        own, run = keys.fold_in(0), tf.zeros_like(y)
        case = Case(x, y, forward(x), run, own, radius, keys, scale)
        history = tf.fill([self._looks, tf.shape(y)[0]], x.dtype.min)

        def body(index, state, history):
            state = attack.step(forward, case, state)
            history = tf.tensor_scatter_nd_update(history, [[index]], [state["best_loss"]])
            return index + 1, state, history

        def goes_on(index, state, history):
            return (index < self._looks) & ~tf.reduce_all(state["done"])

        loop = (tf.constant(0), attack.begin(case), history)
        _, state, history = tf.while_loop(goes_on, body, loop)
        near = attack.threat_model.contains(state["best"], x, radius)
        point = tf.where(norms.expand(near, x), state["best"], x)
        point = tf.where(norms.expand(state["broken"], x), state["adversarial"], point)
        return tf.stop_gradient(point), state["index"], history
