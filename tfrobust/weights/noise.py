"""Noise on the weights, Gaussian or of another distribution."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust.ops.numbers import parse_number
from tfrobust.ops.random.keys import BatchKeys
from tfrobust.ops.weight_noise import check_weight_noise, draw_shifts
from tfrobust.spec import register
from tfrobust.weights.base import WeightPerturbation


@register
@dataclasses.dataclass(frozen=True)
class WeightNoise(WeightPerturbation):
    """Moves the weights by Gaussian noise u ~ N(0, sigma^2), one draw a step.

    As `attack_weights` it is RAT's attack: all steps, all images and both predictions of a
    divergence see w + u. As `weight_perturbation` the loss is taken at w + u: the randomised loss
    without expansion, for ablations. A step has one u: given to both, and to
    `regularizers.TaylorTerms` with the same sigma, noise and parameters, it is the same on all
    replicas.

    Args:
        sigma: standard deviation, at least 0. At 0.01 the expansion describes the noisy network no
            more (1e-3 for smooth activations, 1e-4 for ReLU), but the terms have a useful size.
        noise: "absolute"; or "layer_relative", sigma in units of each weight's root mean square,
            for networks whose layers differ much in scale.
        parameters: "kernels", of rank above 1; "conv_kernels", of rank above 2, with sigma 1e-4 as
            in the reference code of RAT; or "all", with biases and BatchNormalization.
        distribution: None for normal noise; or a function from a weight, a tensor, to a distribution of
            TensorFlow Probability whose samples have its shape: u is sigma times a sample. Register it
            (`keras.saving.register_keras_serializable`) where the method is to be saved.

    Example:
        >>> from tfrobust import weights
        >>> noise = weights.WeightNoise(sigma=0.1)
        >>> w = [tf.ones([3, 2]), tf.ones([2])]
        >>> kernel, bias = noise(None, w, tfrobust.ops.random.keys.keys_of(0), tf.constant(0.0))
        >>> kernel.shape, float(tf.norm(bias))
        (TensorShape([3, 2]), 0.0)
        >>> from tensorflow_probability import distributions as tfd
        >>> laplace = lambda weight: tfd.Sample(tfd.Laplace(0.0, 1.0), weight.shape)
        >>> noise = weights.WeightNoise(sigma=0.1, distribution=laplace)

    Reference: Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023. Its code
    goes by names and so leaves out the convolutions of some shortcuts.
    """

    sigma: float = 0.01
    noise: str = "absolute"
    parameters: str = "kernels"
    distribution: Callable[[tf.Tensor], Any] | None = None

    def check(self) -> None:
        self.store(sigma=parse_number(self.sigma, "sigma", 0.0))
        check_weight_noise(self.sigma, self.noise, self.parameters, self.distribution)

    def __call__(
        self,
        loss_at: Callable[[list[tf.Tensor]], tf.Tensor],
        weights: list[tf.Tensor],
        keys: BatchKeys,
        epoch: tf.Tensor,
    ) -> list[tf.Tensor]:
        shifts = draw_shifts(
            weights, keys, self.sigma, self.noise, self.parameters, self.distribution
        )
        return [
            tf.zeros_like(weight) if shift is None else shift
            for weight, shift in zip(weights, shifts, strict=True)
        ]
