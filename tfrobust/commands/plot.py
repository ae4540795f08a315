"""Draws a picture from the files that runs and evaluations leave.

    python bin/plot.py --output=curves.png runs/trades runs/trades_mer
    python bin/plot.py --figure=accuracies --output=accuracies.png runs/*/evaluation/autoattack_standard

The figure "curves" shows loss, clean and robust validation accuracy against epochs, a line for each run;
"accuracies" clean and robust accuracy, a pair of bars for each evaluation.

Exit status: 0 done; 2 something in the request cannot work.
"""

import io
import pathlib

from absl import flags

from tfrobust.commands.command_line import Command
from tfrobust.errors import UserError

FIGURES = {"curves": "folders of runs", "accuracies": "folders of evaluations"}


def _define(values):
    flags.DEFINE_enum("figure", "curves", list(FIGURES), "What to draw.", flag_values=values)
    flags.DEFINE_string(
        "output",
        "curves.png",
        "Picture to write; its ending says in which format: png, pdf, svg and others.",
        flag_values=values,
    )


def _check(values, folders):
    if not folders:
        raise UserError(
            f"Give the {FIGURES[values.figure]} to draw, such as runs/trades_mer. See --help."
        )


def _run(values, folders):
    from tfrobust.plots import plot_accuracies, plot_curves
    from tfrobust.plots.curves import FORMATS
    from tfrobust.runs import files
    from tfrobust.runs.writable import check_writable

    output = pathlib.Path(values.output)
    ending = output.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise UserError(
            f"--output must end in one of {', '.join(FORMATS)}. Received: --output={values.output}."
        )
    if output.is_dir():
        raise UserError(
            f"{output} is a folder. Give the name of a picture, such as {output}/curves.png."
        )
    check_writable(output.parent, "--output")
    picture = io.BytesIO()
    draw = {"curves": plot_curves, "accuracies": plot_accuracies}[values.figure]
    draw(folders).savefig(picture, format=ending, dpi=150)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(output, picture.getvalue())
    print(f"wrote {output}")


COMMAND = Command(
    "plot",
    __doc__,
    _define,
    _run,
    _check,
    arguments="folders of runs or of evaluations",
    needs_tensorflow=lambda values: False,
)
