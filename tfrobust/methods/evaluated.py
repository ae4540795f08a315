"""The step of `evaluate` and of validation: clean accuracy, and accuracy under an attack."""

from typing import Any

import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.contract import after, require_logits, unpack
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.methods.wrapper import ClassifierWrapper
from tfrobust.ops.logits import correct, inference
from tfrobust.ops.random.draws import drawing_under_xla
from tfrobust.ops.random.keys import content_keys, seed_pair
from tfrobust.ops.replicas.padding import is_present
from tfrobust.ops.replicas.stand_in import rows_that_count, stand_in


class EvaluatedModel(ClassifierWrapper):
    """A wrapped classifier that Keras's `evaluate` judges, the same for every method.

    Attributes:
        eval_attack: the `Attack` whose accuracy is reported as `robust_accuracy`, or None.
    """

    eval_attack: Attack | None = None

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        with (
            drawing_under_xla(self.jit_compile),
            stand_in(*unpack(data, self.classifier)) as batch,
        ):
            return self.judge(*batch)

    def judge(
        self, x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """A step of evaluation on a checked batch of at least one row; the numbers that are reported."""
        self.remember_inputs(x)
        forward = inference(self.classifier)
        logits = forward(x)
        logits = after(require_logits(logits), logits)
        present = rows_that_count(x)
        if sample_weight is not None:
            marked = is_present(sample_weight)
            present = marked if present is None else marked & present
        values = cross_entropy(y, logits)
        if sample_weight is not None:
            values *= tf.cast(sample_weight, values.dtype)
        self.loss_mean().update_state(values, present)
        is_right = correct(y, logits)
        self.means["accuracy"].update_state(tf.cast(is_right, tf.float32), present)
        if self.eval_attack is not None:
            keys = content_keys(seed_pair(self.seed), x)
            found = self.eval_attack.perturb(self.classifier, x, y, keys)
            is_robust = is_right & correct(y, forward(found.x))
            self.means["robust_accuracy"].update_state(tf.cast(is_robust, tf.float32), present)
        return self.report("test", self.evaluated, y, logits, sample_weight, present)
