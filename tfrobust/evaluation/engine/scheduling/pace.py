"""How fast a classifier's passes are, and from that how many streams and rows an attack gets."""

import concurrent.futures
import dataclasses
import os
import sys
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.compiled.functions import KeptFunctions
from tfrobust.evaluation.engine.scheduling.pool import plan_rows
from tfrobust.losses.margin import margin

# Rows of a stream that are tried, if a pass of the fewest takes less than this in one stream of all cores.
TRIED_ROWS, SMALL_SECONDS = (64, 128, 256), 0.1
# What is timed takes about so long, in passes of at most so many rows together.
TIMED_SECONDS, TIMED_ROWS = 0.03, 1536
# What an attack does between two passes takes about so long, whatever the rows.
STEP_SECONDS = 2e-4
# How much longer fewer rows may take, if no example fell: rows of those that do are free sooner.
PATIENCE = 1.1
TRACE_SECONDS = 1.0  # Of a trace, about; rows are not made fewer for less.
# Slots of a stream, where nothing is said.
MOST_STREAMS, MOST_SLOTS = 8, 256
# Forward passes of all attacks, of single images, for fewer of which nothing is measured.
MEASURED_PASSES = 50_000


@dataclasses.dataclass(frozen=True)
class Pace:
    """How many streams run, and what a pass of each costs.

    Args:
        streams: how many run at once, at least 1.
        rows: sizes that were measured, of one stream, ascending; () if none was.
        seconds: of a step with a forward and a backward pass of so many rows while all streams run.
    """

    streams: int = 1
    rows: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    def estimate(self, rows: int) -> float:
        """Seconds of a step, a forward and a backward pass, of so many rows in each of the streams.

        Where nothing was measured, a number in proportion to the rows.
        """
        if not self.rows:
            return float(rows)
        slope = (self.seconds[1] - self.seconds[0]) / (self.rows[1] - self.rows[0])
        none = max(self.seconds[0] - slope * self.rows[0], STEP_SECONDS)
        more = max(1.0, rows / self.rows[-1])
        return more * float(np.interp(rows, (0, *self.rows), (none, *self.seconds)))

    def plan_rows(self, items: int, planned: int, most: int, passes: float) -> int:
        """As `choose_rows`, but of as many runs as there could be, unless that costs more than a trace.

        So evaluations of the same examples share their programs.

        Args:
            items: number of runs.
            planned: that it would be if no example had fallen before.
            most: the most rows of a stream.
            passes: of a run.
        """
        shared, own = (self.choose_rows(number, most) for number in (planned, items))
        each = -(-items // self.streams)
        cost = [-(-each // rows) * self.estimate(rows) for rows in (shared, own)]
        return own if passes * (cost[0] - cost[1]) > TRACE_SECONDS else shared

    def choose_rows(self, items: int, most: int) -> int:
        """The fewest rows of each stream, at most `most`, with which so many runs are over about soonest.

        Runs of examples that fall leave rows to those that wait, and to nobody where all fit at once.

        Example:
        >>> from tfrobust.evaluation.engine.scheduling.pace import Pace
        >>> pace = Pace(2, (64, 256), (0.002, 0.005))
        >>> pace.choose_rows(3000, 256), pace.choose_rows(300, 256), pace.choose_rows(300, 100)
        (188, 150, 75)
        """
        each = max(1, -(-items // self.streams))  # none are left where all have fallen
        waves = range(max(1, -(-each // most)), max(1, each // 32) + 1)
        sizes = [-(-each // count) for count in waves] or [min(each, most)]
        cost = {rows: -(-each // rows) * self.estimate(rows) for rows in sizes}
        return max(1, min(rows for rows in sizes if cost[rows] <= PATIENCE * min(cost.values())))


def choose_pace(
    functions: KeptFunctions,
    attacks: Sequence[Attack],
    x: np.ndarray,
    y: np.ndarray,
    num_classes: int,
    streams: int | str = "auto",
    most: int | None = None,
    jit_compile: bool = False,
) -> Pace:
    """How many streams attacks get: those that are asked for, or what a short measurement says.

    Args:
        functions: of the classifier.
        attacks: that follow.
        x, y: images (n, h, w, c) and labels (n,).
        num_classes: k.
        streams, jit_compile: see `Evaluator`.
        most: the most rows of all streams, or None.

    Raises:
        UserError: several streams are asked for where there can be one only.
    """
    can_share = functions.network.is_stateless and functions.devices.strategy is None
    can_share = can_share and not jit_compile
    if streams == "auto":
        passes = sum((a.passes(num_classes) or (0,))[0] for a in attacks) * len(y)
        few = passes < MEASURED_PASSES or (most or MOST_SLOTS) < TRIED_ROWS[0]
        if few or not can_share:
            return Pace()
        backwards = attacks[0].needs_gradient
        return functions.keep("pace", lambda: measure_pace(functions, x, y, backwards))
    if int(streams) > 1 and not can_share:
        raise UserError(
            "Several streams need a Keras model without state other than its weights, on one device, without "
            f"XLA. Leave `streams` out. Received: streams={streams}."
        )
    return Pace(int(streams))


def choose_rows(
    pace: Pace,
    attack: Attack,
    num_classes: int,
    examples: int,
    planned: int,
    streams: int = 1,
    most: int | None = None,
    reserve: int = 0,
) -> int:
    """The rows of each of an attack's streams.

    Args:
        pace: `Pace`.
        attack: `Attack`.
        num_classes: k.
        examples: that the attack is given.
        planned: examples if none had fallen before.
        streams: of the attack.
        most: the most rows of all streams, or None.
        reserve: examples for which there are rows at least.
    """
    runs = attack.runs(num_classes)
    if streams > 1 and pace.rows and most is None:
        passes = (attack.passes(num_classes) or (attack.num_steps or 1,))[0] / runs
        return pace.plan_rows(examples * runs, planned * runs, MOST_SLOTS, passes)
    most = MOST_SLOTS if most is None else max(1, most // streams)
    now, then = (-(-number * runs // streams) for number in (examples, planned))
    return plan_rows(now, then, most, -(-reserve // streams))


def measure_pace(
    functions: KeptFunctions, x: np.ndarray, y: np.ndarray, backwards: bool = True
) -> Pace:
    """Times passes as they are, and in one stream for each core; takes about half a second.

    A network of long passes, or that reads more than its weights, keeps all cores for each pass.

    Args:
        functions: of the classifier.
        x, y: images (n, h, w, c) and labels (n,).
        backwards: whether a pass goes back to the images too.
    """
    streams = min(_count_cores(), MOST_STREAMS)
    if streams < 2 or not functions.network.is_stateless or not len(x) or _has_accelerator():
        return Pace()
    places = np.arange(max(TRIED_ROWS)) % len(x)
    images, labels = np.float32(x[places]), np.int32(y[places])

    def time_passes(function, rows, passes):
        began = time.perf_counter()
        np.asarray(function(images, labels, np.int32(rows), np.int32(passes)))
        return (time.perf_counter() - began) / passes

    make = _make_forward_and_backward if backwards else _make_forward
    together = functions.compile(("pace", backwards), make)
    if any(time_passes(together, TRIED_ROWS[0], 1) < SMALL_SECONDS for _ in range(2)):
        alone = functions.compile(("pace", backwards), make, single_thread=True)
        return _measure_streams(alone, together, streams, time_passes)
    return Pace()


def _measure_streams(alone, together, streams, time_passes):
    with concurrent.futures.ThreadPoolExecutor(streams) as threads:

        def time_all(rows, passes):
            return max(threads.map(lambda _: time_passes(alone, rows, passes), range(streams)))

        time_passes(alone, TRIED_ROWS[0], 1)
        most = TIMED_SECONDS / time_all(TRIED_ROWS[0], 1) * TRIED_ROWS[0]
        # As many rows of each size, so that what a call costs is a small part of all.
        counts = [max(1, int(min(most, TIMED_ROWS) / rows)) for rows in TRIED_ROWS]
        seconds = [
            min(time_all(rows, count) for _ in range(3))
            for rows, count in zip(TRIED_ROWS, counts, strict=True)
        ]
    rows = max(TRIED_ROWS)
    whole = min(time_passes(together, rows, counts[-1]) for _ in range(2))
    if seconds[-1] / streams >= whole:
        return Pace()
    return Pace(streams, TRIED_ROWS, tuple(each + STEP_SECONDS for each in seconds))


def _make_forward(forward):
    return _repeat(lambda x, y: 1e-30 * tf.reduce_sum(forward(x)))


def _make_forward_and_backward(forward):
    def slope(x, y):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            loss = tf.reduce_sum(margin(y, forward(x)))
        return 1e-30 * tape.gradient(loss, x, unconnected_gradients="zero")

    return _repeat(slope)


def _repeat(change):
    def run(x, y, rows, passes):
        x, y = tf.ensure_shape(x[:rows], (None, *x.shape[1:])), y[:rows]

        def body(number, x):
            # So that no pass can be left out: each begins with what the last one gave.
            return number + 1, tf.ensure_shape(x + change(x, y), x.shape)

        return tf.while_loop(lambda number, _: number < passes, body, (tf.constant(0), x))[1]

    return run


def _count_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _has_accelerator():
    return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())
