"""Conditions on numbers: an error at once where they are known, an assertion in a graph."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfrobust.errors import UserError

_MARK = "tfrobust:"
# As TensorFlow says what a Python function failed with that reads data for it.
_RAISED = re.compile(r"\bUserError: (.*?)\nTraceback \(most recent call last\)", re.DOTALL)
_ASSERTED = re.compile(rf"assertion failed: \[{_MARK}\] \[(.*)\]")


def require(holds: tf.Tensor | bool, *parts: str | tf.Tensor) -> tf.Operation | None:
    """Raises `UserError` unless a condition holds.

    In a graph it is an assertion, which XLA leaves out; `as_user_error` makes one line of it.

    Args:
        holds: boolean scalar.
        *parts: strings and scalar tensors that make the message, in this order.

    Returns:
        The assertion, for `after`; None where there is none.
    """
    if not tf.executing_eagerly():
        return tf.debugging.Assert(holds, [_MARK, *parts], name="contract")
    if not bool(holds):
        raise UserError(_join(p if isinstance(p, str) else f"{float(p):.6g}" for p in parts))
    return None


def after(assertion: tf.Operation | None, tensors: Any) -> Any:
    """A structure of tensors (or None) that is not computed before an assertion of `require` held.

    Example:
    >>> from tfrobust import contract
    >>> float(contract.after(None, tf.constant(2.0)))
    2.0
    """
    if assertion is None:
        return tensors
    with tf.control_dependencies([assertion]):
        return tf.nest.map_structure(lambda t: None if t is None else tf.identity(t), tensors)


def _join(parts):
    return " ".join(parts).replace(" .", ".").replace(" ,", ",")


@contextlib.contextmanager
def as_user_error() -> Iterator[None]:
    """Raises what an assertion of `require` said in a graph, or the reading of data, as `UserError`.

    Example:
    >>> from tfrobust import contract
    >>> with contract.as_user_error():
    ...     contract.require_logits(tf.constant([[0.25, 0.75]]), few=True)
    Traceback (most recent call last):
    tfrobust.errors.UserError: The model gives probabilities, ...
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raised = _RAISED.search(error.message)
        if raised is not None:
            raise UserError(" ".join(raised[1].split())) from error
        asserted = _ASSERTED.search(error.message)
        if asserted is None:
            raise
        raise UserError(_join(asserted[1].split("] ["))) from error
