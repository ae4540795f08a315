"""The points of a sweep, against a product written down by hand."""

import pytest

from tfrobust.errors import UserError
from tfrobust.sweeps.grid import Point, parse_grid, shorten


def test_every_combination_comes_once():
    points = parse_grid(["BETA = 1, 6.0", "recipes.trades.steps=3,10"], seeds=(0, 7))
    assert len(points) == len(set(points)) == len({p.name for p in points}) == 8
    assert points[0] == Point((("BETA", "1"), ("recipes.trades.steps", "3")), 0)
    assert points[0].bindings == (
        "BETA = 1",
        "recipes.trades.steps = 3",
        "training.train.seed = 0",
    )
    assert points[-1].name == "BETA=6.0,steps=10,seed=7"


def test_commas_within_brackets_and_quotes_separate_nothing():
    (point,) = parse_grid(["a.b = (1, [2, 3])"])
    assert point.values == (("a.b", "(1, [2, 3])"),)
    assert [p.values[0][1] for p in parse_grid(["a.size = 'x,y', @m.n(), %MACRO"])] == [
        "'x,y'",
        "@m.n()",
        "%MACRO",
    ]


def test_without_a_grid_there_is_a_run_for_each_seed():
    assert [p.name for p in parse_grid([], seeds=(0, 1))] == ["seed=0", "seed=1"]
    assert [p.name for p in parse_grid([])] == ["run"]


def test_values_that_only_look_alike_are_two():
    lines = ["a.b = True, 1, -1, '1', None, @m.n, @m.n(), %MACRO"]
    names = [p.name for p in parse_grid(["a.b = True, 1, -1"])]
    assert names == ["b=True", "b=1", "b=-1"]
    with pytest.raises(UserError, match="share the folder"):
        parse_grid(lines)


def test_long_values_have_short_folders_of_their_own():
    ends = ["x" * 300, "x" * 299 + "y"]
    points = parse_grid([f"a.b = '{ends[0]}', '{ends[1]}'"], seeds=(0, 1))
    names = {point.name for point in points}
    assert len(names) == 4 and {len(name) for name in names} == {200}
    assert [point.name for point in parse_grid([f"a.b = '{ends[0]}', '{ends[1]}'"], (0, 1))] == [
        point.name for point in points
    ]


def test_names_stay_whole_where_their_last_parts_agree():
    assert shorten([("a.beta", "1"), ("b.beta", "2")]) == [("a.beta", "1"), ("b.beta", "2")]
    assert shorten([("data.npz.seed", "1")]) == [("data.npz.seed", "1")]


def test_people_read_values_as_they_are_and_folders_have_plain_names():
    texts = ["'8/255'", "(1, 2)", "@a.B()", "''", "-1e-3"]
    points = parse_grid([f"train/a.b.c = {', '.join(texts)}"])
    assert [dict(shorten(p.values))["c"] for p in points] == ["8/255", *texts[1:]]
    assert [p.name for p in points] == ["c=8_255", "c=1_2", "c=a.B", "c=_", "c=-1e-3"]


@pytest.mark.parametrize(
    ("lines", "seeds", "message"),
    [
        (["BETA"], (), "must be a name and its values"),
        (["1 = 2"], (), "must be a name and its values"),
        (["BETA = "], (), "empty value"),
        (["BETA = 1,,2"], (), "empty value"),
        (["BETA = 1, 2, 1"], (), "has the value '1' twice"),
        (["SEED = 0, 1"], (), "give --seeds"),
        (["BETA = 1", "training.train.seed = 0, 1"], (2,), "give --seeds"),
        (["BETA = 1, 1.0"], (), "has the value '1.0' twice"),
        (["BETA = 0.001, 3, 1e-3"], (), "has the value '1e-3' twice"),
        (["a.size = 'x', \"x\""], (), "twice"),
        (["a.b = (1,2), (1, 2.0)"], (), "twice"),
        (["a.b = @m.n(), @m.n()"], (), "twice"),
        (["BETA = (1, 2"], (), "Close all brackets"),
        (["BETA = large"], (), "is not a value that gin reads"),
        (["BETA = 1", "BETA = 2"], (), "binds 'BETA' twice"),
        (["BETA = 1"], (0, 0), "has 0 twice"),
        (["a = 'x y', 'x:y'"], (), "share the folder"),
    ],
)
def test_what_cannot_be_read_is_said(lines, seeds, message):
    with pytest.raises(UserError, match=message):
        parse_grid(lines, seeds)
