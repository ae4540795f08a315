"""Pictures from report files."""

from tfrobust.plots.curves import plot_curves
from tfrobust.plots.page import write_page
from tfrobust.plots.report_pictures import draw_report

__all__ = ["draw_report", "plot_curves", "write_page"]
