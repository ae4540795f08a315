"""The training step that all methods share."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Perturbation
from tfrobust.contract import (
    after,
    check_classifier,
    check_output_shape,
    check_trainable,
    require_logits,
    unpack,
)
from tfrobust.methods import segments
from tfrobust.methods.accumulation import update_in_parts
from tfrobust.methods.arguments import check_names, check_parts, check_weights
from tfrobust.methods.attacked_model import make_attacked_model
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.data_checks import check_labels_of_step
from tfrobust.methods.evaluated import EvaluatedModel
from tfrobust.methods.points import LivePoint, ShiftedPoint, perturbed_inference, shifted_point
from tfrobust.methods.reporting import GRADIENT_NORM
from tfrobust.methods.update import compute_shifted_decay, count_steps_made, move_weights
from tfrobust.methods.wrapper import REPORTED
from tfrobust.ops.random.draws import drawing_under_xla
from tfrobust.ops.random.keys import BatchKeys, seed_pair
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.replicas.stand_in import mask_stand_in, stand_in
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind
from tfrobust.weights.base import WeightPerturbation

# What the random keys of a step are used for.
_ATTACK, _WEIGHTS, _LOSS = 0, 1, 2


class AdversarialModel(EvaluatedModel):
    """Base of all methods: attack, weight point, one tape on the weights, update, logs.

    A method overrides `per_example_loss`, sometimes `perturb`, and names in `parts` what it
    records. The loss that is minimised is the sum over examples of

        sample_weight * (per_example_loss + sum over regularizers of weight * term)

    divided by the size of the global batch, plus what the classifier's layers add themselves
    (kernel_regularizer, activity_regularizer; the latter of the first forward pass).

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k), normalisation
            inside.
        attack: the `Attack` that makes the training points.
        regularizers: list of `Regularizer`.
        weight_perturbation: `WeightPerturbation` such as `AWP(5e-3)`, at which the loss is taken, or
            None.
        attack_weights: `WeightPerturbation` such as weight noise, at which the attack sees the
            classifier in inference mode, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule` (a ramp of
            epsilon).
        eval_attack: the `Attack` of `evaluate` and of validation in `fit`, reported as
            `robust_accuracy`; or None for clean accuracy only. Its noise depends on the image and
            `seed`, not on the batch.
        attack_statistics: how BatchNormalization normalises during the attack: "running" averages
            (the default), by the "batch" as in training, moving the averages with every step of the
            attack as some reference codes do, or "batch_frozen", by the batch without moving them
            (with `tfrobust.models.BatchNormalization`). Dropout follows: off with "running".
        seed: whole number; the seed of training and validation.
        name: of the Keras model.

    Raises:
        UserError: if a part is not of its kind.

    Example:
        >>> from tfrobust import Linf, attacks, losses, methods, models
        >>> class CleanAndAdversarial(methods.AdversarialModel):
        ...     def per_example_loss(self, context):
        ...         y = context.y
        ...         logits = context.logits("clean"), context.logits("adversarial")
        ...         return losses.CrossEntropy()(y, logits[0]) + losses.CrossEntropy()(y, logits[1])
        >>> method = CleanAndAdversarial(models.digits_cnn(), attacks.fgsm_rs(Linf(0.1)))
        >>> method.settings[:3]
        ('classifier', 'attack', 'regularizers')
    """

    parts: ClassVar[tuple[str, ...]] = ()
    # Points at which the method asks for `StepContext.pullback`.
    watched: ClassVar[tuple[str, ...]] = ()
    # Whether the loss contains derivatives, so that training differentiates twice: True, or
    # "inference" where only passes in inference mode are differentiated so.
    differentiates_twice: bool | str = False
    # What of the loss needs one class for each image, in words; "" if it is defined for soft labels too.
    needs_class = ""
    # What of the whole batch the loss needs, in words, so that no part of a batch has it; "" for nothing.
    sums_over_batch = ""

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack | None,
        *,
        regularizers: Sequence[Regularizer] = (),
        weight_perturbation: WeightPerturbation | None = None,
        attack_weights: WeightPerturbation | None = None,
        scale: float | Schedule = 1.0,
        eval_attack: Attack | None = None,
        attack_statistics: str = "running",
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        check_classifier(classifier)
        regularizers = tuple(regularizers)
        check_kind("attack", attack, Attack, optional="attack" not in self.settings)
        check_kind("eval_attack", eval_attack, Attack, optional=True)
        check_weights(weight_perturbation, attack_weights, attack_statistics)
        twice = check_parts(self, classifier, regularizers)
        names = check_names(self, regularizers, (*REPORTED, GRADIENT_NORM))
        super().__init__(classifier, names, seed, name)
        self.attack: Attack = attack  # type: ignore[assignment]
        self.second_derivatives = twice
        self.regularizers = regularizers
        self.weight_perturbation = weight_perturbation
        self.attack_weights = attack_weights
        self.scale = check_schedule(scale, "scale", 0.0, 1.0)
        self.eval_attack = eval_attack
        if eval_attack is not None:
            self.evaluated = ("accuracy", "robust_accuracy")
        self.attack_statistics = attack_statistics
        self._attacked_model = make_attacked_model(classifier, attack_statistics)

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        """The method's loss, shape (b,), from a `StepContext`. Regularizers are added by the step."""
        raise NotImplementedError(f"{type(self).__name__} does not define its loss.")

    def perturb(self, step: Step) -> tuple[Perturbation, dict[str, tf.Tensor]]:
        """The adversary of a `Step`: its `Perturbation`, and the images at each named point."""
        # Images and labels have passed the door of the step.
        perturbation = self.attack.perturb(
            self.attacked(step),
            step.x,
            step.y,
            step.attack_keys,
            at(self.scale, step.epoch),
            step.epoch,
        )
        return perturbation, {"clean": step.x, "adversarial": perturbation.x}

    def attacked(self, step: Step) -> Callable[[tf.Tensor], tf.Tensor]:
        """The model or function that the attack of a `Step` sees."""
        if self.attack_weights is None:
            return self._attacked_model
        return perturbed_inference(
            self.classifier, self.attack_weights, step.weight_keys, step.epoch
        )

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        with (
            drawing_under_xla(self.jit_compile),
            segments.running(self.segments),
            stand_in(*unpack(data, self.classifier)) as batch,
        ):
            return self.update(*batch)

    def update(
        self, x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """A training step on a checked batch of at least one row; the numbers that are logged."""
        step = self._begin(x, y)
        if self.accumulation_steps > 1:
            return update_in_parts(self, step, sample_weight)
        batch = step.batch
        perturbation, points = self.perturb(step)

        def loss_at(point, regularizers=self.regularizers):
            return self.loss_at(point, step, points, perturbation, sample_weight, regularizers)

        make_point = self.choose_point(
            step, lambda w, seen: loss_at(ShiftedPoint(self.classifier, w), seen)[0]
        )
        with tf.GradientTape() as tape:
            point = make_point()
            share, penalty, values, context = loss_at(point)
            decay = tf.cast(compute_shifted_decay(self.optimizer, point), penalty.dtype)
            loss = self.optimizer.scale_loss(share + penalty + decay / batch.replicas)
        variables = self.classifier.trainable_variables
        gradients = context.hold_back(tape.gradient(loss, variables))
        gradients = after(self.check_logits(context), gradients)
        move_weights(self, gradients, batch.replicas)
        point.commit()
        return self.report_training(context, values + point.penalty(), sample_weight)

    def loss_at(self, point, step, points, perturbation, sample_weight, regularizers):
        """This replica's shares of the loss and of the penalty, values per example, their context."""
        watched = {name for part in (self, *self.regularizers) for name in part.watched}
        context = StepContext(point, step, points, perturbation, watched, tuple(self.means.names()))
        values = self._per_example_total(context, regularizers)
        if sample_weight is not None:
            values *= tf.cast(sample_weight, values.dtype)
        share = tf.reduce_sum(mask_stand_in(values)) / tf.cast(step.batch.size, values.dtype)
        return share, tf.cast(point.penalty(step.batch), values.dtype), values, context

    def _per_example_total(self, context, regularizers):
        for regularizer in regularizers:
            regularizer.prepare(context)
        total = context.evaluate(self, self.per_example_loss)
        for regularizer in regularizers:
            term = context.record(
                regularizer.name, context.evaluate(regularizer, regularizer.__call__)
            )
            total += tf.cast(at(regularizer.weight, context.epoch), term.dtype) * term
        return total

    def _begin(self, x, y):
        check_trainable(self.classifier)
        check_labels_of_step(self, y)
        with tf.init_scope():
            self.check_clock()
        self.remember_inputs(x)
        batch, epoch, number = global_batch(x), self.epoch(), self.clock.tick()
        keys = BatchKeys(seed_pair(self.seed), batch.offset).fold_in(number)
        weight_keys = BatchKeys(keys.fold_in(_WEIGHTS).seed)
        attack_keys, loss_keys = keys.fold_in(_ATTACK), keys.fold_in(_LOSS)
        return Step(x, y, batch, epoch, number, attack_keys, loss_keys, weight_keys)

    def choose_point(self, step, share_at):
        """A function that makes the point in weight space; `share_at(tensors, regularizers)` is the loss."""
        if self.weight_perturbation is None:
            return lambda: LivePoint(self.classifier)
        seen = [r for r in self.regularizers if r.seen_by_weight_perturbation]
        return shifted_point(
            self.classifier,
            self.weight_perturbation,
            lambda tensors: share_at(tensors, seen),
            step.weight_keys,
            step.epoch,
        )

    def check_logits(self, context):
        """Looks at the first step's logits: whether they are probabilities only numbers may show."""
        logits = next(iter(context.computed().values()), None)
        if logits is None:
            return None
        check_output_shape(logits.shape)
        return require_logits(logits, when=tf.equal(count_steps_made(self.optimizer), 0))
