"""Pictures from report files."""

from tfrobust.plots.curves import plot_curves

__all__ = ["plot_curves"]
