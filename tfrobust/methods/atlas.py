"""ATLAS: adversarial training with a locally linear and a locally flat classifier."""

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.adv import ADV
from tfrobust.ops.schedules import Schedule, at, checked
from tfrobust.regularizers.jacobian import Jacobian
from tfrobust.spec import check_kind, register


@register
class ATLAS(ADV):
    """ATLAS, one-step and multi-step; ATLAS-l with `beta=0`, ATLAS-g with `alpha=0`.

    mean over examples of CE(x') + s * (alpha * || dz/dx(x') ||_F^2 + beta * KL(p(x'), p(x)))

    with s the factor `scale` of the attack's radius, so that alpha and beta grow along with a ramp
    of epsilon. The divergence begins at the adversarial prediction, the reverse of TRADES, and
    gradients flow through both of its arguments; x' is constant. One forward pass at x' serves all
    three terms. A term of weight 0 is not computed, nor the pass at x for beta = 0.

    Use it for one-step training that does not overfit to its step: the Jacobian's norm keeps the loss
    linear enough for one step to find the worst point. It needs alpha: ATLAS-g overfits, and a
    larger beta wants a larger alpha.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k). Its
            BatchNormalization must be `tfrobust.models.BatchNormalization` unless alpha is 0: Keras's
            own differentiates wrongly here.
        attack: `PGD(Linf("8/255"), steps=1, relative_step_size=1.25)`, or ten steps of 0.007.
        alpha: weight of the Jacobian's norm, at least 0, or a `Schedule`. CIFAR: 2e-4 with one step, 1e-4
            with ten; MNIST: 1e-5 and 5e-6.
        beta: weight of the divergence, at least 0, or a `Schedule`. CIFAR: 5 (CIFAR-100 with ten steps
            10); MNIST: 0.3, with twenty steps 0.2.
        projections, kind: see `Jacobian`.
        smoothness_divergence: `Bregman` of the term with beta.
        clipping: `LossClipping` of squared errors, or None: "total" clips all of the formula above, the
            Jacobian's norm included, "divergence" the divergence before its weight.
        **kwargs: see `ADV`. The paper ramps epsilon: `scale=LinearRamp(15)`.

    Reference: Lu and Kumar, ATLAS. What the paper leaves open: the attack in inference mode, the loss
    in training mode, clean and adversarial images forwarded separately, the Jacobian by the
    adversarial pass.
    """

    clipped_terms = ("total", "divergence")
    settings = (
        *ADV.settings,
        "alpha",
        "beta",
        "projections",
        "kind",
        "smoothness_divergence",
    )

    def __init__(
        self,
        classifier,
        attack,
        *,
        alpha=2e-4,
        beta=5.0,
        projections=1,
        kind="sphere",
        smoothness_divergence=Bregman(),
        **kwargs,
    ):
        check_kind("smoothness_divergence", smoothness_divergence, Bregman)
        # Before the base class asks which parts there are.
        self.alpha = checked(alpha, "alpha", 0.0)
        self.beta = checked(beta, "beta", 0.0)
        self.projections, self.kind = projections, kind
        self.smoothness_divergence = smoothness_divergence
        self._jacobian = Jacobian(1.0, "adversarial", projections, kind)
        super().__init__(classifier, attack, **kwargs)
        if self.clipping is not None and _is_used(self.beta):
            self.clipping.check_divergence(smoothness_divergence)
        elif self.clipping is not None and self.clipping.term == "divergence":
            raise UserError(f"With beta=0 there is no divergence to clip: {self.clipping!r}.")

    @property
    def parts(self):
        optional = {"jacobian": self.alpha, "divergence": self.beta}
        return ("label_loss", *(name for name, weight in optional.items() if _is_used(weight)))

    @property
    def watched(self):
        return ("adversarial",) if _is_used(self.alpha) else ()

    @property
    def differentiates_twice(self):
        return _is_used(self.alpha)

    def total(self, context, label):
        loss, scale = label, at(self.scale, context.epoch)
        if _is_used(self.alpha):
            jacobian = context.record("jacobian", self._jacobian(context))
            loss += tf.cast(scale * at(self.alpha, context.epoch), loss.dtype) * jacobian
        if _is_used(self.beta):
            logits = context.logits("adversarial"), context.logits("clean")
            divergence = context.record("divergence", self.smoothness_divergence(*logits))
            divergence = self.clipped("divergence", divergence, logits[0])
            loss += tf.cast(scale * at(self.beta, context.epoch), loss.dtype) * divergence
        return loss


def _is_used(weight):
    return isinstance(weight, Schedule) or weight != 0.0
