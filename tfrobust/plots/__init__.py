"""Pictures drawn from the files of runs and evaluations."""

from tfrobust.plots.accuracies import plot_accuracies
from tfrobust.plots.bounds import plot_bounds
from tfrobust.plots.curves import plot_curves
from tfrobust.plots.epochs import plot_epochs
from tfrobust.plots.epsilon_curves import plot_epsilon_curves
from tfrobust.plots.histograms import plot_histograms
from tfrobust.plots.perturbations import plot_perturbations
from tfrobust.plots.rows import plot_rows
from tfrobust.plots.surfaces import plot_surfaces
from tfrobust.plots.sweeps import plot_sweep
from tfrobust.plots.trade_offs import plot_trade_off

__all__ = [
    "plot_accuracies",
    "plot_bounds",
    "plot_curves",
    "plot_epochs",
    "plot_epsilon_curves",
    "plot_histograms",
    "plot_perturbations",
    "plot_rows",
    "plot_surfaces",
    "plot_sweep",
    "plot_trade_off",
]
