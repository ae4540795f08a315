"""The processes that train one model together, and what they tell each other."""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tfrobust.compat import read_shared_text, share_text
from tfrobust.errors import UserError

_POLL_SECONDS = 5.0


class Workers:
    """The process by itself: nobody to agree with.

    Attributes:
        index: number of this process, 0 for the chief.
        count: how many there are.
    """

    index, count = 0, 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what the run leaves on disk."""
        return self.index == 0

    def exchange(self, value: Any) -> list[Any]:
        """Gives a JSON value to all workers; returns those of all, in their order. All must call it."""
        return [value]

    def any_of(self, *flags: object) -> tuple[bool, ...]:
        """For each flag, whether it is true on any worker. All must call it, with as many flags."""
        return tuple(bool(flag) for flag in flags)

    @contextlib.contextmanager
    def refused_together(self) -> Iterator[None]:
        """A block without collectives after which a `UserError` of one worker is raised by all."""
        message = None
        try:
            yield
        except UserError as error:
            message = str(error)
            if self.count == 1:
                raise
        told = self.exchange(message)
        for index, other in enumerate(told):
            if other is not None:
                raise UserError(other if index == self.index else f"Worker {index}: {other}")

    @contextlib.contextmanager
    def loss_interrupts(self) -> Iterator[None]:
        """A block that ends with `Interrupted` if another worker is gone."""
        yield

    def part(self) -> None:
        """The last word: afterwards no worker needs another. All must call it."""

    def check_same(self, what: str, value: dict[str, Any]) -> None:
        """Refuses workers whose values differ from the chief's, by name.

        Args:
            what: the kind of thing that is compared, for the message.
            value: name -> JSON value.

        Raises:
            UserError: on all workers.
        """
        first, *others = self.exchange(value)
        for index, other in enumerate(others, 1):
            names = [name for name in first | other if first.get(name) != other.get(name)]
            if names:
                there = "; ".join(
                    f"{name}: {_shorten(other.get(name))} there, {_shorten(first.get(name))} on worker 0"
                    for name in names
                )
                raise UserError(
                    f"Worker {index} of {self.count} has another {what} than worker 0 and cannot train with "
                    f"it. {there}. Start all workers with the same command, versions and data."
                )


ALONE = Workers()


class ConnectedWorkers(Workers):
    """The workers of a `tf.distribute.MultiWorkerMirroredStrategy`.

    Texts go through TensorFlow's coordination service, flags through a sum over the replicas.

    Args:
        strategy: the strategy, whose server is running.
        index: number of this process.
        count: how many there are.
        check_alive: called while another worker is waited for; raises if it is gone.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        index: int,
        count: int,
        check_alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.strategy = strategy
        self.index, self.count = index, count
        self._check_alive = check_alive
        self._rounds = 0
        self._sum = tf.function(self._sum_over_replicas, autograph=False)

    def exchange(self, value: Any) -> list[Any]:
        self._rounds += 1
        key = f"tfrobust/{self._rounds}"
        share_text(f"{key}/{self.index}", _encode(value))
        return [self._read(f"{key}/{index}") for index in range(self.count)]

    def part(self) -> None:
        self.exchange(None)
        if self.is_chief:
            # Its process has the service from which the others read.
            for index in range(1, self.count):
                self._read(f"tfrobust/read/{index}")
        else:
            share_text(f"tfrobust/read/{self.index}", _encode(True))

    def _read(self, key):
        while True:
            text = read_shared_text(key, _POLL_SECONDS)
            if text is not None:
                return json.loads(base64.b64decode(text))
            self._check_alive()

    def any_of(self, *flags: object) -> tuple[bool, ...]:
        numbers = tf.constant([float(bool(flag)) for flag in flags])
        return tuple(bool(total > 0.0) for total in self._sum(numbers).numpy())

    def _sum_over_replicas(self, numbers):
        def replica():
            context = tf.distribute.get_replica_context()
            # A tensor of the replica's own, as a captured one has no device to be summed on.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(numbers))

        return self.strategy.experimental_local_results(self.strategy.run(replica))[0]


def _encode(value):
    # Base 64 because the service takes text, of which a zero byte would be the end.
    return base64.b64encode(json.dumps(value).encode()).decode()


def _shorten(value):
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]} ..."
