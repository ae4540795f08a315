"""Draws a figure, with its numbers beside it as CSV.

    python bin/plot.py curves --output=curves.png runs/trades runs/trades_mer
    python bin/plot.py accuracies --output=accuracies.pdf runs/*/evaluation/autoattack_standard
    python bin/plot.py loss_landscape --output=landscape.png runs/natural runs/trades_mer

FIGURES
PNG is for looking, PDF and SVG are for papers: a picture is one column wide. Where a folder of an evaluation
is wanted, that of a run with one evaluation does too. Arrays that take passes of models are kept beside the
picture (.npz): drawing again costs nothing as long as models, images and settings are the same. A flag that a
figure has no use for is refused.

Exit status: 0 done; 2 something in the request cannot work.
"""

import csv
import io
import pathlib
import sys

from absl import flags

from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import Command, require_flag
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
        "Test images: digits, a TFDS name, .npz, pictures. Default: the run's.",
        **given,
    )
    flags.DEFINE_string("data_dir", None, "Where prepared TFDS data sets are.", **given)
    flags.DEFINE_enum("norm", None, ["Linf", "L2", "L1"], "With --epsilon. Default: Linf.", **given)
    flags.DEFINE_string("epsilon", None, "Radius, such as 8/255. Default: the run's.", **given)
    flags.DEFINE_integer(
        "example",
        None,
        "Id of one test image. Default: the first that is right.",
        **given,
    )
    flags.DEFINE_integer("examples", 1000, "Images of a figure about many.", 1, **given)
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
            raise UserError(f"There is no {path}. The figure is drawn from {FIGURES[name].paths}.")
    _check_flags(values, name)
    output = _choose_output(values, name)
    if output.suffix.removeprefix(".").lower() not in FORMATS:
        raise UserError(
            f"--output must end in one of {', '.join(FORMATS)}. Received: --output={output}."
        )
    if output.is_dir():
        raise UserError(
            f"{output} is a folder. Give the name of a picture, such as {output}/{name}.png."
        )


def _check_flags(values, name):
    """Raises `UserError` for flags that this figure has no use for, and values that cannot work."""
    for flag in sorted({flag for entry in FIGURES.values() for flag in entry.flags}):
        if values[flag].present and flag not in FIGURES[name].flags:
            own = ", ".join(f"--{own}" for own in ("output", *FIGURES[name].flags))
            raise UserError(f"The figure {name} has no use for --{flag}. Its flags: {own}.")
    if values.norm is not None:
        require_flag(values, "epsilon")
    if values["example"].present and values["examples"].present:
        raise UserError("--example chooses one image, --examples several. Give one of the two.")
    first_look.check_radius(values.epsilon, values.norm)
    first_look.check_data(values.data, values.data_dir)


def _run(values, arguments):
    from tfrobust.commands.start.command_line import use_data_dir
    from tfrobust.figures.request import Request
    from tfrobust.plots.pixels import encode_figure
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
        bar.write,
        values.trust,
    )
    with use_data_dir(values.data_dir):
        drawn = find_figure(name)(request)
    bar.close()
    picture = encode_figure(drawn.figure, output.suffix.removeprefix(".").lower())
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(output, picture)
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
