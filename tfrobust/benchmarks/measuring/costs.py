"""What calls cost in time and memory, on a machine that does other things too."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfrobust.benchmarks.measuring.memory import Memory


class Cost(NamedTuple):
    """What a call costs.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of all threads together. Other processes disturb them less; waiting costs none.
        memory: bytes of tensors at the peak beyond those before the call, or None where nothing was
            counted.
    """

    wall: float
    cpu: float
    memory: int | None = None


def measure_calls(calls: dict[Any, Callable[[], Any]], repeats: int) -> dict[Any, list[Cost]]:
    """What calls cost, measured in turns, so that whatever else the machine does meets them all.

    Args:
        calls: dict from a name to a function without arguments. Neighbours are compared best.
        repeats: rounds that count, at least 1; one before them traces and warms up.

    Returns:
        Dict from a name to its `Cost` in each round.
    """
    memory = Memory()
    for call in calls.values():
        call()
    costs: dict[Any, list[Cost]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(repeats):
        for name in order:
            memory.start()
            wall, cpu = time.perf_counter(), time.process_time()
            calls[name]()
            tf.test.experimental.sync_devices()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            costs[name].append(Cost(wall, cpu, memory.growth()))
        # Who comes first finds cold caches.
        order.reverse()
    return costs


def take_median(costs: Sequence[Cost]) -> Cost:
    """One `Cost` of several: medians of the times, the largest memory."""
    wall, cpu, memory = zip(*costs, strict=True)
    return Cost(statistics.median(wall), statistics.median(cpu), _take_largest(memory))


def compute_ratios(costs: Sequence[Cost], units: Sequence[Cost]) -> tuple[float, float]:
    """Wall and CPU time of calls in units of others of the same rounds: medians of the rounds' ratios."""
    pairs = list(zip(costs, units, strict=True))
    return (
        statistics.median(cost.wall / unit.wall for cost, unit in pairs),
        statistics.median(cost.cpu / unit.cpu for cost, unit in pairs),
    )


def add_costs(costs: Sequence[Cost], others: Sequence[Cost]) -> list[Cost]:
    """The costs of two calls one after the other, round by round."""
    return [_add(pair) for pair in zip(costs, others, strict=True)]


def _add(costs):
    wall, cpu, memory = zip(*costs, strict=True)
    return Cost(sum(wall), sum(cpu), _take_largest(memory))


def _take_largest(memory):
    return None if None in memory else max(memory)
