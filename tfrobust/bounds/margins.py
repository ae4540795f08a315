"""Lower bounds of the margins of a label over every other class."""

import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval
from tfrobust.bounds.linear import bound_below
from tfrobust.bounds.network import Network


def bound_margins(
    network: Network,
    boxes: list[Interval],
    errors: dict[int, tf.Tensor],
    y: tf.Tensor,
    arithmetic: Arithmetic,
    to_images: bool,
) -> tf.Tensor:
    """Lower bounds of z_y - z_j over a box of images, for all classes j at once.

    Use it on what `Network.propagate` or `tighten` found. If all bounds but the label's own are
    positive, no image in the box is misclassified.

    Args:
        network: `Network`.
        boxes, errors: of all its nodes, (b, ...).
        y: labels, int (b,).
        arithmetic: `Arithmetic`.
        to_images: linear bounds from the logits to the images (CROWN); else only through the last
            layers without an activation in between (IBP).

    Returns:
        (b, k), 0 in the label's own column; for proofs NaN in rows where the network may overflow.

    Example:
    >>> from tfrobust.bounds import Interval, bound_margins, read_network
    >>> from tfrobust.bounds.arithmetic import PROOF
    >>> model = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)])
    >>> network = read_network(model)
    >>> box = Interval(tf.constant([[[[0.5, 0.1]]]]), tf.constant([[[[0.7, 0.2]]]]))
    >>> boxes, errors = network.propagate(box, PROOF)
    >>> margins = bound_margins(network, boxes, errors, tf.constant([0]), PROOF, to_images=True)
    >>> margins.numpy().round(5).tolist()
    [[0.0, 0.3]]
    """
    k = network.num_classes
    label = tf.one_hot(y, k, dtype=arithmetic.dtype)
    rows = tf.reshape(label[:, None, :] - tf.eye(k, dtype=arithmetic.dtype)[None], (-1, k))
    owners = tf.repeat(tf.range(tf.shape(y)[0]), k)
    per_row = [box.take(owners) for box in boxes]
    per_row_errors = {number: tf.gather(error, owners) for number, error in errors.items()}
    place = len(network.nodes) - 1
    bounds = bound_below(network, place, rows, per_row, per_row_errors, arithmetic, to_images)
    bounds = tf.reshape(bounds, (-1, k)) * (1.0 - label)
    if not arithmetic.unit:
        return bounds
    nothing = tf.constant(float("nan"), bounds.dtype)
    return tf.where(_are_finite(boxes)[:, None], bounds, nothing)


def _are_finite(boxes):
    """Whether an example's boxes are all finite: activations and pooling may hide a NaN."""
    found = [
        tf.reduce_all(tf.math.is_finite(tf.reshape(part, (tf.shape(part)[0], -1))), axis=1)
        for box in boxes
        for part in box
    ]
    return tf.reduce_all(tf.stack(found), axis=0)
