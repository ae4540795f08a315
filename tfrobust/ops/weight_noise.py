"""Gaussian noise on weights: one draw for a step, the same wherever in the step it is used."""

from collections.abc import Sequence

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import BatchKeys

SCALES = ("absolute", "layer_relative")
_SMALLEST_RANK = {"kernels": 2, "conv_kernels": 3, "all": 0}


def check_weight_noise(sigma: float | str, noise: str, parameters: str) -> None:
    """Raises `UserError` for arguments that `gaussian_shifts` does not accept."""
    number(sigma, "sigma", 0.0)
    for name, value, known in (
        ("noise", noise, SCALES),
        ("parameters", parameters, tuple(_SMALLEST_RANK)),
    ):
        if value not in known:
            raise UserError(
                f"`{name}` must be one of {', '.join(map(repr, known))}. "
                f"Received: {name}={value!r}."
            )


def gaussian_shifts(
    weights: Sequence[tf.Tensor],
    keys: BatchKeys,
    sigma: float | str,
    noise: str = "absolute",
    parameters: str = "kernels",
) -> list[tf.Tensor | None]:
    """Noise for every weight: the same for the same keys, with a draw of its own for each weight.

    Args:
        weights: list of tensors.
        keys: `BatchKeys` that are the same on all replicas (`Step.weight_keys`).
        sigma: standard deviation, at least 0.
        noise: "absolute", or "layer_relative" for sigma in units of each weight's root mean square.
        parameters: "kernels" (rank above 1), "conv_kernels" (rank above 2) or "all".

    Returns:
        List of tensors, constant to any tape, and None for weights that are not changed.
    """
    shifts: list[tf.Tensor | None] = []
    for index, weight in enumerate(weights):
        if weight.shape.rank < _SMALLEST_RANK[parameters]:
            shifts.append(None)
            continue
        shift = sigma * keys.fold_in(index).normal(weight.shape, weight.dtype)
        if noise == "layer_relative":
            shift *= tf.stop_gradient(tf.sqrt(tf.reduce_mean(tf.square(weight))))
        shifts.append(shift)
    return shifts
