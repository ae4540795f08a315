"""The reports of an evaluation, in its folder."""

import os
import pathlib
from collections.abc import Callable

import numpy as np

from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.reports import report_files
from tfrobust.evaluation.reports.page import write_page
from tfrobust.evaluation.reports.report_text import format_report
from tfrobust.evaluation.reports.summary import summarize_evaluation
from tfrobust.runs import files, kinds


def write_reports(
    evaluation: Evaluation,
    x: np.ndarray,
    folder: str | os.PathLike,
    keep_images: bool = False,
    curve: dict | None = None,
    model: Callable | None = None,
) -> str:
    """Writes `examples.csv`, `samples.npz`, `report.json`, `report.md` and, of these, `report.html`.

    Each is whole or not there at all. Images that break a certified example go to `contradictions.npz`.

    Args:
        evaluation: `Evaluation` of at least one example.
        x: its clean images, (n, h, w, c).
        folder: new, empty, or of an evaluation.
        keep_images: write the adversarial images of all broken examples to `adversarial.npz`.
        curve: accuracy against the radius, see `summarize_evaluation`.
        model: images to logits, for the classes that the attacks produced in `samples.npz`; None leaves
            them out.

    Returns:
        The text of `report.md`.

    Raises:
        UserError: images are asked for that were not kept, the curve is malformed, or the folder holds
            anything else.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> x, y = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    >>> evaluation = tfrobust.evaluate(model, (x, y), attack, checks="none")
    >>> tfrobust.evaluation.write_reports(evaluation, x, "report").splitlines()[0][:22]
    '# Accuracy under pgd: '
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
    if evaluation.certified is not None and evaluation.adversarial is not None:
        # Chunks that are not held at once wrote their own.
        if len(evaluation.adversarial) == len(evaluation.ids):
            path = folder / report_files.CONTRADICTIONS
            report_files.write_contradictions(path, evaluation, evaluation.certified)
    report_files.write_samples(folder / report_files.SAMPLES, evaluation, x, model)
    report_files.write_table(folder / report_files.TABLE, evaluation)
    files.write_json(folder / report_files.REPORT, report)
    files.write_text(folder / "report.md", text)
    write_page(folder)
    return text
