"""No dataset of ours, and none that a method is given, runs with tf.data's autotune thread."""

import ast
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops

import tfrobust
from tfrobust import data, methods, training
from tfrobust.methods import in_memory
from tfrobust.ops.datasets import without_autotune

IMAGES = np.random.default_rng(0).random((12, 4, 4, 1), np.float32)
PACKAGE = pathlib.Path(tfrobust.__file__).parent
SPLIT = data.Split(np.full((12, 4, 4, 1), 7, np.uint8), np.arange(12) % 3)
# How to call each public function of the data room that returns a dataset.
MADE = {
    "training_dataset": lambda: data.training_dataset(SPLIT, 4, seed=0, epochs=2),
    "evaluation_dataset": lambda: data.evaluation_dataset(SPLIT, 5),
}


def autotunes(dataset):
    return dataset.options().autotune.enabled is not False


def ranged(count=12):
    images = tf.random.stateless_uniform((count, 4, 4, 1), (0, 1))
    dataset = tf.data.Dataset.from_tensor_slices((images, tf.range(count) % 3))
    return dataset.shuffle(count, seed=1).map(lambda x, y: (x, y), tf.data.AUTOTUNE).batch(4)


@pytest.fixture
def iterated(monkeypatch):
    """Whether each dataset that anybody iterates over autotunes."""
    seen, make = [], iterator_ops.OwnedIterator.__init__

    def counted(self, dataset=None, *args, **kwargs):
        if dataset is not None:
            seen.append(autotunes(dataset))
        return make(self, dataset, *args, **kwargs)

    monkeypatch.setattr(iterator_ops.OwnedIterator, "__init__", counted)
    return seen


def test_elements_and_their_order_stay():
    one, other = ranged(), without_autotune(ranged())
    assert autotunes(one) and not autotunes(other)
    assert other.options().deterministic == one.options().deterministic
    for (x, y), (u, v) in zip(one, other, strict=True):
        np.testing.assert_array_equal(y, v)
        np.testing.assert_array_equal(x, u)


def test_a_users_own_choice_and_what_is_no_dataset_are_left_alone():
    options = tf.data.Options()
    options.autotune.enabled = True
    chosen = ranged().with_options(options)
    assert without_autotune(chosen) is chosen
    for other in (None, np.zeros(3), ((1, 2), 3)):
        assert without_autotune(other) is other


def test_every_public_function_that_returns_a_dataset_is_in_the_table():
    public = {name for name in data.__all__ if name.endswith("dataset")}
    assert public == set(MADE)
    for name, make in MADE.items():
        assert not autotunes(make()), name


def calls_maker(source):
    """Whether anything makes a dataset: tf.data.Dataset.range(3), read_in_python(make, signature)."""
    called = [n.func for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    made = [ast.unparse(function) for function in called]
    return any(
        re.fullmatch(r"tf\.data\.(Dataset\.)?\w*|read_in_python", name) and "Options" not in name
        for name in made
    )


def test_no_file_makes_a_dataset_without_it():
    makers = []
    # What ours is measured beside is tf.data as it comes.
    plain = PACKAGE / "benchmarks" / "pictures.py"
    for path in sorted(set(PACKAGE.rglob("*.py")) - {plain}):
        source = path.read_text()
        names = {n.attr for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)}
        assert "AUTOTUNE" not in names, path
        if "as_dataset" in names or calls_maker(source):
            makers.append(path.stem)
            assert "without_autotune(" in source or "autotune.enabled = False" in source, path
    assert {"pipeline", "tfds_images"} <= set(makers)


def test_fit_evaluate_and_predict_iterate_without_it(iterated):
    layers = [keras.layers.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    method = methods.Natural(keras.Sequential(layers))
    method.compile("sgd")
    method.fit(ranged(), validation_data=ranged(), class_weight={0: 1.0, 1: 2.0, 2: 1.0}, verbose=0)
    method.evaluate(ranged(), verbose=0)
    method.predict(ranged(), verbose=0)
    assert len(iterated) >= 4 and not any(iterated)
    iterated.clear()
    x, y = np.concatenate([x for x, _ in ranged()]), np.arange(12) % 3
    weights = np.linspace(0, 1, 12, dtype="float32")
    iterated.clear()
    method.fit(x, y, validation_split=0.25, class_weight={0: 1.0, 1: 2.0, 2: 1.0}, verbose=0)
    method.fit(x, y, sample_weight=weights, validation_data=(x, y, weights), verbose=0)
    method.evaluate(x, y, batch_size=5, sample_weight=weights, verbose=0)
    method.predict(x, verbose=0)
    assert len(iterated) >= 6 and not any(iterated)


def convert_nothing(
    x, y=None, sample_weight=None, batch_size=None, steps=None, shuffle=False, class_weight=None
):
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    return given | {"shuffle": shuffle, "class_weight": class_weight}


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 5, "validation_split": 0.25},
        {"steps_per_epoch": 3, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        {"batch_size": 4, "shuffle": "batch"},
        {"batch_size": 4, "shuffle": False, "validation_data": (IMAGES, np.arange(12) % 3)},
        {"sample_weight": np.linspace(0, 1, 12, dtype="float32"), "batch_size": 5},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_arrays_are_shuffled_cut_and_weighed_as_by_keras(settings, monkeypatch):
    results = []
    for convert in (in_memory.as_batches, convert_nothing):
        monkeypatch.setattr(in_memory, "as_batches", convert)
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
        method = methods.Natural(keras.Sequential(layers))
        method.compile(keras.optimizers.SGD(0.5))
        history = method.fit(IMAGES, np.arange(12) % 3, epochs=3, verbose=0, **settings).history
        results.append((method.get_weights(), history))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert results[0][1] == results[1][1]


def test_a_run_iterates_without_it(iterated, tmp_path):
    training.train(
        data=lambda: data.digits(validation=1300),
        model=tfrobust.models.digits_cnn,
        method=methods.Natural,
        optimizer=training.CoupledSGD,
        test_attack=tfrobust.PGD(tfrobust.Linf(0.1), steps=1),
        epochs=1,
        batch_size=64,
        evaluation_batch_size=360,
        learning_rate=0.1,
        workdir=tmp_path / "run",
        checkpoint_rule="last",
        callbacks=[lambda: training.SWA(start=0)],
    )
    assert len(iterated) >= 4 and not any(iterated)
