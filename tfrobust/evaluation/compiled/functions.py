"""Compiled functions of one classifier, shared with others of its architecture."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import tensorflow as tf

from tfrobust.evaluation.compiled.classifier import Classifier
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.compiled.network import Network
from tfrobust.evaluation.compiled.single_thread import SingleThreadFunction
from tfrobust.evaluation.compiled.store import Store, process_store


class KeptFunctions:
    """Compiles functions of a classifier, or takes those that are kept of its architecture.

    Use it wherever an evaluation would write `tf.function`:

        functions = KeptFunctions.of(subject, image_shape)
        slopes = functions.compile(("slopes", "margin"), lambda forward: lambda x, y: ...)
        slopes(x, y)

    The function is traced once for all classifiers of one architecture, and reads this one's weights at
    every call.

    Args:
        network: `Network`.
        devices: `Devices` on which the functions run; those of a strategy are not kept.

    Example:
    >>> from tfrobust.evaluation.compiled.functions import KeptFunctions
    >>> def make():
    ...     return keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> def sums(forward):
    ...     return lambda x: tf.reduce_sum(forward(x))
    >>> for _ in range(2):
    ...     subject = tfrobust.evaluation.Subject.of(make())
    ...     compiled = KeptFunctions.of(subject, (2, 2, 1)).compile("sums", sums)
    ...     print(compiled(tf.zeros((1, 2, 2, 1))).numpy(), compiled.traces)
    0.0 1
    0.0 1
    """

    def __init__(self, network: Network, devices: Devices | None = None):
        self.network, self.devices = network, devices or Devices()
        self._own = Store(1)

    @staticmethod
    def of(
        subject: Classifier, image_shape: Sequence[int], devices: Devices | None = None
    ) -> "KeptFunctions":
        """The functions of a classifier on images (h, w, c); on a strategy's devices, its own ones."""
        if devices is not None and devices.strategy is not None:
            return KeptFunctions(Network.of_function(subject.forward), devices)
        return KeptFunctions(Network.of(subject, image_shape), devices)

    def compile(
        self, key: Hashable, make: Callable, single_thread: bool = False, **options: Any
    ) -> "KeptFunction":
        """A compiled function of tensors.

        Args:
            key: what tells the function from others of the same classifier: everything that `make` uses. None
                keeps it for nobody else.
            make: function from `forward`, images to logits in inference mode, to the function that is
                compiled; it must use nothing else of this classifier.
            single_thread: each call computes on one core, see `SingleThreadFunction`; for networks that take
                all weights as arguments.
            **options: of `tf.function`.
        """
        devices = self.devices

        def trace():
            forward = self.network.forward

            def function(weights, *arguments):
                return make(lambda x: forward(weights, x))(*arguments)

            return (
                SingleThreadFunction(function)
                if single_thread
                else devices.function(function, **options)
            )

        if key is None:
            return KeptFunction(_Compiled(trace()), self.network.read)
        whole = key, single_thread, *sorted(options.items())
        compiled = self._store.get(self.network.key, whole, lambda: _Compiled(trace()))
        return KeptFunction(compiled, self.network.read)

    def keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Whatever was found out about this architecture: made once, and kept as functions are."""
        return self._store.get(self.network.key, (key,), make)

    def keys(self) -> list:
        """Keys of the functions that are there."""
        return [key for key, *_ in self._store.keys(self.network.key)]

    @property
    def _store(self):
        return self._own if self.network.key is None else process_store()


@dataclasses.dataclass
class _Compiled:
    function: Any
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class KeptFunction:
    """A compiled function with the weights of one classifier.

    Args:
        compiled: a `tf.function` of weights and of what `__call__` is given, with the time of its traces.
        read: function that returns the weights.
    """

    compiled: _Compiled
    read: Callable[[], Sequence[tf.Tensor]]

    def __call__(self, *arguments: Any) -> Any:
        former, began = self.traces, time.perf_counter()
        result = self.compiled.function(self.read(), *arguments)
        if self.traces > former:
            self.compiled.seconds += time.perf_counter() - began
        return result

    @property
    def traces(self) -> int:
        """How often it has been traced so far, for whichever classifier."""
        return self.compiled.function.experimental_get_tracing_count()

    @property
    def seconds(self) -> float:
        """Time of the calls that traced it."""
        return self.compiled.seconds
