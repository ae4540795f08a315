"""Noise on weights: one draw for a step, the same wherever in the step it is used."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import BatchKeys
from tfrobust.ops.uncertainty.probability import load_distributions
from tfrobust.spec import check_kind

SCALES = ("absolute", "layer_relative")
_SMALLEST_RANK = {"kernels": 2, "conv_kernels": 3, "all": 0}


def check_weight_noise(
    sigma: float | str, noise: str, parameters: str, distribution: Any = None
) -> None:
    """Raises `UserError` for arguments that `draw_shifts` does not accept."""
    number(sigma, "sigma", 0.0)
    if distribution is not None and not callable(distribution):
        raise UserError(
            "`distribution` must be None, or a function from a weight to a distribution of its shape: "
            "`lambda weight: tfd.Sample(tfd.Laplace(0.0, 1.0), weight.shape)`. "
            f"Received: distribution={distribution!r}."
        )
    for name, value, known in (
        ("noise", noise, SCALES),
        ("parameters", parameters, tuple(_SMALLEST_RANK)),
    ):
        if value not in known:
            raise UserError(
                f"`{name}` must be one of {', '.join(map(repr, known))}. "
                f"Received: {name}={value!r}."
            )


def draw_shifts(
    weights: Sequence[tf.Tensor],
    keys: BatchKeys,
    sigma: float | str,
    noise: str = "absolute",
    parameters: str = "kernels",
    distribution: Callable[[tf.Tensor], Any] | None = None,
) -> list[tf.Tensor | None]:
    """Noise for every weight: the same for the same keys, with a draw of its own for each weight.

    Args:
        weights: list of tensors.
        keys: `BatchKeys` that are the same on all replicas (`Step.weight_keys`).
        sigma: factor of what is drawn, at least 0: the standard deviation of normal noise.
        noise: "absolute", or "layer_relative" for sigma in units of each weight's root mean square.
        parameters: "kernels" (rank above 1), "conv_kernels" (rank above 2) or "all".
        distribution: function from a weight to a distribution of TensorFlow Probability whose samples have
            its shape; None for the standard normal one.

    Returns:
        List of tensors, constant to any tape, and None for weights that are not changed.

    Raises:
        UserError: `distribution` returns something else, or samples of another shape.
    """
    shifts: list[tf.Tensor | None] = []
    for index, weight in enumerate(weights):
        if weight.shape.rank < _SMALLEST_RANK[parameters]:
            shifts.append(None)
            continue
        own = keys.fold_in(index)
        if distribution is None:
            shift = sigma * own.normal(weight.shape, weight.dtype)
        else:
            shift = sigma * _sample(distribution, tf.stop_gradient(weight), own)
        if noise == "layer_relative":
            shift *= tf.stop_gradient(tf.sqrt(tf.reduce_mean(tf.square(weight))))
        shifts.append(shift)
    return shifts


def _sample(distribution, weight, keys):
    found = distribution(weight)
    check_kind("distribution(weight)", found, load_distributions().Distribution)
    sample = found.sample(seed=keys.seed)
    if sample.shape != weight.shape:
        raise UserError(
            f"`distribution` must draw samples of the weight's shape, {tuple(weight.shape)}. Received: "
            f"samples of shape {tuple(sample.shape)} from {found!r}. Wrap a scalar one: "
            "tfd.Sample(..., weight.shape)."
        )
    return tf.stop_gradient(tf.cast(sample, weight.dtype))
