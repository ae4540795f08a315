"""The reports of an evaluation, in its folder."""

import pathlib

from tfrobust.evaluation.reports import report_files
from tfrobust.evaluation.reports.report_text import report_text
from tfrobust.evaluation.reports.summary import summarised
from tfrobust.runs import files


def write_reports(evaluation, x, folder, keep_images=False, curve=None):
    """Writes `examples.csv`, `samples.npz`, `report.json` and `report.md`, each whole or not at all.

    `plots.write_page` makes `report.html` of them.

    Args:
        evaluation: `Evaluation` of at least one example.
        x: its clean images, (n, h, w, c).
        folder: an existing folder.
        keep_images: write the adversarial images of all broken examples to `adversarial.npz`.
        curve: accuracy against the radius, see `summarised`.

    Returns:
        The text of `report.md`.

    Raises:
        UserError: images are asked for that were not kept, or the curve is none.
    """
    folder = pathlib.Path(folder)
    report = summarised(evaluation, curve)
    text = report_text(report)
    if keep_images:
        report_files.write_images(folder / report_files.IMAGES, evaluation)
    report_files.write_samples(folder / report_files.SAMPLES, evaluation, x)
    report_files.write_table(folder / report_files.TABLE, evaluation)
    files.write_json(folder / report_files.REPORT, report)
    files.write_text(folder / "report.md", text)
    return text
