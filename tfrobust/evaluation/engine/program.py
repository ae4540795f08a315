"""An attack's search, compiled for a fixed number of rows."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.ops.norms import expand
from tfrobust.ops.random.keys import ExampleKeys


class Program:
    """The compiled search of one attack and one model, for a fixed number of rows.

    Args:
        forward: function from images to logits in inference mode.
        attack: `Attack`.
        rows: slots on all devices together, a multiple of the number of devices.
        devices: `Devices`.
        jit_compile: compile the steps with XLA. On CPUs it was slower for convolutional networks.
        is_random: whether passes over the same images differ.
    """

    def __init__(
        self,
        forward: Callable[[tf.Tensor], tf.Tensor],
        attack: Attack,
        rows: int,
        devices: Devices | None = None,
        jit_compile: bool = False,
        is_random: bool = False,
    ):
        self.attack = attack
        self.rows = rows
        self.is_random = is_random
        self.devices = devices or Devices()
        self.tracing_seconds = 0.0
        self._forward = forward
        self._open = self.devices.function(self._begin)
        self._fill = self.devices.function(self._replace)
        self._tick = self.devices.function(self._advance, jit_compile=jit_compile or None)

    @property
    def traces(self) -> int:
        """How often the step was traced: once, however many examples there were."""
        return self._tick.experimental_get_tracing_count()

    def open(
        self, incoming: dict[str, np.ndarray], idle: np.ndarray, scale: float
    ) -> dict[str, Any]:
        """Returns rows that begin with `incoming`, except those that are `idle`."""
        return self._open(*self.devices.split((incoming, idle)), tf.constant(scale, tf.float32))

    def fill(
        self,
        bank: dict[str, Any],
        incoming: dict[str, np.ndarray],
        take: np.ndarray,
        idle: np.ndarray,
        scale: float,
    ) -> dict[str, Any]:
        """Starts the rows in `take` with those of `incoming`, and ends those in `idle`."""
        split = self.devices.split((incoming, take, idle))
        return self._fill(bank, *split, tf.constant(scale, tf.float32))

    def tick(
        self, bank: dict[str, Any], steps: int, patience: int, scale: float
    ) -> tuple[dict[str, Any], list]:
        """Makes at most `steps` steps of all rows; fewer when `patience` more rows are done on a device.

        Returns:
            The rows, and counts of this tick: steps of rows that were at work, rows times steps,
            forward passes and backward passes that were computed.
        """
        patience = max(1, patience // self.devices.count)
        patience, scale = tf.constant(patience), tf.constant(scale, tf.float32)
        if not self.traces:
            # Without a step, so that the trace is timed alone.
            began = time.perf_counter()
            self._tick(bank, tf.constant(0), patience, scale)
            self.tracing_seconds = time.perf_counter() - began
        return self._tick(bank, tf.constant(steps), patience, scale)

    def _make_case(self, rows, scale):
        keys = ExampleKeys(rows["seeds"])
        radius = tf.cast(self.attack.threat_model.radius(scale), rows["x"].dtype)
        run = rows["run"]
        logits, own = rows["logits"], keys.fold_in(run)
        x, y, is_random = rows["x"], rows["y"], tf.constant(self.is_random)
        return Case(x, y, logits, run, own, radius, keys, scale, is_random)

    def _begin(self, incoming, idle, scale):
        state = self.attack.begin(self._make_case(incoming, scale))
        return {"rows": incoming, "state": _end(state, idle)}

    def _replace(self, bank, incoming, take, idle, scale):
        new = self._begin(incoming, tf.zeros_like(idle), scale)
        state = {
            name: tf.where(expand(take, value), value, bank["state"][name])
            for name, value in new["state"].items()
        }
        return {"rows": incoming, "state": _end(state, idle)}

    def _advance(self, bank, steps, patience, scale):
        case = self._make_case(bank["rows"], scale)
        size = tf.shape(case.y, tf.int64)[0]

        def body(number, state, counts):
            new = self.attack.step(self._forward, case, state)
            made = [
                tf.cast(tf.reduce_max(new[name] - state[name]), tf.int64) * size
                for name in ("forwards", "backwards")
            ]
            working = tf.reduce_sum(tf.cast(~state["done"], tf.int64))
            return number + 1, new, counts + tf.stack([working, size, *made])

        done = _count(bank["state"])

        def goes_on(number, state, counts):
            count = _count(state)
            few = (count - done < patience) & (count < tf.cast(size, tf.int32))
            return (number < steps) & few

        counts = tf.zeros([4], tf.int64)
        loop = (tf.constant(0), bank["state"], counts)
        _, state, counts = tf.while_loop(goes_on, body, loop)
        # Scalars, which are added over devices.
        return {**bank, "state": state}, tf.unstack(counts)


def _end(state, idle):
    return {**state, "done": state["done"] | idle}


def _count(state):
    return tf.reduce_sum(tf.cast(state["done"], tf.int32))
