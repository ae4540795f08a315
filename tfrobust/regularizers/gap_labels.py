"""RAT as its reference code computes it: soft labels from a gap of gradients."""

import dataclasses

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.ops.layers import last_dense
from tfrobust.ops.numbers import parse_number
from tfrobust.ops.replicas.global_batch import sum_over_replicas
from tfrobust.ops.replicas.stand_in import mask_stand_in
from tfrobust.ops.schedules import Schedule, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import register


@register
@dataclasses.dataclass(frozen=True)
class GapLabels(Regularizer):
    """RAT's reference code: TRADES plus labels that are smoothed by a statistic of the batch.

    weight * (first + second_weight * second - CE(x)),
    first = 1/2 (KL(R(t - t')[y] || p(x')) + KL(R(t' - t)[y] || p(x)))

    with t = |r|, r_c the gradient of the global batch's mean cross-entropy at x with respect to the
    kernel of the last Dense layer, summed over its inputs,

        r_c = mean over examples of (p_c - 1[y = c]) * sum_i features_i,

    t' the same at x', and R the table of `make_gap_table`. `second` is the same with t = r^2 and, as in
    the code, R(t' - t) in both divergences. The labels are constants. No derivative with respect to
    weights is regularised.

    Use it to reproduce the published numbers of RAT, on `TRADES(..., beta=6)`, with
    `attack_weights=WeightNoise(1e-4, parameters="conv_kernels")`, or with `weight_perturbation=AWP`
    and no noise; otherwise `TaylorTerms`, which computes what the paper defines.

    Args:
        weight: alpha, the paper's eta: 0.2, in [0, 1].
        order: 2, or 1 without `second`.
        second_weight: 0.5; 0.4 as in the code's script for PreActResNet-18.
        reduce_clean_loss: whether the clean cross-entropy gets the factor 1 - weight, as in the
            code; False as in the paper, and on methods without a clean cross-entropy.
        fix_second_order_slip: R(t - t') for the adversarial images in `second`, as the paper's Eq.
            19 asks; the code computes this table and does not use it.

    Raises:
        UserError: for settings outside their ranges, and for a classifier whose last Dense layer
            does not give the logits.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.GapLabels(0.2)
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['gap_labels']

    Reference: Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023, and its
    code. Two training passes in place of eight, so running statistics move less often; the code's
    NaN for a gap without direction is a uniform row here.
    """

    weight: float | Schedule = 0.2
    order: int = 2
    second_weight: float = 0.5
    reduce_clean_loss: bool = True
    fix_second_order_slip: bool = False

    seen_by_weight_perturbation = False
    needs_class = "it reads its row of a table of smoothed labels"
    sums_over_batch = "the gradient of the whole batch's loss"

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0, 1.0)
        self.store(second_weight=parse_number(self.second_weight, "second_weight", 0.0))
        if self.order not in (1, 2) or isinstance(self.order, bool):
            raise UserError(f"`order` must be 1 or 2. Received: order={self.order!r}.")

    def check_classifier(self, classifier: keras.Model) -> None:
        layer = last_dense(classifier)
        shape = getattr(classifier, "output_shape", None) if classifier.built else None
        if (
            layer is None
            or layer.activation is not keras.activations.linear
            or not layer.trainable
            or (shape is not None and layer.units != shape[-1])
        ):
            found = "none" if layer is None else repr(layer.name)
            raise UserError(
                "GapLabels needs a classifier whose last Dense layer is trainable, linear and gives "
                f"the logits. Received: {classifier.name!r}, last Dense layer: {found}."
            )

    @property
    def name(self) -> str:
        return "gap_labels"

    @property
    def parts(self) -> tuple[str, ...]:
        return ("gap_labels_first", "gap_labels_second")[: self.order]

    def prepare(self, context: TermContext) -> None:
        for name in ("clean", "adversarial"):
            context.expect(name, self._ones(context))

    def __call__(self, context: TermContext) -> tf.Tensor:
        y, (clean, adversarial) = context.y, map(context.logits, ("clean", "adversarial"))
        r, r_adv = (self._row_sums(context, name) for name in ("clean", "adversarial"))
        gaps = [tf.abs(r) - tf.abs(r_adv), tf.square(r) - tf.square(r_adv)][: self.order]
        values = []
        for second, (name, gap) in enumerate(zip(self.parts, gaps, strict=True)):
            slip = second and not self.fix_second_order_slip
            labels = tf.gather(make_gap_table(-gap), y)
            labels_adv = labels if slip else tf.gather(make_gap_table(gap), y)
            value = 0.5 * (_divergence(labels_adv, adversarial) + _divergence(labels, clean))
            values.append(context.record(name, value))
        total = values[0]
        if self.order == 2:
            total += self.second_weight * values[1]
        return total - cross_entropy(y, clean) if self.reduce_clean_loss else total

    def _row_sums(self, context, name):
        # The logits' derivative along a kernel of ones is the sum of the features, for every class;
        # forward mode finds it in the shared pass, from the last layer on.
        (derivative,) = context.derivatives(name, self._ones(context))
        logits = context.logits(name)
        label = tf.one_hot(context.y, tf.shape(logits)[-1], dtype=logits.dtype)
        share = tf.reduce_sum((tf.nn.softmax(logits) - label) * derivative, axis=0)
        share = tf.stop_gradient(share / tf.cast(context.batch.size, share.dtype))
        return sum_over_replicas(mask_stand_in(share))

    def _ones(self, context):
        """The direction in which every entry of the last kernel grows alike."""

        def ones():
            kernel = last_dense(context.point.classifier).kernel
            return [tf.ones(v.shape) if v is kernel else None for v in context.point.variables]

        return context.once("ones on the last kernel", ones)


def make_gap_table(gap: tf.Tensor) -> tf.Tensor:
    """Soft labels for every class from a gap of class statistics; constant under a * gap + b, a > 0.

    Row c has 2/C on the diagonal and the rest in proportion to d_j elsewhere, with d = gap - min
    gap. Where d is zero off the diagonal, the rest is uniform.

    Args:
        gap: shape (k,).

    Returns:
        Shape (k, k); rows sum to 1.

    Example:
        >>> make_gap_table(tf.constant([0.0, 1.0, 3.0], tf.float64)).numpy().round(2).tolist()
        [[0.67, 0.08, 0.25], [0.0, 0.67, 0.33], [0.0, 0.33, 0.67]]
    """
    classes = tf.shape(gap)[0]
    others = 1.0 - tf.eye(classes, dtype=gap.dtype)
    d = (gap - tf.reduce_min(gap)) * others
    total = tf.reduce_sum(d, axis=1, keepdims=True)
    count = tf.cast(classes, gap.dtype)
    spread = tf.where(total > 0.0, tf.math.divide_no_nan(d, total), others / (count - 1.0))
    diagonal = 2.0 / count
    return (1.0 - diagonal) * spread + diagonal * (1.0 - others)


def _divergence(labels, logits):
    """KL(labels || softmax(logits)), shape (b,)."""
    log_ratio = tf.math.xlogy(labels, labels) - labels * tf.nn.log_softmax(logits)
    return tf.reduce_sum(log_ratio, axis=-1)
