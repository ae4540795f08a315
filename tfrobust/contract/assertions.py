"""Conditions on numbers: an error at once where they are known, an assertion in a graph."""

import contextlib
import re

import tensorflow as tf

from tfrobust.errors import UserError

_MARK = "tfrobust:"
_ASSERTED = re.compile(rf"assertion failed: \[{_MARK}\] \[(.*)\]")


def require(holds, *parts):
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


def after(assertion, tensors):
    """A structure of tensors (or None) that is not computed before an assertion of `require` held."""
    if assertion is None:
        return tensors
    with tf.control_dependencies([assertion]):
        return tf.nest.map_structure(lambda t: None if t is None else tf.identity(t), tensors)


def _join(parts):
    return " ".join(parts).replace(" .", ".").replace(" ,", ",")


@contextlib.contextmanager
def as_user_error():
    """Raises what an assertion of `require` said in a graph as `UserError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        asserted = _ASSERTED.search(error.message)
        if asserted is None:
            raise
        raise UserError(_join(asserted[1].split("] ["))) from error
