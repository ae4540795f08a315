"""The reports of an evaluation, in its folder."""

import pathlib

from tfrobust.evaluation.reports import report_files
from tfrobust.evaluation.reports.report_text import format_report
from tfrobust.evaluation.reports.summary import summarize_evaluation
from tfrobust.runs import files, kinds


def write_reports(evaluation, x, folder, keep_images=False, curve=None):
    """Writes `examples.csv`, `samples.npz`, `report.json` and `report.md`, each whole or not at all.

    `plots.write_page` makes `report.html` of them.

    Args:
        evaluation: `Evaluation` of at least one example.
        x: its clean images, (n, h, w, c).
        folder: new, empty, or of an evaluation.
        keep_images: write the adversarial images of all broken examples to `adversarial.npz`.
        curve: accuracy against the radius, see `summarize_evaluation`.

    Returns:
        The text of `report.md`.

    Raises:
        UserError: images are asked for that were not kept, the curve is none, or the folder holds
            anything else.
    """
    folder = pathlib.Path(folder)
    known = kinds.check_ours(folder, kinds.EVALUATION)
    report = summarize_evaluation(evaluation, curve)
    text = format_report(report)
    folder.mkdir(parents=True, exist_ok=True)
    if not known:
        fingerprint = {"suite": evaluation.suite_hash, "seed": evaluation.seed}
        files.write_json(folder / kinds.EVALUATION.marker, {"fingerprint": fingerprint})
    if keep_images:
        report_files.write_images(folder / report_files.IMAGES, evaluation)
    report_files.write_samples(folder / report_files.SAMPLES, evaluation, x)
    report_files.write_table(folder / report_files.TABLE, evaluation)
    files.write_json(folder / report_files.REPORT, report)
    files.write_text(folder / "report.md", text)
    return text
