"""An attack's search, compiled for a fixed number of rows."""

import time

import tensorflow as tf

from tfrobust.attacks.case import Case
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.ops.norms import expand
from tfrobust.ops.random import ExampleKeys


class Program:
    """The compiled search of one attack and one model, for a fixed number of rows.

    Args:
        forward: function from images to logits in inference mode.
        attack: `Attack`.
        rows: slots on all devices together, a multiple of the number of devices.
        devices: `Devices`.
        jit_compile: compile the steps with XLA. On CPUs it was slower for convolutional networks.
        is_random: whether the model answers anew each time.
    """

    def __init__(self, forward, attack, rows, devices=None, jit_compile=False, is_random=False):
        self.attack = attack
        self.rows = rows
        self.is_random = is_random
        self.devices = devices or Devices()
        self.tracing_seconds = 0.0
        self._forward = forward
        self._open = self.devices.function(self._opened)
        self._fill = self.devices.function(self._filled)
        self._tick = self.devices.function(self._ticked, jit_compile=jit_compile or None)

    @property
    def traces(self):
        """How often the step was traced: once, however many examples there were."""
        return self._tick.experimental_get_tracing_count()

    def open(self, incoming, idle, scale):
        """Rows that begin with `incoming` (arrays), but for those that are `idle`."""
        return self._open(*self.devices.split((incoming, idle)), tf.constant(scale, tf.float32))

    def fill(self, bank, incoming, take, idle, scale):
        """Rows of which those in `take` begin anew, and those in `idle` end; `incoming` has all rows."""
        split = self.devices.split((incoming, take, idle))
        return self._fill(bank, *split, tf.constant(scale, tf.float32))

    def tick(self, bank, steps, patience, scale):
        """At most `steps` steps of all rows; fewer when `patience` more rows are done on a device.

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

    def _case(self, rows, scale):
        keys = ExampleKeys(rows["seeds"])
        radius = tf.cast(self.attack.threat_model.radius(scale), rows["x"].dtype)
        run = rows["run"]
        logits, own = rows["logits"], keys.fold_in(run)
        x, y, is_random = rows["x"], rows["y"], tf.constant(self.is_random)
        return Case(x, y, logits, run, own, radius, keys, scale, is_random)

    def _opened(self, incoming, idle, scale):
        state = self.attack.begin(self._case(incoming, scale))
        return {"rows": incoming, "state": _ended(state, idle)}

    def _filled(self, bank, incoming, take, idle, scale):
        new = self._opened(incoming, tf.zeros_like(idle), scale)
        state = {
            name: tf.where(expand(take, value), value, bank["state"][name])
            for name, value in new["state"].items()
        }
        return {"rows": incoming, "state": _ended(state, idle)}

    def _ticked(self, bank, steps, patience, scale):
        case = self._case(bank["rows"], scale)
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


def _ended(state, idle):
    return {**state, "done": state["done"] | idle}


def _count(state):
    return tf.reduce_sum(tf.cast(state["done"], tf.int32))
