"""What an evaluation costs, against the reference's passes and against its own passes timed alone."""

import statistics
import time

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.evaluator import Evaluator
from tfrobust.losses.margin import margin

# Forward and backward passes of AutoAttack's code for a point that nothing breaks, ten classes: the
# attacks themselves, with the clean pass and the final one that each makes.
REFERENCE = {
    "apgd-ce": (102, 101),
    "apgd-t": (919, 909),
    "fab-t": (1828, 900),
    "square": (5003, 0),
}
HEAD = (
    "attack",
    "examples",
    "F needed",
    "B needed",
    "of the reference",
    "seconds",
    "of its passes",
    "busy",
    "traces",
)


def measured(subject, examples, suite, slots="auto", jit_compile=False):
    """Rows of a table, one for each attack and one for the whole suite; the second of two runs counts.

    F and B are a forward pass and a backward pass to the input of one example; "needed" is the mean
    over the examples that nothing breaks, "of the reference" (F + B) / (F + B of AutoAttack's code).
    "of its passes" is the wall time of the search over the time of the passes that it computed, those
    of empty slots included, each timed alone in a compiled loop of the same batch size, before and
    after.

    Args:
        subject: `Subject` with gradients.
        examples: `Examples`.
        suite: `Suite`.
        slots, jit_compile: see `Evaluator`.
    """
    evaluator = Evaluator(
        subject, suite.attacks, slots=slots, jit_compile=jit_compile, individual=suite.individual
    )
    _, first, _ = evaluator(examples.x, examples.y, examples.ids)
    timers = {
        name: _Timer(subject.forward, examples, program.rows)
        for (name, _), program in evaluator._programs.items()
    }
    before = {name: timer() for name, timer in timers.items()}
    predictions, outcomes, _ = evaluator(examples.x, examples.y, examples.ids)
    after = {name: timer() for name, timer in timers.items()}
    robust = predictions == examples.y
    for outcome in outcomes:
        robust &= ~outcome.broken
    rows, needs, times = [], np.zeros(2), np.zeros(2)
    for traced, outcome in zip(first, outcomes, strict=True):
        need = [float(getattr(outcome, n)[robust].mean()) for n in ("forwards", "backwards")]
        # The passes that it computed, in rows; the time of one row's passes.
        alone = sum(
            number * statistics.mean((before[outcome.name][kind], after[outcome.name][kind]))
            for kind, number in enumerate(outcome.passes)
        )
        needs, times = needs + need, times + [outcome.seconds, alone]
        reference = REFERENCE.get(outcome.name)
        rows.append(
            (
                outcome.name,
                str(int(outcome.attempted.sum())),
                *(f"{n:.0f}" for n in need),
                f"{sum(need) / sum(reference):.3f}" if reference else "-",
                f"{outcome.seconds:.2f}",
                f"{outcome.seconds / alone:.3f}",
                f"{outcome.busy:.3f}",
                str(traced.traces + outcome.traces),
            )
        )
    whole = all(o.name in REFERENCE for o in outcomes) and len(outcomes) == len(REFERENCE)
    # One clean pass for all attacks.
    needs += [1, 0]
    total = sum(map(sum, REFERENCE.values()))
    steps = [sum(o.passes) for o in outcomes]
    rows.append(
        (
            suite.name,
            f"{len(robust)}, {int(robust.sum())} robust",
            *(f"{n:.0f}" for n in needs),
            f"{needs.sum() / total:.3f}" if whole else "-",
            f"{times[0]:.2f}",
            f"{times[0] / times[1]:.3f}",
            f"{np.average([o.busy for o in outcomes], weights=steps):.3f}",
            "",
        )
    )
    return rows


class _Timer:
    """Seconds of one row's forward pass, and of its backward pass to the input, in a loop of passes."""

    def __init__(self, forward, examples, rows, passes=40, rounds=5):
        self._passes, self._rounds, self._rows = passes, rounds, rows
        places = np.arange(rows) % len(examples.y)
        self._x = tf.constant(examples.x[places])
        self._y = tf.constant(examples.y[places], tf.int32)

        def ahead(x):
            # So that no pass can be left out: each begins with what the last one gave.
            return x + 1e-30 * tf.reduce_sum(forward(x))

        def there_and_back(x):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                loss = tf.reduce_sum(margin(self._y, forward(x)))
            return x + 1e-30 * tape.gradient(loss, x)

        self._loops = [self._loop(ahead), self._loop(there_and_back)]

    def _loop(self, body):
        return tf.function(
            lambda x: tf.while_loop(
                lambda n, x: n < self._passes, lambda n, x: (n + 1, body(x)), (0, x)
            )[1],
            autograph=False,
        )

    def __call__(self):
        seconds = []
        for loop in self._loops:
            loop(self._x)
            times = []
            for _ in range(self._rounds):
                began = time.perf_counter()
                loop(self._x).numpy()
                times.append(time.perf_counter() - began)
            seconds.append(statistics.median(times) / self._passes / self._rows)
        return seconds[0], max(seconds[1] - seconds[0], 0.0)
