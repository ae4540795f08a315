"""The Jacobian of the logits, held small by random projections."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.numbers import integer
from tfrobust.ops.schedules import check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import register

KINDS = ("sphere", "rademacher", "basis")


@register
@dataclasses.dataclass(frozen=True)
class Jacobian(Regularizer):
    """The squared Frobenius norm of the Jacobian of the logits with respect to the pixels, estimated.

    (k / n) sum_{i <= n} || J^T v_i ||^2  with  J = dz/dx of shape (k, pixels)  and v_i drawn
    uniformly from the unit sphere of R^k, for each example anew; its mean is || J ||_F^2.

    Where BatchNormalization normalises by the batch, an image a moves the logits z_b of all images b, and
    J^T v is the gradient of the whole batch's projections with respect to a. Then the kinds differ:

        "sphere" and "rademacher", by their mean:  sum over b of || dz_b/dx_a ||_F^2
        "basis":                                   || sum over b of dz_b/dx_a ||_F^2

    the first without, the second with what the images of a batch do to each other in common. They are
    the same in inference mode and for classifiers that keep images apart.

    Use it alone (`recipes.jac`), or with any method, to keep a classifier smooth around each image. It costs
    a backward pass to the images, which is differentiated again; the forward pass is the method's own.

    Args:
        weight: factor, at least 0.
        point: "clean", "adversarial", or another point that the method forwards.
        projections: n, at least 1. One is usual; more make the estimate less noisy (with one its
            standard deviation is about a fifth of a mean over ten equal singular values), at the same
            cost each.
        kind: "sphere"; "rademacher", v of signs over sqrt(k), of the same mean; or "basis", all k
            unit vectors, the same for all images, instead of random ones: without noise, and k times
            the cost. Use it for tests and for two or three classes; `projections` stays 1 then.
        half: half of the value, as the reference code has it. Use it with coefficients from there.

    Raises:
        UserError: for settings outside of this.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.Jacobian(0.01)
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['jacobian_clean']

    References: Hoffman, Roberts, Yaida, "Robust learning with Jacobian regularization", 2019, whose
    code returns half of it.
    """

    point: str = "clean"
    projections: int = 1
    kind: str = "sphere"
    half: bool = False

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0)
        integer(self.projections, "projections", 1)
        if not isinstance(self.point, str):
            raise UserError(f"`point` must be a name such as 'clean'. Received: {self.point!r}.")
        if self.kind not in KINDS:
            raise UserError(f"`kind` must be one of {KINDS}. Received: {self.kind!r}.")
        if self.kind == "basis" and self.projections != 1:
            raise UserError(
                "`kind` 'basis' takes every class once, so `projections` must stay 1. "
                f"Received: projections={self.projections}."
            )
        if not isinstance(self.half, bool):
            raise UserError(f"`half` must be True or False. Received: {self.half!r}.")

    @property
    def name(self) -> str:
        return f"jacobian_{self.point}"

    @property
    def watched(self) -> tuple[str, ...]:
        return (self.point,)

    @property
    def differentiates_twice(self) -> bool | str:
        return True

    def __call__(self, context: TermContext) -> tf.Tensor:
        logits = context.logits(self.point)
        squares = [
            tf.reduce_sum(tf.square(norms.flat(context.pullback(self.point, v))), axis=1)
            for v in self._vectors(logits, context.step.loss_keys)
        ]
        norm = tf.add_n(squares) / self.projections
        return 0.5 * norm if self.half else norm

    def _vectors(self, logits, keys):
        """Vectors v, each (b, k), of which the mean of v v^T is the unit matrix (for "basis" the sum)."""
        classes = logits.shape[-1]
        if self.kind == "basis":
            return [
                tf.ones_like(logits) * row
                for row in tf.unstack(tf.eye(classes, dtype=logits.dtype))
            ]
        shape = tf.shape(logits)
        draws = [keys.fold_in(i) for i in range(self.projections)]
        if self.kind == "rademacher":
            one = tf.ones([], logits.dtype)
            return [tf.where(key.uniform(shape, logits.dtype) < 0.5, -one, one) for key in draws]
        length = tf.sqrt(tf.cast(classes, logits.dtype))
        return [length * norms.unit_l2(key.normal(shape, logits.dtype)) for key in draws]
