"""Linear lower bounds, from the outputs of a network back to its images: CROWN."""

import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval, bound_product, sum_rows
from tfrobust.bounds.network import Network


def bound_below(
    network: Network,
    place: int,
    rows: tf.Tensor,
    boxes: list[Interval],
    errors: dict[int, tf.Tensor],
    arithmetic: Arithmetic,
    to_images: bool = True,
) -> tf.Tensor:
    """A lower bound of <row, output of a node>, by linear functions of earlier and earlier outputs.

    Affine operations are gone through without a loss; where an activation is met, the straight lines
    around it in its box take its place. Rounding of an output by up to e costs <|row|, e>.

    Args:
        network: `Network`.
        place: number of the node.
        rows: (r, ...), coefficients of its output.
        boxes: of all nodes before it, (r, ...), see `Network.propagate`.
        errors: of nodes that round, by number, (r, ...).
        arithmetic: `Arithmetic`.
        to_images: go on to the images; otherwise stop at the first output of an activation on each way,
            whose box is known: interval bounds with the last layers joined into one.

    Returns:
        (r,).

    Example:
    >>> from tfrobust.bounds.arithmetic import PROOF
    >>> from tfrobust.bounds.linear import bound_below
    >>> from tfrobust.bounds import Interval, read_network
    >>> model = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)])
    >>> network = read_network(model)
    >>> box = Interval(tf.zeros((1, 1, 1, 2)), tf.ones((1, 1, 1, 2)))
    >>> boxes, errors = network.propagate(box, PROOF)
    >>> rows = tf.constant([[1.0, -1.0]], tf.float64)
    >>> round(float(bound_below(network, 2, rows, boxes, errors, PROOF)[0]), 5)
    -1.0
    """
    pending: dict[int, tf.Tensor] = {place: rows}
    total = tf.zeros(tf.shape(rows)[:1], rows.dtype)
    for number in range(place, -1, -1):
        if number not in pending:
            continue
        rows, node = pending.pop(number), network.nodes[number]
        if number == 0 or not (to_images or node.operation.is_linear):
            total += bound_product(rows, boxes[number])
            continue
        if number in errors:
            total -= sum_rows(tf.abs(rows) * errors[number])
        inputs = [boxes[source] for source in node.sources]
        coefficients, constant = node.operation.relax(rows, inputs, arithmetic)
        total += constant
        for source, part in zip(node.sources, coefficients, strict=True):
            pending[source] = pending[source] + part if source in pending else part
    return total
