"""JAC: natural training with a small Jacobian."""

import tensorflow as tf

from tfrobust.methods.natural import Natural
from tfrobust.ops.schedules import at, checked
from tfrobust.regularizers.jacobian import Jacobian
from tfrobust.spec import register


@register
class JAC(Natural):
    """Zero-step JAC: the loss and the Jacobian's norm at the clean images, no attack.

    mean over examples of CE(x) + alpha * || dz/dx ||_F^2, the norm estimated by random projections.

    Use it where no attack is affordable, and as the zero-step baseline of ATLAS. It is robust to small
    perturbations only.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k). Its
            BatchNormalization must be `tfrobust.models.BatchNormalization`: Keras's own differentiates
            wrongly here.
        alpha: weight of the norm, at least 0, or a `Schedule`. The paper's 0.5 for JAC and 1e-5 to
            2e-4 for ATLAS are not explained by the formula: choose it on validation data, with
            an eye on `jacobian` in the logs.
        projections, kind: see `Jacobian`.
        **kwargs: see `Natural`.

    References: Hoffman et al., 2019; as the baseline of ATLAS. Whether the paper has half the
    norm, and its space, are not stated: the whole norm, pixels in [0, 1], in training mode, on the
    loss's own forward pass.
    """

    parts = ("label_loss", "jacobian")
    watched = ("clean",)
    differentiates_twice = True
    settings = (*Natural.settings, "alpha", "projections", "kind")

    def __init__(self, classifier, *, alpha=0.5, projections=1, kind="sphere", **kwargs):
        super().__init__(classifier, **kwargs)
        self.alpha = checked(alpha, "alpha", 0.0)
        self.projections, self.kind = projections, kind
        self._jacobian = Jacobian(1.0, "clean", projections, kind)

    def per_example_loss(self, context):
        loss = super().per_example_loss(context)
        jacobian = context.record("jacobian", self._jacobian(context))
        return loss + tf.cast(at(self.alpha, context.epoch), jacobian.dtype) * jacobian
