"""Free adversarial training."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.contract import after
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.methods.update import move_weights
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.ops.replicas.global_batch import sum_over_replicas
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import to_box
from tfrobust.threat_models.linf import Linf


@register
class Free(AdversarialModel):
    """Free adversarial training: one backward pass gives the step of the weights and that of the images.

    A training step repeats its batch m times; each time

        L = mean over examples of D(one-hot(y), p(x')), x' = x + delta cut to the pixel box,
        w <- the optimizer's step on L, delta <- clip(delta + step_size * sign(dL/d delta))

    both gradients from the same pass. delta belongs to the rows of a batch, begins at zero and is
    carried from batch to batch and from epoch to epoch, though the images change.

    Use it where robust training may cost no more than natural training. Give `fit`, and schedules
    in epochs, a m-th of the epochs: an epoch still visits every image once, and updates the weights
    m times as often. Means in the logs are over all m passes.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        threat_model: `Linf("8/255")`; its epsilon limits delta.
        batch_shape: (b, h, w, c), the shape of a global batch; smaller ones use its first rows.
        replays: m, at least 1; 4 on ImageNet, 8 on CIFAR-10.
        step_size: of delta, in pixel units; epsilon if None.
        clip_to_box: cut x + delta to the pixel box before delta is carried over, as the CIFAR-10 code
            of Wong et al. does. Otherwise a pixel may have to come back from outside of the box, where
            its gradient is zero.
        divergence: `Bregman`.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Raises:
        UserError: for another threat model; in training for a batch larger than `batch_shape`.

    Example:
        >>> from tfrobust import Linf, methods, models
        >>> shape = (64, 8, 8, 1)
        >>> method = methods.Free(models.digits_cnn(), Linf("8/255"), batch_shape=shape, replays=4)
        >>> method.updates_per_step
        4

    Reference: Shafahi et al., "Adversarial Training for Free!", 2019.
    """

    parts = ("label_loss",)
    sums_over_batch = "the whole batch's perturbation in each of its replays"

    def __init__(
        self,
        classifier: keras.Model,
        threat_model: Linf,
        *,
        batch_shape: Sequence[int],
        replays: int = 8,
        step_size: float | str | None = None,
        clip_to_box: bool = False,
        divergence: Bregman = Bregman(),
        regularizers: Sequence[Regularizer] = (),
        eval_attack: Attack | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            None,
            regularizers=regularizers,
            eval_attack=eval_attack,
            seed=seed,
            name=name,
        )
        check_kind("threat_model", threat_model, Linf)
        check_kind("clip_to_box", clip_to_box, bool)
        check_kind("divergence", divergence, Bregman)
        self.threat_model = threat_model
        if not isinstance(batch_shape, (tuple, list)) or len(batch_shape) != 4:
            raise UserError(
                f"`batch_shape` must be (b, h, w, c). Received: batch_shape={batch_shape!r}."
            )
        self.batch_shape = tuple(integer(size, "batch_shape", 1) for size in batch_shape)
        self.replays = integer(replays, "replays", 1)
        if step_size is not None:
            step_size = parse_number(step_size, "step_size", 0.0, pixels=True)
        self.step_size = step_size
        self.clip_to_box = clip_to_box
        self.divergence = divergence
        # Each replica holds all of it, and assigns its own copy.
        self.delta = self.add_weight(
            shape=self.batch_shape, name="delta", initializer="zeros", trainable=False
        )

    @property
    def updates_per_step(self) -> int:  # type: ignore[override]
        """Updates of the weights in a training step."""
        return self.replays

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        loss = self.divergence.from_label(context.y, context.logits("adversarial"))
        return context.record("label_loss", loss)

    def update(
        self, x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        rows, *image_shape = self.batch_shape
        if (x.shape[0] or 0) > rows or not x.shape[1:].is_compatible_with(image_shape):
            raise UserError(
                f"Images of shape {x.shape} do not fit into batch_shape={self.batch_shape} of Free."
            )
        for _ in range(self.replays):
            logs = self._replay(x, y, sample_weight)
        return logs

    def _replay(self, x, y, sample_weight):
        step = self._begin(x, y)
        batch = step.batch
        fits = tf.debugging.assert_less_equal(
            batch.size,
            float(self.batch_shape[0]),
            f"A batch is larger than batch_shape={self.batch_shape} of Free.",
        )
        with tf.control_dependencies([fits]):
            # One row more, for a replica that begins where the batch has ended.
            delta = tf.pad(self.delta, [[0, 1], [0, 0], [0, 0], [0, 0]])
            delta = delta[batch.offset : batch.offset + tf.shape(x)[0]]
        variables = self.classifier.trainable_variables
        with tf.GradientTape() as tape:
            tape.watch(delta)
            points = {"clean": x, "adversarial": to_box(x + delta)}
            point = LivePoint(self.classifier)
            share, penalty, values, context = self.loss_at(
                point, step, points, None, sample_weight, self.regularizers
            )
            loss = self.optimizer.scale_loss(share + penalty)
        slopes = context.hold_back(tape.gradient(loss, [*variables, delta]))
        *gradients, upward = after(self.check_logits(context), slopes)
        self._carry_over(x, delta, upward, batch)
        move_weights(self, gradients, batch.replicas)
        return self.report_training(context, values + point.penalty(), sample_weight)

    def _carry_over(self, x, delta, gradient, batch):
        radius = self.threat_model.radius()
        size = radius if self.step_size is None else self.step_size
        # Where the gradient is not a number a pixel stays as it is.
        move = tf.where(tf.math.is_nan(gradient), tf.zeros_like(gradient), tf.sign(gradient))
        delta = tf.clip_by_value(delta + size * move, -radius, radius)
        if self.clip_to_box:
            delta = to_box(x + delta) - x
        rows, count = self.batch_shape[0], tf.cast(batch.local, tf.int32)
        delta = delta[:count]
        after = rows - batch.offset - count
        ours = tf.pad(delta, [[batch.offset, after], [0, 0], [0, 0], [0, 0]])
        used = tf.reshape(tf.range(rows, dtype=tf.float32) < batch.size, [-1, 1, 1, 1])
        former = tf.convert_to_tensor(self.delta)
        self.delta.assign(tf.where(used, sum_over_replicas(ours), former))
