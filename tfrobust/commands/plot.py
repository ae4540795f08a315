"""Draws the learning curves of runs.

    python bin/plot.py --output=curves.png runs/trades runs/trades_mer

Exit status: 0 done; 2 something in the request cannot work.
"""

import io
import pathlib

from absl import flags

from tfrobust.commands.command_line import Command
from tfrobust.errors import UserError


def _define(values):
    flags.DEFINE_string(
        "output",
        "curves.png",
        "Picture to write; its ending says in which format: png, pdf, svg and others.",
        flag_values=values,
    )


def _check(values, folders):
    if not folders:
        raise UserError("Give the folders of one or more runs, such as runs/trades_mer.")


def _run(values, folders):
    from tfrobust.plots import plot_curves
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
    plot_curves(folders).savefig(picture, format=ending, dpi=150)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(output, picture.getvalue())
    print(f"wrote {output}")


COMMAND = Command("plot", __doc__, _define, _run, _check, arguments="folders of runs")
