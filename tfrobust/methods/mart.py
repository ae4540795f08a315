"""MART: adversarial training that looks at misclassified examples more."""

import tensorflow as tf

from tfrobust.losses.boosted import boosted_cross_entropy
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.methods.base import AdversarialModel
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import at, checked
from tfrobust.spec import check_kind, register


@register
class MART(AdversarialModel):
    """Misclassification-aware adversarial training.

    mean over examples of
        -log p_y(x') - log(1 - max over c != y of p_c(x')) + beta * D(p(x), p(x')) * (1 - p_y(x))

    with D the Kullback-Leibler divergence; x' is constant, and gradients flow through both
    arguments of D and through its weight 1 - p_y(x).

    Use it for PGD accuracy at a given budget; clean accuracy pays for it, and its lead is smaller
    under AutoAttack.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: one that climbs the cross-entropy:
            `PGD(Linf("8/255"), steps=10, step_size="2/255", start=Gaussian(0.001))`.
        beta: the paper's lambda, at least 0, or a `Schedule`.
        divergence: `Bregman` of the last term.
        offset: added inside the second logarithm, in [0, 1]. 0 is the paper's formula; the code's
            1e-4 bounds the term at 9.2, for images whose wrong class has probability 1.
        **kwargs: see `AdversarialModel`.

    Reference: Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified
    Examples", 2020. The code's 1e-12 inside logarithms is not needed here.
    """

    parts = ("boosted_loss", "weighted_divergence")
    settings = (*AdversarialModel.settings, "beta", "divergence", "offset")

    def __init__(self, classifier, attack, *, beta=5.0, divergence=Bregman(), offset=0.0, **kwargs):
        super().__init__(classifier, attack, **kwargs)
        check_kind("divergence", divergence, Bregman)
        self.beta = checked(beta, "beta", 0.0)
        self.divergence = divergence
        self.offset = number(offset, "offset", 0.0, 1.0)

    def per_example_loss(self, context):
        clean, adversarial = context.logits("clean"), context.logits("adversarial")
        boosted = boosted_cross_entropy(context.y, adversarial, self.offset)
        context.record("boosted_loss", boosted)
        # 1 - p_y without its rounding to 0.
        doubt = -tf.math.expm1(-cross_entropy(context.y, clean))
        divergence = self.divergence(clean, adversarial) * doubt
        context.record("weighted_divergence", divergence)
        return boosted + tf.cast(at(self.beta, context.epoch), divergence.dtype) * divergence
