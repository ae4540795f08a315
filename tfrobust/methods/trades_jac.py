"""TradesJac: TRADES with a small Jacobian at the clean images."""

import tensorflow as tf

from tfrobust.methods.trades import TRADES
from tfrobust.ops.schedules import at, checked
from tfrobust.regularizers.jacobian import Jacobian
from tfrobust.spec import register


@register
class TradesJac(TRADES):
    """TradesJac.

    mean over examples of CE(x) + s * (alpha * || dz/dx(x) ||_F^2 + beta * KL(p(x), p(x')))

    with s the factor `scale` of the attack's radius, so that alpha and beta grow along with a ramp
    of epsilon, as in ATLAS.

    Use it to see what of ATLAS is the Jacobian's norm: it keeps one-step TRADES from overfitting to its
    step, at a cost that is above ATLAS's.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k). Its
            BatchNormalization must be `tfrobust.models.BatchNormalization`: Keras's own
            differentiates wrongly here.
        attack: `PGD(Linf("8/255"), ToClean(), steps=1, relative_step_size=1.25)`.
        alpha: weight of the Jacobian's norm, at least 0, or a `Schedule`.
        beta: weight of the divergence, at least 0, or a `Schedule`.
        projections, kind: see `Jacobian`.
        **kwargs: see `TRADES`. `scale=LinearRamp(15)` ramps epsilon, alpha and beta.

    Reference: Lu and Kumar, ATLAS, appendix D. Whether the paper's ramp scales alpha and beta is not
    stated; here it does.
    """

    parts = ("label_loss", "jacobian", "divergence")
    watched = ("clean",)
    differentiates_twice = True
    settings = (*TRADES.settings, "alpha", "projections", "kind")

    def __init__(
        self, classifier, attack, *, alpha=2e-4, beta=0.5, projections=1, kind="sphere", **kwargs
    ):
        super().__init__(classifier, attack, beta=beta, **kwargs)
        self.alpha = checked(alpha, "alpha", 0.0)
        self.projections, self.kind = projections, kind
        self._jacobian = Jacobian(1.0, "clean", projections, kind)

    def per_example_loss(self, context):
        label_divergence = self.label_divergence or self.divergence
        label = label_divergence.from_label(context.y, context.logits("clean"))
        context.record("label_loss", label)
        jacobian = context.record("jacobian", self._jacobian(context))
        smoothness = context.record("divergence", self.smoothness(context))
        scale, alpha, beta = (
            tf.cast(at(value, context.epoch), label.dtype)
            for value in (self.scale, self.alpha, self.beta)
        )
        return label + scale * (alpha * jacobian + beta * smoothness)
