"""No dataset of ours, and none that a method is given, runs with tf.data's autotune thread."""

import ast
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops

import tfrobust
from tfrobust import data, methods, training
from tfrobust.ops.datasets import without_autotune

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


def test_no_file_makes_a_dataset_without_it():
    makers = []
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        names = {n.attr for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)}
        assert "AUTOTUNE" not in names, path
        if names & {"from_generator", "from_tensors", "from_tensor_slices", "as_dataset"}:
            makers.append(path.stem)
            assert "without_autotune(" in source, path
    assert {"pipeline", "tfds_images"} <= set(makers)


def test_fit_evaluate_and_predict_iterate_without_it(iterated):
    layers = [keras.layers.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    method = methods.Natural(keras.Sequential(layers))
    method.compile("sgd")
    method.fit(ranged(), validation_data=ranged(), class_weight={0: 1.0, 1: 2.0, 2: 1.0}, verbose=0)
    method.evaluate(ranged(), verbose=0)
    method.predict(ranged(), verbose=0)
    assert len(iterated) >= 4 and not any(iterated)


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
