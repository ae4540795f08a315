"""Models of a figure belong together, and what was computed is kept as long as it is the same."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.errors import UserError
from tfrobust.evaluation import Examples, StoredExamples, Subject
from tfrobust.figures import inputs, of_models
from tfrobust.figures.request import Request
from tfrobust.runs.origin import Origin


def make_model(side=8, classes=10, **options):
    model = keras.Sequential([keras.Input((side, side, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Dense(classes, **options))
    return model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root, made = tmp_path_factory.mktemp("models"), {}
    # Names that NumPy and the key of what is kept use too.
    for name, options in (
        ("file", {}),
        ("key", {}),
        ("wide", {"side": 9}),
        ("few", {"classes": 5}),
    ):
        keras.utils.set_random_seed(len(made))
        made[name] = root / f"{name}.keras"
        make_model(**options).save(made[name])
    return made


def request(models, *names, tmp_path, **options):
    options = {"data": "digits", "epsilon": "0.1", "points": 3, "examples": 4} | options
    paths = tuple(str(models[name]) for name in names)
    return Request(paths, tmp_path / "figure.png", **options)


@pytest.mark.parametrize("other", ["wide", "few"])
@pytest.mark.parametrize("draw", [of_models.draw_loss_landscape, of_models.draw_linearity])
def test_images_are_of_the_size_and_the_classes_of_each_model(draw, other, models, tmp_path):
    with pytest.raises(UserError, match=f"{other} cannot be drawn: .*(shape|label)"):
        draw(request(models, "key", other, tmp_path=tmp_path))


def write_run(folder, epsilon=0.1, test="aa"):
    folder.mkdir()
    data = {"name": "digits", "source": {"name": "digits", "arguments": {"validation": 360}}}
    data["fingerprint"] = {"test": test}
    about = {"threat_model": {"norm": "Linf", "epsilon": epsilon}, "seed": 0, "starts": []}
    (folder / "run.json").write_text(json.dumps(about | {"data": data}))
    return folder


def test_runs_that_differ_are_told_and_not_chosen_from(tmp_path):
    folders = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", 0.2),
        write_run(tmp_path / "c", 0.1, "cc"),
    ]
    a, b, c = (Subject.of(make_model()) for _ in range(3))
    a, b, c = (
        tfrobust.evaluation.Subject(s.forward, s.description, model=s.model, folder=f)
        for s, f in zip((a, b, c), folders, strict=True)
    )
    assert inputs.find_threat_model({"a": a, "c": c}, None, None) == tfrobust.Linf(0.1)
    assert len(inputs.find_examples({"a": a, "b": b}, None)) == 360
    told = "different threat models: a: Linf 0.1; b: Linf 0.2. Give --epsilon"
    with pytest.raises(UserError, match=told):
        inputs.find_threat_model({"a": a, "b": b}, None, None)
    with pytest.raises(UserError, match="different test images: a: digits aa; c: digits cc"):
        inputs.find_examples({"a": a, "c": c}, None)
    # What is asked for needs no agreement.
    assert inputs.find_threat_model({"a": a, "b": b}, "L2", "0.5") == tfrobust.L2(0.5)
    assert len(inputs.find_examples({"a": a, "c": c}, "digits")) == 360
    with pytest.raises(UserError, match="radius of 0"):
        inputs.find_threat_model({}, None, "0")


def test_classes_of_other_names_are_told(monkeypatch):
    subjects = {
        name: Subject(lambda x: x, "", origin=Origin(class_names=names))
        for name, names in (("one", ("cat", "dog")), ("two", ("dog", "cat")))
    }
    monkeypatch.setattr(Subject, "of", lambda path, trust: subjects[path])
    with pytest.raises(UserError, match="other classes: one: cat, dog; two: dog, cat"):
        inputs.load_subjects({"one": "one", "two": "two"}, False)


def test_images_of_a_store_are_read_where_they_are_needed():
    class Store:
        def __len__(self):
            return 10**6

        def read(self, places):
            assert len(places) == 1
            return np.full((1, 2, 2, 1), 0.5, np.float32), places % 3

    stored = StoredExamples.of(Store())
    (label,) = inputs.take_one(stored, inputs.find_place(stored, 7)).y
    assert label == 7 % 3
    with pytest.raises(UserError, match="no image with the id -1. The first ids are 0, 1, 2, 3, 4"):
        inputs.find_place(stored, -1)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_a_plane_ends_where_the_ball_does(norm, models, tmp_path, monkeypatch):
    planes = []

    def look(forward, image, label, first, second, places, tell):
        planes.append((first, second))
        return np.zeros((3, 3))

    monkeypatch.setattr(of_models, "loss_over_plane", look)
    asked = request(models, "key", tmp_path=tmp_path, norm=norm, example=3)
    of_models.draw_loss_landscape(asked)
    for direction in planes[0]:
        length = asked.threat_model.distance(tf.constant(direction[None]), 0 * direction[None])
        assert float(length[0]) == pytest.approx(0.1, rel=1e-5)


def test_what_was_computed_is_kept_until_something_changes(models, tmp_path):
    times = []

    def draw(*names, **options):
        asked = request(models, *names, tmp_path=tmp_path, **options)
        drawn = of_models.draw_perturbations(asked) if len(names) == 1 else None
        drawn = drawn or of_models.draw_weight_landscape(asked)
        time = asked.output.with_suffix(".npz").stat().st_mtime_ns
        times.append(time)
        return drawn.rows, len(times) < 2 or time != times[-2]

    rows, computed = draw("file", "key")
    # Dropout keeps the state of its random numbers in a variable that is new in each process.
    assert computed and draw("file", "key") == (rows, False)
    assert draw("file", "key", extent=2.0)[1] and draw("file", "key", seed=1)[1]
    # The weights of a landscape depend on no radius.
    assert not draw("file", "key", seed=1, epsilon="0.2")[1]
    assert draw("file")[1] and draw("file", epsilon="0.2")[1]
    assert not draw("file", epsilon="0.2", points=5)[1] and draw("file", data=save(tmp_path, 0))[1]
    # The same name, other images.
    assert draw("file", data=save(tmp_path, 1))[1]
    model = keras.models.load_model(models["file"])
    model.set_weights([weight + 1.0 for weight in model.get_weights()])
    model.save(models["file"])
    assert draw("file", data=save(tmp_path, 1))[1]
    # The same weights behind another normalisation.
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Rescaling(-1.0), model]).save(
        models["file"]
    )
    assert draw("file", data=save(tmp_path, 1))[1]
    assert not draw("file", data=save(tmp_path, 1))[1]


def save(folder, seed):
    images = np.random.default_rng(seed).random((5, 8, 8, 1), np.float32)
    np.savez(folder / "own.npz", images=images, labels=np.arange(5))
    return str(folder / "own.npz")


def test_one_image_can_be_asked_for_and_wrong_predictions_say_so(models, tmp_path):
    digits = tfrobust.evaluation.load_examples("digits")
    asked = request(models, "key", tmp_path=tmp_path, example=int(digits.ids[5]))
    (row,) = of_models.draw_perturbations(asked).rows
    assert row[:2] == (digits.ids[5], digits.y[5])
    logits = keras.models.load_model(models["key"])(digits.x[5:6]).numpy()
    assert row[2].startswith(f"{logits.argmax()}, not {digits.y[5]} (") is (
        int(logits.argmax()) != row[1]
    )
    told = of_models._describe(
        np.eye(3)[[0, 2]], ("cat", "dog", "ape"), Examples.of(np.zeros((2, 1, 1, 1)), [0, 1]).y
    )
    assert told == ["cat (100 %)", "ape, not dog (100 %)"]
