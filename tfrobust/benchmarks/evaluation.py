"""What an evaluation costs, against the reference's passes and against its own passes timed alone."""

import time

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import Suite
from tfrobust.losses.margin import margin
from tfrobust.runs.bar import Bar

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


def measure_suite(
    subject: Subject,
    examples: Examples,
    suite: Suite,
    slots: int | str = "auto",
    jit_compile: bool = False,
) -> list[tuple[str, ...]]:
    """Rows of a table, one for each attack and one for the whole suite; the second of two runs counts.

    F and B are a forward pass and a backward pass to the input of one example; "needed" is the mean
    over the examples that nothing breaks, "of the reference" (F + B) / (F + B of AutoAttack's code).
    "of its passes" is the wall time of the search over the time of the passes that it computed, those
    of empty slots included, each timed alone in a compiled loop of the same batch size. They are timed
    in turns with the search, every half second, so that whatever else the machine does meets both.

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
    turns = _Turns(
        {
            name: _Timer(subject.forward, examples, max(pool.programs))
            for (name, *_), pool in evaluator.pools.items()
        }
    )
    predictions, outcomes, _ = evaluator(examples.x, examples.y, examples.ids, bar=turns)
    robust = predictions == examples.y
    for outcome in outcomes:
        robust &= ~outcome.broken
    rows, needs, times = [], np.zeros(2), np.zeros(2)
    for traced, outcome in zip(first, outcomes, strict=True):
        need = [float(getattr(outcome, n)[robust].mean()) for n in ("forwards", "backwards")]
        # The passes that it computed, in rows, times one row's passes.
        alone = float(np.dot(outcome.passes, turns.passes(outcome.name)))
        seconds = outcome.seconds - turns.seconds[outcome.name]
        needs, times = needs + need, times + [seconds, alone]
        reference = REFERENCE.get(outcome.name)
        rows.append(
            (
                outcome.name,
                str(int(outcome.attempted.sum())),
                *(f"{n:.0f}" for n in need),
                f"{sum(need) / sum(reference):.3f}" if reference else "-",
                f"{seconds:.2f}",
                f"{seconds / alone:.3f}",
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


class _Turns(Bar):
    """In place of a bar: times the passes alone whenever the search is looked at."""

    def __init__(self, timers):
        super().__init__(None)
        self._timers = timers
        self._samples = {name: [] for name in timers}
        self.seconds = dict.fromkeys(timers, 0.0)

    def begin(self, title, share=0.0):
        super().begin(title, share)
        self.show(share, "")

    def show(self, share, note):
        began = time.perf_counter()
        self._samples[self.title].append(self._timers[self.title]())
        self.seconds[self.title] += time.perf_counter() - began

    def passes(self, name):
        """Seconds of one row's forward pass and of its backward pass."""
        ahead, both = np.mean(self._samples[name], axis=0)
        return ahead, both - ahead


class _Timer:
    """Seconds of one row's forward pass, and of its forward and backward pass, in loops of passes."""

    def __init__(self, forward, examples, rows, passes=20):
        self._passes, self._rows = passes, rows
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
        for loop in self._loops:
            loop(self._x)

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
            began = time.perf_counter()
            loop(self._x).numpy()
            seconds.append((time.perf_counter() - began) / self._passes / self._rows)
        return seconds
