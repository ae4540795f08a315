"""Training by bounds: a classifier of which robustness can be proven."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.bounds.arithmetic import TRAINING
from tfrobust.bounds.interval import Interval
from tfrobust.bounds.margins import bound_margins
from tfrobust.bounds.network import read_network
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import Step, StepContext
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.linf import Linf


@register
class CertifiedTraining(AdversarialModel):
    """Training on bounds of the logits over the threat model: IBP, and CROWN-IBP with `crown` above 0.

    mean over examples of kappa * CE(x) + (1 - kappa) * CE(worst)

    where worst_j is an upper bound of z_j - z_y over all images of the threat model: of interval bounds and,
    by the share `crown`, of linear ones: worst = crown * worst_CROWN + (1 - crown) * worst_IBP.

    Use it for a classifier that `certify` can prove something of at its radius; it is less accurate than one
    of adversarial training, whose robustness only attacks can tell. There is no attack. Start from a
    radius of 0 and kappa of 1 and let both move slowly: bounds of a large radius teach nothing at first.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k), of layers that
            `bounds.read_network` knows, best without BatchNormalization: bounds use its running averages.
        threat_model: `Linf`.
        kappa: weight of the clean loss, in [0, 1], or a `Schedule`: `LinearRamp(60, begin=1, end=0.5)`.
        crown: share of linear bounds in [0, 1], or a `Schedule`: `LinearRamp(60, begin=1, end=0)`; 0
            for IBP alone, which saves k passes a step.
        regularizers: sequence of `Regularizer` of the clean images; their weighted terms are added.
        scale: factor of the radius, a number in [0, 1] or a `Schedule` (the ramp of epsilon).
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Raises:
        UserError: a layer has no rule for bounds, or the threat model is of another norm.

    Example:
        >>> from tfrobust import LinearRamp, Linf, methods, models
        >>> classifier = models.digits_cnn(batch_normalization=False)
        >>> ramps = {"scale": LinearRamp(30), "kappa": LinearRamp(30, begin=1.0, end=0.5)}
        >>> method = methods.CertifiedTraining(classifier, Linf(0.1), **ramps)
        >>> method.compile("adam")  # and method.fit(dataset)
        >>> method.parts
        ('label_loss', 'bound_loss')

    References: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably
    Robust Models", 2018; Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust Neural
    Networks", 2019 (CROWN-IBP). Here kappa is the weight of the clean loss, as in the former.
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss", "bound_loss")

    needs_class = "the margins to the other classes, of which it bounds the worst"

    def __init__(
        self,
        classifier: keras.Model,
        threat_model: ThreatModel,
        *,
        kappa: float | Schedule = 0.5,
        crown: float | Schedule = 0.0,
        regularizers: Sequence[Regularizer] = (),
        scale: float | Schedule = 1.0,
        eval_attack: Attack | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            None,
            regularizers=regularizers,
            scale=scale,
            eval_attack=eval_attack,
            seed=seed,
            name=name,
        )
        check_kind("threat_model", threat_model, ThreatModel)
        if not isinstance(threat_model, Linf):
            raise UserError(
                f"Bounds for training are of boxes: Linf. Received: threat_model={threat_model!r}."
            )
        self.threat_model = threat_model
        self.kappa = check_schedule(kappa, "kappa", 0.0, 1.0)
        self.crown = check_schedule(crown, "crown", 0.0, 1.0)
        # A sequential model without an input is built by the first batch only.
        if classifier.built or not isinstance(classifier, keras.Sequential):
            read_network(classifier, for_proof=False)

    def perturb(  # type: ignore[override]
        self, step: Step
    ) -> tuple[None, dict[str, tf.Tensor]]:
        return None, {"clean": step.x}

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        divergence = Bregman()
        label = context.record(
            "label_loss", divergence.from_label(context.y, context.logits("clean"))
        )
        worst = -self.bound_margins(context)
        bound = context.record("bound_loss", divergence.from_label(context.y, worst))
        kappa = tf.cast(at(self.kappa, context.epoch), label.dtype)
        return kappa * label + (1.0 - kappa) * bound

    def bound_margins(self, context: StepContext) -> tf.Tensor:
        """Lower bounds of z_y - z_j over the images of the threat model, (b, k)."""
        # In the precision of the classifier, which may be above that of its images.
        x = tf.cast(context.x("clean"), context.logits("clean").dtype)
        radius = tf.cast(self.threat_model.radius(at(self.scale, context.epoch)), x.dtype)
        network = read_network(self.classifier, for_proof=False)
        box = Interval(tf.maximum(x - radius, 0.0), tf.minimum(x + radius, 1.0))
        arithmetic = dataclasses.replace(TRAINING, dtype=x.dtype.name)
        boxes, errors = network.propagate(box, arithmetic)

        def bound(to_images):
            return bound_margins(network, boxes, errors, context.y, arithmetic, to_images)

        if self.crown == 0.0:
            return bound(False)
        share = tf.cast(at(self.crown, context.epoch), x.dtype)
        return share * bound(True) + (1.0 - share) * bound(False)
