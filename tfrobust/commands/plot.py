"""Draws a figure, with its numbers beside it as CSV.

    python bin/plot.py curves --output=curves.png runs/trades runs/trades_mer
    python bin/plot.py accuracies --output=accuracies.pdf runs/*/evaluation/autoattack_standard
    python bin/plot.py loss_landscape --output=landscape.png runs/natural runs/trades_mer

FIGURES
Arrays that take passes of models are kept beside the picture (.npz): drawing again costs nothing as long as
models, data and settings are the same.

Exit status: 0 done; 2 something in the request cannot work.
"""

import csv
import io
import pathlib
import sys

from absl import flags

from tfrobust.commands.start.command_line import Command
from tfrobust.errors import UserError
from tfrobust.figures.catalogue import FIGURES, find_figure

# What matplotlib writes without other programs.
FORMATS = (
    "png",
    "pdf",
    "svg",
    "svgz",
    "eps",
    "ps",
    "jpg",
    "jpeg",
    "tif",
    "tiff",
    "webp",
    "raw",
    "rgba",
)


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_string(
        "output",
        None,
        "Picture to write, such as curves.png, .svg or .pdf. Default: NAME.png.",
        **given,
    )
    flags.DEFINE_string(
        "data",
        None,
        "Of figures of models: digits, a TFDS name, or .npz. Default: the run's.",
        **given,
    )
    flags.DEFINE_string("data_dir", None, "Where prepared TFDS data sets are.", **given)
    flags.DEFINE_enum("norm", None, ["Linf", "L2", "L1"], "Default: the run's, or Linf.", **given)
    flags.DEFINE_string("epsilon", None, "Radius, such as 8/255. Default: the run's.", **given)
    flags.DEFINE_integer("example", None, "Id of the test image of a landscape.", **given)
    flags.DEFINE_integer("examples", 1000, "Images of a histogram and the like.", 1, **given)
    flags.DEFINE_integer("points", 41, "Places along each axis of a landscape.", 2, 1001, **given)
    flags.DEFINE_float("extent", 1.0, "Half the width of a landscape, in its unit.", 1e-6, **given)
    flags.DEFINE_integer("seed", 0, "Seed of directions and attacks.", 0, **given)
    flags.DEFINE_bool("trust", False, "Load models that contain code. Read it first.", **given)


def _check(values, arguments):
    name, *paths = arguments or [""]
    if name not in FIGURES:
        raise UserError(
            f"Which figure? Give one of {', '.join(FIGURES)}. Received: {name!r}. See --help."
        )
    if not paths:
        raise UserError(
            f"The figure {name} is drawn from {FIGURES[name].paths}: give their paths. See --help."
        )
    for path in paths:
        if not pathlib.Path(path).exists():
            raise UserError(f"There is no {path}. Give {FIGURES[name].paths}.")
    output = _choose_output(values, name)
    if output.suffix.removeprefix(".").lower() not in FORMATS:
        raise UserError(
            f"--output must end in one of {', '.join(FORMATS)}. Received: --output={output}."
        )
    if output.is_dir():
        raise UserError(
            f"{output} is a folder. Give the name of a picture, such as {output}/{name}.png."
        )


def _run(values, arguments):
    from tfrobust.commands.start.command_line import use_data_dir
    from tfrobust.figures.request import Request
    from tfrobust.runs import files
    from tfrobust.runs.bar import Bar
    from tfrobust.runs.writable import check_writable

    name, *paths = arguments
    output = _choose_output(values, name)
    check_writable(output.parent, "--output")
    bar = Bar(sys.stdout)
    request = Request(
        tuple(paths),
        output,
        values.data,
        values.norm,
        values.epsilon,
        values.example,
        values.examples,
        values.points,
        values.extent,
        values.seed,
        _Progress(bar),
        values.trust,
    )
    with use_data_dir(values.data_dir):
        drawn = find_figure(name)(request)
    bar.close()
    picture = io.BytesIO()
    drawn.figure.savefig(picture, format=output.suffix.removeprefix(".").lower(), dpi=200)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(output, picture.getvalue())
    numbers = output.with_suffix(".csv")
    files.write_text(numbers, _format_csv(drawn))
    print(f"wrote {output} and {numbers}")


class _Progress:
    """Shows a share of what is computed on a bar."""

    def __init__(self, bar):
        self._bar, self._what = bar, None

    def __call__(self, share, what):
        if what != self._what:
            self._what = what
            self._bar.begin(what)
        self._bar.show(share, "")


def _choose_output(values, name):
    return pathlib.Path(values.output or f"{name}.png")


def _format_csv(drawn):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(drawn.head)
    writer.writerows(["" if value is None else value for value in row] for row in drawn.rows)
    return text.getvalue()


def _describe_figures():
    lines = [f"    {name:17} {entry.paths}: {entry.told}" for name, entry in FIGURES.items()]
    return "\n".join(["Figures, each with what it is drawn from:", "", *lines, ""])


COMMAND = Command(
    "plot",
    __doc__.replace("FIGURES", _describe_figures()),
    _define,
    _run,
    _check,
    arguments="a figure, and paths",
    needs_tensorflow=lambda values, arguments: FIGURES[arguments[0]].needs_models,
    usage="FIGURE [flags] PATH ...",
)
