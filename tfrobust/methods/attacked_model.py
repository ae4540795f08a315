"""The classifier as the attack of a training step sees it."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.compat import all_layers
from tfrobust.errors import UserError
from tfrobust.methods.checks import is_stock_batch_normalization
from tfrobust.ops.half_precision import scale_gradients
from tfrobust.ops.logits import full_precision
from tfrobust.ops.statistics import batch_statistics

ATTACK_STATISTICS = ("running", "batch", "batch_frozen")


def make_attacked_model(
    classifier: keras.Model, statistics: str
) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model or function to attack, for one of `ATTACK_STATISTICS`.

    "running" is inference mode, the classifier itself. The others are training mode: "batch" moves
    the running averages with every step of the attack, "batch_frozen" does not move them.

    Raises:
        UserError: if the classifier's layers cannot leave their averages alone; and, when it is
            called, on several replicas.
    """
    if statistics == "running":
        return classifier
    frozen = statistics == "batch_frozen"
    for layer in all_layers(classifier):
        if frozen and is_stock_batch_normalization(layer):
            raise UserError(
                f"Layer {layer.name!r}, a keras.layers.BatchNormalization, would move its averages. Use "
                "tfrobust.models.BatchNormalization for attack_statistics='batch_frozen'."
            )

    def forward(x):
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            raise UserError(
                "Several replicas cannot gather the global batch's statistics inside an attack's loop. "
                "Use attack_statistics='running', or one device. "
                f"Received: attack_statistics={statistics!r}."
            )
        with batch_statistics(update=not frozen):
            return full_precision(classifier(x, training=True))

    return scale_gradients(forward, classifier, by_row=False)
