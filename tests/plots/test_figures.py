"""Figures show their numbers, series differ without colour, and what cannot be drawn is said."""

import itertools
import json
import pathlib

import numpy as np
import pytest

from tfrobust import plots
from tfrobust.errors import UserError
from tfrobust.plots.pixels import encode_figure
from tfrobust.plots.style import point_style, series_style


def test_no_two_series_look_alike_without_colour():
    looks = [(s["marker"], s["linestyle"]) for s in map(series_style, range(30))]
    assert len(set(looks)) == 30
    points = [(s["marker"], s["fillstyle"]) for s in map(point_style, range(28))]
    assert len(set(points)) == 28


@pytest.mark.parametrize("letters", range(1, 43, 4))
@pytest.mark.parametrize("count", [1, 4, 15])
def test_the_legend_fits_the_column(letters, count):
    names = [f"{i:x}_trades_one_step_plateau_of_mnist_again"[:letters] for i in range(count)]
    rows = dict.fromkeys(names, ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3)))
    curve = np.array([0.0, 0.1]), np.array([0.9, 0.5])
    for figure in (
        plots.plot_rows(rows, "robust accuracy\n(autoattack_standard, Linf 8/255)"),
        plots.plot_epsilon_curves(dict.fromkeys(names, curve), "Linf", 0.1),
    ):
        figure.draw_without_rendering()
        legend = figure.axes[0].get_legend()
        assert legend.get_window_extent().x1 <= figure.bbox.x1
        columns = {text.get_window_extent().x0 for text in legend.get_texts()}
        assert len(columns) >= min(count, 2 if letters < 6 else 1)


def contrast(one, other):
    def luminance(colour):
        c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        c = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return c @ [0.2126, 0.7152, 0.0722]

    a, b = sorted((luminance(one), luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


# Of linear RGB to the cones' answers, and what is left of them: Vienot, Brettel, Mollon, 1999.
CONES = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]]
)
VISIONS = {
    "trichromat": np.eye(3),
    "deuteranope": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    "protanope": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def see(colour, vision):
    """A colour in CIE Lab, as somebody with this vision sees it."""
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    c = np.linalg.solve(CONES, VISIONS[vision] @ CONES @ c).clip(0, 1)
    x, y, z = np.cbrt(XYZ @ c / XYZ.sum(1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
def test_no_two_colours_merge(vision):
    """Two that differ by 2.3 in Lab can just be told apart side by side."""
    pairs = itertools.combinations(plots.style.COLOURS, 2)
    distances = {
        pair: np.linalg.norm(see(pair[0], vision) - see(pair[1], vision)) for pair in pairs
    }
    assert min(distances.values()) > 15, distances


def test_the_simulation_merges_what_a_deuteranope_confuses():
    one, other = "#c0362c", "#6f6f2b"
    assert np.linalg.norm(see(one, "trichromat") - see(other, "trichromat")) > 40
    assert np.linalg.norm(see(one, "deuteranope") - see(other, "deuteranope")) < 12


def test_colours_show_on_white_and_on_black():
    for colour in plots.style.COLOURS:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) > 2.0


def test_shares_of_a_histogram_sum_to_one():
    values = {"a": np.array([0.0, 0.1, 0.9, np.nan]), "b": np.array([0.5])}
    axes = plots.plot_histograms(values, "x", bins=4).axes[0]
    for line in axes.lines:
        assert line.get_ydata()[:-1].sum() == pytest.approx(1.0)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]


def test_the_star_is_the_most_robust_point():
    lines = {"a": [("1", 0.9, 0.3), ("6", 0.8, 0.5), ("9", 0.7, 0.4)], "b": [("", 0.6, 0.2)]}
    axes = plots.plot_trade_off(lines).axes[0]
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [(s.get_xdata()[0], s.get_ydata()[0]) for s in stars] == [(0.8, 0.5)]
    # The figure says itself what it is, and that no test is behind it.
    told = [text.get_text() for text in axes.get_legend().get_texts()]
    assert told == ["a", "largest of its line, not tested", "b"]
    alone = plots.plot_trade_off({"b": lines["b"]}).axes[0]
    assert [text.get_text() for text in alone.get_legend().get_texts()] == ["b"]


@pytest.mark.parametrize("how", ["at once", "slowly"])
def test_a_collapse_is_marked_where_accuracy_falls(how):
    values = {"at once": [0.5, 0.6, 0.35, 0.3, 0.31], "slowly": [0.6, 0.45, 0.38, 0.3, 0.2]}[how]
    rows = [
        {"epoch": i, "val_robust_accuracy": v, "jacobian_norm": 10.0} for i, v in enumerate(values)
    ]
    panels = {"robust": "val_robust_accuracy", "norm": "jacobian_norm"}
    figure = plots.plot_epochs({"run": rows}, panels, "val_robust_accuracy")
    for axes in figure.axes:
        (cross,) = (line for line in axes.lines if line.get_marker() == "x")
        assert cross.get_xdata().tolist() == [3]


def test_a_collapse_from_little_is_marked_and_noise_is_not():
    def mark(*values):
        rows = [{"epoch": i, "val_robust_accuracy": v} for i, v in enumerate(values)]
        (axes,) = plots.plot_epochs(
            {"a": rows}, {"robust": "val_robust_accuracy"}, "val_robust_accuracy"
        ).axes
        return [x for line in axes.lines if line.get_marker() == "x" for x in line.get_xdata()]

    # One-step TRADES on CIFAR-100 has 17 %; a classifier without robustness wavers.
    assert mark(0.1, 0.17, 0.05, 0.0, 0.0) == [4] and mark(0.06, 0.0, 0.05, 0.0) == []
    assert mark(0.19, 0.09, 0.17, 0.08) == [] and mark(0.96, float("nan"), 0.75, 0.97, 0.1) == [
        3,
        5,
    ]


def test_every_run_is_in_the_legend_whatever_it_recorded():
    norm = {"epoch": 0, "jacobian_norm": 9.0, "val_robust_accuracy": 0.5}
    falls = [{"epoch": i, "val_robust_accuracy": v} for i, v in enumerate((0.9, 0.1))]
    panels = {"norm": "jacobian_norm", "robust": "val_robust_accuracy"}
    for runs in ({"a": [norm], "b": falls}, {"b": falls, "a": [norm]}):
        figure = plots.plot_epochs(runs, panels, "val_robust_accuracy")
        (legend,) = filter(None, (axes.get_legend() for axes in figure.axes))
        assert [text.get_text() for text in legend.get_texts()] == [*runs, "collapse"]
        colours = dict(zip(runs, plots.style.COLOURS, strict=False))
        drawn = {line.get_label(): line.get_color() for line in legend.get_lines()}
        assert colours["b"] in drawn.values() and len(legend.get_lines()) == 3


@pytest.mark.parametrize(("last", "scale"), [(100.0, "linear"), (1000.0, "log"), (0.0, "linear")])
def test_a_norm_that_explodes_has_a_logarithmic_axis(last, scale):
    rows = [{"epoch": i, "jacobian_norm": v} for i, v in enumerate((5.0, last))]
    figure = plots.plot_epochs({"a": rows}, {"n": "jacobian_norm"}, wide=("jacobian_norm",))
    assert figure.axes[0].get_yscale() == scale


def test_radii_are_drawn_in_their_order():
    curves = {"a": (np.array([0.2, 0.0, 0.1]), np.array([0.3, 0.9, 0.6]))}
    (line, mark) = plots.plot_epsilon_curves(curves, "L2", 0.1).axes[0].lines
    assert line.get_xdata().tolist() == [0.0, 0.1, 0.2] and line.get_ydata().tolist() == [
        0.9,
        0.6,
        0.3,
    ]
    assert mark.get_xdata()[0] == 0.1


def test_a_curve_says_how_many_images_it_is_of():
    curve = (np.array([0.2, 0.0]), np.array([0.3, 0.9]))
    ends = (np.array([0.2, 0.8]), np.array([0.4, 0.95]))
    draw = plots.plot_epsilon_curves
    same = draw({"a": curve, "b": curve}, "L2", None, {"a": 9, "b": 9}, {"a": ends}, "PGD").axes[0]
    assert same.get_ylabel() == "accuracy under PGD"
    assert same.get_xlabel().endswith("(9 images, 95 % intervals)")
    corners = same.collections[0].get_paths()[0].vertices
    assert {(0.0, 0.8), (0.0, 0.95), (0.2, 0.2), (0.2, 0.4)} <= set(map(tuple, corners.tolist()))
    other = draw({"a": curve, "b": curve}, "L2", None, {"a": 9, "b": 30}).axes[0]
    told = [text.get_text() for text in other.get_legend().get_texts()]
    assert told == ["a, 9 images", "b, 30 images"] and other.get_xlabel().endswith("[0, 1])")


def test_surfaces_share_one_scale():
    places = np.linspace(-1, 1, 5)
    losses = {"flat": np.zeros((5, 5)), "steep": np.full((5, 5), 8.0)}
    figure = plots.plot_surfaces(losses, places, ("a", "b"), "epsilon")
    assert {axes.get_zlim() for axes in figure.axes} == {(0.0, 8.0)}
    losses["steep"] = np.where(np.eye(5) > 0, np.inf, 8.0)
    figure = plots.plot_surfaces(losses, places, ("a", "b"), "epsilon")
    assert {axes.get_zlim() for axes in figure.axes} == {(0.0, 8.0)}


def test_grey_is_no_change():
    clean = np.full((1, 2, 2, 3), 0.5)
    found = clean.copy()
    found[0, 0, 0] += 0.1
    figure = plots.plot_perturbations(clean, found, ["a"], ["b"], 0.1)
    shown = figure.axes[2].images[0].get_array()
    assert shown[1, 1].tolist() == [0.5] * 3 and shown[0, 0].tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize(("size", "shown"), [(0.1, 0.1), (0.06, 0.1), (0.03, 0.03), (0.2, 0.2)])
def test_a_change_is_seen_however_small(size, shown):
    clean = np.full((1, 2, 2, 1), 0.5)
    figure = plots.plot_perturbations(
        clean, clean + [[[size], [-size]], [[0], [0]]], ["a"], ["b"], 0.1
    )
    assert figure.axes[2].get_ylabel() == f"change\n±{shown:g}"
    seen = figure.axes[2].images[0].get_array()
    assert seen[0].tolist() == pytest.approx([0.5 + size / shown / 2, 0.5 - size / shown / 2])


@pytest.mark.parametrize("letters", [5, 30, 80])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_names_of_surfaces_fit_their_boxes(letters, count):
    names = [f"{i}_trades_one_step/seed_0 of a run with a long name" * 2 for i in range(count)]
    losses = {name[:letters]: np.full((3, 3), 1e-5 * (1 + i)) for i, name in enumerate(names)}
    figure = plots.plot_surfaces(losses, np.linspace(-1, 1, 3), ("a", "b"), "Linf 8/255")
    figure.draw_without_rendering()
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(t.x0 >= 0 and t.x1 <= figure.bbox.x1 and t.y1 <= figure.bbox.y1 for t in titles)
    for one, other in itertools.combinations(titles, 2):
        assert not one.overlaps(other)
    # The smallest power of ten stands at the axis, where labels as long would cross its name.
    assert {axes.get_zlabel() for axes in figure.axes} == {"loss (1e-5 nats)"}
    assert figure.axes[0].get_zlim()[1] == pytest.approx(count)


def test_names_of_bars_leave_room_for_them(tmp_path):
    heights = []
    for name in ("short", "a_very_long_name_of_a_run_with_beta_6_and_seed_0"):
        folders = [tmp_path / f"{name}{i}" for i in range(3)]
        for folder in folders:
            folder.mkdir()
            counts = {"accuracy": 0.5, "interval": [0.4, 0.6]}
            report = {"schema": 1, "threat_model": "Linf(0.1)", "clean": counts, "robust": counts}
            (folder / "report.json").write_text(json.dumps({"tfrobust": report}))
        figure = plots.plot_accuracies(folders)
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.9 * heights[0]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_same_figure_is_the_same_file(ending):
    def draw():
        return encode_figure(plots.plot_histograms({"a": np.array([0.0, 1.0])}, "x"), ending)

    assert draw() == draw()
    # Type 3 fonts are refused by publishers.
    assert b"/Type3" not in draw()


def test_notebooks_show_every_figure():
    image = np.zeros((1, 2, 2, 1))
    assert plots.plot_perturbations(image, image, [""], [""], 0.1)._repr_png_()[1:4] == b"PNG"
    rooms = sorted(pathlib.Path(plots.__file__).parent.glob("*.py"))
    plain = [room.stem for room in rooms if "figure = Figure(" in room.read_text()]
    # Those of reports are written into pages.
    assert plain == ["report_figures"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.plot_histograms({}, "x"),
        lambda: plots.plot_trade_off({"a": []}),
        lambda: plots.plot_rows({}),
        lambda: plots.plot_epsilon_curves({}, "Linf"),
        lambda: plots.plot_surfaces({}, np.zeros(2), ("a", "b"), "epsilon"),
        lambda: plots.plot_surfaces(
            {"a": np.full((2, 2), np.inf)}, np.zeros(2), ("a", "b"), "epsilon"
        ),
        lambda: plots.plot_perturbations(
            np.zeros((0, 2, 2, 1)), np.zeros((0, 2, 2, 1)), [], [], 0.1
        ),
        lambda: plots.plot_perturbations(
            np.zeros((1, 2, 2, 2)), np.zeros((1, 2, 2, 2)), [""], [""], 0.1
        ),
    ],
)
def test_nothing_to_draw_is_said(draw):
    with pytest.raises(UserError, match="draw|shown"):
        draw()
