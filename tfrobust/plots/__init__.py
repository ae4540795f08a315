"""Pictures drawn from the files of runs and evaluations."""

from tfrobust.plots.accuracies import plot_accuracies
from tfrobust.plots.curves import plot_curves
from tfrobust.plots.sweeps import plot_sweep

__all__ = ["plot_accuracies", "plot_curves", "plot_sweep"]
