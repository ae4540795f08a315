"""LLR: a loss that is linear around every image."""

import warnings
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.compat import all_layers
from tfrobust.errors import UserError
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.linearity import inner_product
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.checks import is_stock_batch_normalization
from tfrobust.methods.context import Step, StepContext
from tfrobust.ops.half_precision import inner_scale, scale_gradients
from tfrobust.ops.layers import kinked_layer
from tfrobust.ops.logits import full_precision
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.ops.statistics import capture_statistics, impose_statistics
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import register
from tfrobust.weights.base import WeightPerturbation


@register
class LLR(AdversarialModel):
    """Local linearity regularisation.

    mean over examples of w_nom * l(x) + lam * |e(d)| + mu * |d . grad l(x)|

    with l the cross-entropy, e(d) = l(x + d) - l(x) - d . grad l(x), and d the perturbation that the
    attack found to make |e| large, constant and the same in both terms. Gradients flow through
    l(x), l(x + d) and grad l(x), so that training differentiates twice.

    Use it where attacks are to stay cheap: a few steps on |e| suffice where adversarial training with
    as few would hide its gradients; and with smooth activations ("softplus"), since a piecewise
    linear network has a grad l that jumps.

    The clean batch's statistics normalise every pass: BatchNormalization captures them in the clean
    pass and imposes them on the attack's passes, on the one at x + d and on the one whose gradient is
    taken. They are constant in the attack. In the loss they are not: weights move them, and grad l(x)
    contains what an image does to its batch. Only the clean pass moves the running averages. Dropout
    is active in the clean pass only.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k), with
            `tfrobust.models.BatchNormalization` if any.
        attack: one that climbs `LinearityError()` from a start off the clean image, by Adam, whose
            learning rate is `step_size`: `PGD(Linf("8/255"), LinearityError(), steps=10,
            step_size=0.1, stepper=Adam())`.
        lam: weight of |e|, at least 0, or a `Schedule`.
        mu: weight of |d . grad l|, at least 0, or a `Schedule`. The code and the tables of the
            supplement give a smoothing s in its place: mu = lam * s.
        w_nom: weight of the clean cross-entropy, at least 0, or a `Schedule`.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule`; the
            paper ramps it over 15 epochs.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Raises:
        UserError: for a trainable keras.layers.BatchNormalization, which cannot be normalised by the
            statistics of another pass.

    Example:
        >>> from tfrobust import Linf, attacks, losses, methods, models
        >>> stepper, error = attacks.Adam(), losses.LinearityError()
        >>> attack = attacks.PGD(Linf("8/255"), error, step_size=0.1, stepper=stepper)
        >>> classifier = models.digits_cnn(activation="softplus")
        >>> methods.LLR(classifier, attack).parts
        ('label_loss', 'linearity_error', 'linear_change')

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, CIFAR-10's
    WRN-28-8 as default: lam 4, s 0.5. Algorithm 1 there writes a minus sign and no absolute value;
    ascent on |e| is meant.
    """

    parts = ("label_loss", "linearity_error", "linear_change")
    differentiates_twice = True

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        lam: float | Schedule = 4.0,
        mu: float | Schedule = 2.0,
        w_nom: float | Schedule = 2.0,
        regularizers: Sequence[Regularizer] = (),
        weight_perturbation: WeightPerturbation | None = None,
        scale: float | Schedule = 1.0,
        eval_attack: Attack | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            attack,
            regularizers=regularizers,
            weight_perturbation=weight_perturbation,
            scale=scale,
            eval_attack=eval_attack,
            seed=seed,
            name=name,
        )
        for layer in all_layers(classifier):
            if is_stock_batch_normalization(layer) and layer.trainable:
                raise UserError(
                    f"Layer {layer.name!r}, a keras.layers.BatchNormalization, cannot be normalised by "
                    "the clean batch's statistics in other passes, as LLR needs. Use "
                    "tfrobust.models.with_exact_batch_normalization(classifier), which keeps the weights."
                )
        kinked = kinked_layer(classifier)
        if kinked:
            warnings.warn(
                f"Layer {kinked!r} is piecewise linear: the input gradient in LLR's loss jumps, and |e| is "
                "not smooth. Use activation='softplus', as the paper does.",
                stacklevel=2,
            )
        self.lam = check_schedule(lam, "lam", 0.0)
        self.mu = check_schedule(mu, "mu", 0.0)
        self.w_nom = check_schedule(w_nom, "w_nom", 0.0)

    def attacked(self, step: Step) -> Callable[[tf.Tensor], tf.Tensor]:
        with capture_statistics(update=False) as captured:
            self.classifier(step.x, training=False)
        forward = _imposed(lambda x: full_precision(self.classifier(x, training=False)), captured)
        return scale_gradients(forward, self.classifier)

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        x, y = context.x("clean"), context.y
        delta = context.x("adversarial") - x
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            with capture_statistics() as captured:
                label = context.record("label_loss", cross_entropy(y, context.logits("clean")))
            forward = _imposed(lambda x: context.point.forward(x, training=False), captured)
            clean = cross_entropy(y, forward(x))
            scale = inner_scale(self.classifier)
            total = tf.reduce_sum(clean) * scale
        slope = tape.gradient(total, x, unconnected_gradients="zero") / scale
        linear = inner_product(delta, slope)
        error = tf.abs(cross_entropy(y, forward(x + delta)) - clean - linear)
        error = context.record("linearity_error", error)
        change = context.record("linear_change", tf.abs(linear))
        lam, mu, w_nom = (
            tf.cast(at(weight, context.epoch), label.dtype)
            for weight in (self.lam, self.mu, self.w_nom)
        )
        return w_nom * label + lam * error + mu * change


def _imposed(forward, captured):
    """`forward`, normalised by the statistics that another pass has captured."""

    def imposed(x):
        with impose_statistics(captured):
            return forward(x)

    return imposed
