"""`report.html`: an evaluation on one page that needs nothing else."""

import os
import pathlib

from tfrobust.errors import UserError, one_line
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.runs import files


def write_page(folder: str | os.PathLike) -> pathlib.Path:
    """Writes `report.html` from the other files in the folder of an evaluation, whole or not at all.

    One file without scripts and links that contains its pictures and style, to be sent as it is. All text
    of the other files is escaped.

    Args:
        folder: holds `report.json` and `examples.csv`, and `samples.npz` if there are images.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder holds no report, one of a newer version, or one that was changed.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    >>> evaluation = tfrobust.evaluate(model, data, attack, checks="none", workdir="report")
    >>> tfrobust.evaluation.write_page("report").name
    'report.html'
    """
    from tfrobust.evaluation.reports.page_template import render

    report = ReportFiles.read(folder)
    path = pathlib.Path(folder, "report.html")
    try:
        text = render(report)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder} holds a report.json that no evaluation wrote ({one_line(error, 200)}). "
            "Run the same evaluation again; it writes its reports."
        ) from error
    files.write_text(path, text)
    return path
