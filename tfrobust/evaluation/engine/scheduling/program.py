"""An attack's search, compiled for a fixed number of rows."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.compiled.functions import KeptFunctions
from tfrobust.evaluation.compiled.network import Network
from tfrobust.evaluation.compiled.sameness import describe_attack
from tfrobust.ops.norms import expand
from tfrobust.ops.random.keys import ExampleKeys


class Program:
    """The compiled search of one attack and one model, for a fixed number of rows.

    Args:
        functions: `KeptFunctions` of the model, or a function from images to logits in inference mode.
        attack: `Attack`.
        rows: slots on all devices together, a multiple of the number of devices.
        devices: `Devices`, where `functions` does not say them.
        jit_compile: compile the steps with XLA. On CPUs it was slower for convolutional networks.
        is_random: whether passes over the same images differ.
        single_thread: steps compute on one core, so that several streams can make them at once.
    """

    def __init__(
        self,
        functions: KeptFunctions | Callable[[tf.Tensor], tf.Tensor],
        attack: Attack,
        rows: int,
        devices: Devices | None = None,
        jit_compile: bool = False,
        is_random: bool = False,
        single_thread: bool = False,
    ):
        if not isinstance(functions, KeptFunctions):
            functions = KeptFunctions(Network.of_function(functions), devices)
        self.attack, self.rows, self.devices = attack, rows, functions.devices
        search = _Search(attack, is_random)
        key = program_key(attack, jit_compile, is_random, single_thread)

        def compile_part(part, make, **options):
            whole = None if key is None else (key, rows, part)
            return functions.compile(whole, make, **options)

        self._open = compile_part("open", lambda forward: search.begin)
        # Rows of single threads are arrays already.
        self._merges_arrays = single_thread
        self._merge = compile_part("merge", lambda forward: _merge)
        self._tick = compile_part(
            "tick",
            lambda forward: lambda *rest: search.advance(forward, *rest),
            single_thread=single_thread,
            jit_compile=jit_compile or None,
        )
        self._former = self._tick.traces, self.trace_cost
        # Not where a pass does more than calculate, such as ask a service, or draw its noise.
        self._rehearses = functions.network.key is not None

    @property
    def trace_cost(self) -> float:
        """Seconds that the traces of a program of these rows took, whenever they were made."""
        return sum(part.seconds for part in (self._open, self._merge, self._tick))

    @property
    def tracing_seconds(self) -> float:
        """Those of them that were made for this program; 0 where all were kept."""
        return self.trace_cost - self._former[1]

    @property
    def traces(self) -> int:
        """How often the step was traced: once, however many examples there were; 0 if it was kept."""
        return self._tick.traces - self._former[0]

    def open(
        self, incoming: dict[str, np.ndarray], idle: np.ndarray, scale: float
    ) -> dict[str, Any]:
        """Returns rows that begin with `incoming`, except those that are `idle`."""
        split = self.devices.split((incoming, idle))
        return self._open(*split, tf.constant(scale, tf.float32))

    def fill(
        self,
        bank: dict[str, Any],
        incoming: dict[str, np.ndarray],
        take: np.ndarray,
        idle: np.ndarray,
        scale: float,
    ) -> dict[str, Any]:
        """Starts the rows in `take` with those of `incoming`, and ends those in `idle`."""
        new = self.open(incoming, np.zeros_like(idle), scale)
        if not self._merges_arrays:
            return self._merge(bank, new, *self.devices.split((take, idle)))
        state = {
            name: np.where(
                take.reshape(-1, *[1] * (value.shape.rank - 1)), value, bank["state"][name]
            )
            for name, value in new["state"].items()
        }
        return {**new, "state": {**state, "done": state["done"] | idle}}

    def tick(
        self, bank: dict[str, Any], steps: int, patience: int, scale: float
    ) -> tuple[dict[str, Any], list]:
        """Makes at most `steps` steps of all rows; fewer when `patience` more rows are done on a device.

        Returns:
            The rows, and counts of this tick: steps of rows that were at work, rows times steps,
            forward passes and backward passes that were computed.
        """
        patience = max(1, patience // self.devices.count)
        self.rehearse(bank, scale)
        rest = tf.constant(patience), tf.constant(scale, tf.float32)
        return self._tick(bank, tf.constant(steps), *rest)

    def prepare(self, x: np.ndarray, y: np.ndarray, logits: np.ndarray) -> None:
        """Traces what a search begins with, if it is not, by a step that nobody sees.

        Args:
            x, y, logits: any images (n, h, w, c), with labels (n,) and logits (n, k).
        """
        some = np.arange(self.rows) % len(y)
        seeds, run = np.zeros((self.rows, 2), np.int32), np.zeros(self.rows, np.int32)
        rows = {"x": x[some], "y": y[some], "logits": logits[some], "seeds": seeds, "run": run}
        self.rehearse(self.open(rows, np.zeros(self.rows, bool), 1.0), 1.0)

    def rehearse(self, bank: dict[str, Any], scale: float) -> None:
        """Traces the steps, if they are not: so the trace is timed alone, with what XLA compiles of it."""
        if not self._tick.traces:
            # A step that nobody sees.
            steps = tf.constant(int(self._rehearses))
            self._tick(bank, steps, tf.constant(1), tf.constant(scale, tf.float32))


def program_key(
    attack: Attack, jit_compile: bool, is_random: bool, single_thread: bool
) -> Hashable:
    """What tells programs of one classifier apart, but for their rows; None where nothing does for sure."""
    described = describe_attack(attack)
    return None if described is None else (described, jit_compile, is_random, single_thread)


@dataclasses.dataclass(frozen=True)
class _Search:
    """An attack on rows, in graph operations."""

    attack: Attack
    is_random: bool

    def _make_case(self, rows, scale):
        keys = ExampleKeys(rows["seeds"])
        radius = tf.cast(self.attack.threat_model.radius(scale), rows["x"].dtype)
        run = rows["run"]
        logits, own = rows["logits"], keys.fold_in(run)
        x, y, is_random = rows["x"], rows["y"], tf.constant(self.is_random)
        return Case(x, y, logits, run, own, radius, keys, scale, is_random)

    def begin(self, incoming, idle, scale):
        state = self.attack.begin(self._make_case(incoming, scale))
        return {"rows": incoming, "state": _end(state, idle)}

    def advance(self, forward, bank, steps, patience, scale):
        case = self._make_case(bank["rows"], scale)
        size = tf.shape(case.y, tf.int64)[0]

        def body(number, state, counts):
            new = self.attack.step(forward, case, state)
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


def _merge(bank, new, take, idle):
    state = {
        name: tf.where(expand(take, value), value, bank["state"][name])
        for name, value in new["state"].items()
    }
    return {**new, "state": _end(state, idle)}


def _end(state, idle):
    return {**state, "done": state["done"] | idle}


def _count(state):
    return tf.reduce_sum(tf.cast(state["done"], tf.int32))
