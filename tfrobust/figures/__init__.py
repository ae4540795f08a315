"""What figures show of classifiers: losses over planes, local linearity, perturbations."""

from tfrobust.figures.linearity import measure_linearity_errors
from tfrobust.figures.planes import loss_over_plane, random_direction, signed_gradient
from tfrobust.figures.weight_planes import draw_filter_normalised, loss_over_weights

__all__ = [
    "draw_filter_normalised",
    "loss_over_plane",
    "loss_over_weights",
    "measure_linearity_errors",
    "random_direction",
    "signed_gradient",
]
