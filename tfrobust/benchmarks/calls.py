"""What is called, again and again, to measure what a training step costs."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrobust.benchmarks.steps import MeasuredMethod
from tfrobust.ops.datasets import without_autotune


def list_calls(
    subjects: dict[str, MeasuredMethod],
    passes: dict[str, Callable[[], Any]],
    steps: dict[str, Callable[[], Any]],
) -> dict[tuple[str, str], Callable[[], Any]]:
    """What is measured of the methods: all passes of a step one after the other, then the step.

    Args:
        subjects: dict from a name to its `Subject`.
        passes: dict from each of `PASSES` to a function.
        steps: dict from a name to its `RepeatedStep`.

    Returns:
        Dict from ("passes", name) and ("step", name) to a function without arguments.
    """
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name, subject in subjects.items():
        sequence = [passes[p] for p, count in subject.counts().items() for _ in range(count)]
        calls["passes", name] = functools.partial(_call_all, sequence)
        calls["step", name] = steps[name]
    return calls


def _call_all(functions):
    for function in functions:
        function()


class RepeatedStep:
    """A method's training step, the one that `fit` runs, on the same batch again and again.

    Attributes:
        traces: how often it has been traced.
    """

    def __init__(
        self,
        subject: MeasuredMethod,
        classifier: keras.Model,
        x: tf.Tensor,
        y: tf.Tensor,
        jit_compile: bool = False,
    ) -> None:
        self.traces = 0
        method = subject.make(classifier)
        method.compile(_make_optimizer(), jit_compile=jit_compile)
        method.optimizer.build(method.trainable_variables)
        step = method.train_step

        def counted(data):
            self.traces += 1
            return step(data)

        method.train_step = counted
        method.make_train_function()
        self._method = method
        batches = tf.data.Dataset.from_tensors((x, y)).repeat()
        self._batches = iter(without_autotune(batches))

    def __call__(self) -> Any:
        return self._method.train_function(self._batches)


def make_update(model: keras.Model) -> Callable[[], Any]:
    """The optimizer's update of all weights, which every step makes once and no pass contains."""
    optimizer, variables = _make_optimizer(), model.trainable_variables
    optimizer.build(variables)
    gradients = [tf.zeros(v.shape) for v in variables]

    def apply():
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return tf.function(apply)


def _make_optimizer():
    # The rate is small so that a thousand steps on one batch stay finite.
    return keras.optimizers.SGD(1e-4, momentum=0.9)
