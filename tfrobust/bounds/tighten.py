"""Tighter boxes in front of activations, by linear bounds of each number for which it matters."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrobust.bounds.arithmetic import PROOF, Arithmetic
from tfrobust.bounds.compiled import CompiledOnce
from tfrobust.bounds.interval import Interval
from tfrobust.bounds.linear import bound_below
from tfrobust.bounds.network import Network
from tfrobust.bounds.operation import Operation


class Tightening:
    """Boxes of a network's numbers by CROWN in all layers; compiled once for each activation.

    In front of each activation, in order, the numbers for which it matters (for ReLU, those that may have
    either sign) get linear bounds down to the images; the better of the two bounds counts, and the
    boxes behind follow from it.

    Args:
        network: `Network`.
        arithmetic: `Arithmetic`.
        rows: how many numbers are bounded at once.

    Attributes:
        made: int (b,): how many linear bounds the last call took for each image, two for each number.

    Example:
    >>> from tfrobust.bounds import Interval, Tightening, read_network
    >>> model = tfrobust.models.digits_cnn(activation="relu")
    >>> tightening = Tightening(read_network(model))
    >>> boxes, errors = tightening(Interval(tf.fill((1, 8, 8, 1), 0.4), tf.fill((1, 8, 8, 1), 0.6)))
    >>> boxes[-1].lower.shape
    TensorShape([1, 10])
    """

    def __init__(self, network: Network, arithmetic: Arithmetic = PROOF, rows: int = 512):
        self.network, self.arithmetic, self.rows = network, arithmetic, rows
        self.made = np.zeros(0, int)
        nodes = network.nodes
        # Numbers that only linear operations separate from the images have exact boxes already.
        exact = [True]
        for node in nodes[1:]:
            exact.append(node.operation.is_linear and all(exact[s] for s in node.sources))
        self._users: dict[int, list[Operation]] = {}
        for node in nodes[1:]:
            for source in () if node.operation.is_linear else node.sources:
                if not exact[source]:
                    self._users.setdefault(source, []).append(node.operation)
        self.places = sorted(self._users)
        self._bounds: dict[int, Callable] = {place: self._compile(place) for place in self.places}

    def __call__(
        self, box: Interval, stop: Callable[[], None] = lambda: None
    ) -> tuple[list[Interval], dict[int, tf.Tensor]]:
        """Boxes and rounding errors of all nodes, as `Network.propagate` gives them.

        Args:
            box: of images, (b, h, w, c).
            stop: called between two parts of the work; may raise.
        """
        arithmetic = self.arithmetic
        boxes = [Interval(arithmetic.cast(box.lower), arithmetic.cast(box.upper))]
        errors: dict[int, tf.Tensor] = {}
        self.made = np.zeros(len(box.lower), int)
        for place, node in enumerate(self.network.nodes[1:], start=1):
            inputs = [boxes[source] for source in node.sources]
            exact, error = node.operation.bound(inputs, arithmetic)
            boxes.append(exact.widen(error))
            if error is not None:
                errors[place] = error
            if place in self.places:
                boxes[place] = self._tighten(place, boxes, errors, stop)
        return boxes, errors

    def _tighten(self, place, boxes, errors, stop):
        lower, upper = (part.numpy() for part in boxes[place])
        shape, size = lower.shape, int(np.prod(lower.shape[1:]))
        lower, upper = lower.reshape(-1, size).copy(), upper.reshape(-1, size).copy()
        matters = [user.gains_from(boxes[place]).numpy() for user in self._users[place]]
        owners, numbers = np.nonzero(np.any(matters, axis=0).reshape(-1, size))
        self.made += 2 * np.bincount(owners, minlength=len(lower))
        for begin in range(0, len(owners), self.rows):
            stop()
            part = slice(begin, begin + self.rows)
            mine, which = owners[part], numbers[part]
            padded = [np.resize(a, self.rows).astype(np.int32) for a in (mine, which)]
            low, high = self._bounds[place](boxes, errors, *padded)
            count = len(mine)
            lower[mine, which] = np.maximum(lower[mine, which], low.numpy()[:count])
            upper[mine, which] = np.minimum(upper[mine, which], high.numpy()[:count])
        return Interval(tf.constant(lower.reshape(shape)), tf.constant(upper.reshape(shape)))

    def _compile(self, place):
        shape = self.network.nodes[place].shape

        def bound(boxes, errors, owners, numbers):
            size = int(np.prod(shape))
            rows = tf.one_hot(numbers, size, dtype=self.arithmetic.dtype)
            rows = tf.reshape(rows, (-1, *shape))
            given = [box.take(owners) for box in boxes]
            of_rows = {number: tf.gather(error, owners) for number, error in errors.items()}
            low, high = (
                bound_below(self.network, place, sign * rows, given, of_rows, self.arithmetic)
                for sign in (1.0, -1.0)
            )
            return low, -high

        return CompiledOnce(bound)
