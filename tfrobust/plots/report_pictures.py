"""The pictures of an evaluation as files of their own."""

import io
import pathlib

from tfrobust import files
from tfrobust.plots import report_figures
from tfrobust.plots.report_files import ReportFiles


def draw_report(folder, output=None, dpi=150):
    """Writes a PNG file for each picture that the report of an evaluation has something for.

    Use it for papers and slides; `write_page` puts the same ones on one page.

    Args:
        folder: of the evaluation.
        output: where to write, an existing folder; the evaluation's own if None.
        dpi: dots per inch.

    Returns:
        The paths that were written, some of accuracy_by_epsilon.png, accuracy_by_step.png,
        accuracy_by_query.png, distances.png and images.png.

    Raises:
        UserError: the folder holds no report, or one of a newer version.
    """
    report, written = ReportFiles.read(folder), []
    draws = {**report_figures.PICTURES, "images": report_figures.images}
    for name, draw in draws.items():
        figure = draw(report)
        if figure is not None:
            written.append(pathlib.Path(output or folder, f"{name}.png"))
            files.write_bytes(written[-1], _png(figure, dpi))
    return written


def _png(figure, dpi):
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()
