"""Batches are functions of (seed, epoch, step), augmentation of (seed, epoch, example)."""

import gc
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrobust import contract
from tfrobust.data import (
    Flip,
    PadCrop,
    Split,
    evaluation_dataset,
    order,
    steps_per_epoch,
    training_dataset,
)
from tfrobust.errors import UserError
from tfrobust.ops.datasets import release_iterators

N, BATCH, EPOCHS, STEPS = 26, 4, 3, 6
RNG = np.random.default_rng(0)
# The label is the example's place, so that a batch says whom it holds.
SPLIT = Split(RNG.integers(0, 256, (N, 5, 5, 1), np.uint8), np.arange(N), RNG.permutation(1000)[:N])
AUGMENT = (PadCrop(2), Flip())


def batches(split=SPLIT, batch_size=BATCH, **settings):
    settings = {"seed": 3, "epochs": EPOCHS, "augment": AUGMENT} | settings
    return [(x.numpy(), y.numpy()) for x, y in training_dataset(split, batch_size, **settings)]


@pytest.fixture(scope="module")
def whole():
    return batches()


def assert_same(one, other):
    assert len(one) == len(other)
    for (x, y), (u, v) in zip(one, other, strict=True):
        np.testing.assert_array_equal(y, v)
        np.testing.assert_array_equal(x, u)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 300), seed=st.integers(0, 2**62 - 1), epoch=st.integers(0, 10**6))
def test_an_order_holds_each_example_once(count, seed, epoch):
    assert sorted(order.draw_permutation(count, seed, epoch)) == list(range(count))


def test_orders_are_uniform_and_differ_between_epochs_and_seeds():
    orders = np.array(
        [order.draw_permutation(5, seed, epoch) for seed in range(40) for epoch in range(50)]
    )
    counts = np.array([np.bincount(column, minlength=5) for column in orders.T])
    # 2000 orders: 400 expected in each of 25 cells; chi square of 16 degrees of freedom, one in a million.
    assert ((counts - 400) ** 2 / 400).sum() < 60
    assert len(np.unique(orders, axis=0)) == 120


def test_an_order_never_changes():
    assert order.draw_permutation(8, 3, 1).tolist() == [7, 3, 5, 6, 4, 0, 2, 1]
    assert order.draw_bits(3, 1, order.AUGMENTATION, 2).tolist() == [
        3390938318870188426,
        17850589555896565073,
    ]


def test_an_epoch_holds_each_example_at_most_once_and_drops_the_remainder(whole):
    assert len(whole) == EPOCHS * STEPS
    epochs = [np.concatenate([y for _, y in whole[e * STEPS :][:STEPS]]) for e in range(EPOCHS)]
    for epoch in epochs:
        assert len(np.unique(epoch)) == STEPS * BATCH
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(epochs[1], order.draw_permutation(N, 3, 1)[: STEPS * BATCH])


def test_without_augmentation_pixels_are_exact():
    for x, y in batches(augment=(), epochs=1):
        np.testing.assert_array_equal(x, SPLIT.images[y] / np.float32(255))
        assert x.dtype == np.float32 and y.dtype == np.int64


def test_float_images_pass_unchanged():
    split = Split(SPLIT.images / np.float32(255), SPLIT.labels)
    for x, y in batches(split, augment=(), epochs=1):
        np.testing.assert_array_equal(x, split.images[y])


def test_every_place_of_a_run_can_be_resumed_at(whole):
    for epoch in range(EPOCHS):
        for step in range(STEPS + 1):
            resumed = batches(first_epoch=epoch, first_step=step)
            assert_same(resumed, whole[epoch * STEPS + step :])
    assert batches(first_epoch=EPOCHS) == []


def test_cardinality_and_shapes_are_known():
    dataset = training_dataset(
        SPLIT, BATCH, seed=0, epochs=3, augment=AUGMENT, first_epoch=1, first_step=2
    )
    assert dataset.cardinality() == 2 * STEPS - 2
    assert dataset.element_spec == (
        tf.TensorSpec((BATCH, 5, 5, 1), tf.float32),
        tf.TensorSpec((BATCH,), tf.int64),
    )


def test_augmentation_belongs_to_the_example_whatever_the_batch(whole):
    augmented = {
        (i // STEPS, label): image
        for i, (x, y) in enumerate(whole)
        for image, label in zip(x, y, strict=True)
    }
    other_cut = SPLIT.take(RNG.permutation(N))
    for split, size in ((SPLIT, 7), (SPLIT, N), (other_cut, 5)):
        steps = steps_per_epoch(split, size)
        for i, (x, y) in enumerate(batches(split, size)):
            for image, label in zip(x, y, strict=True):
                if (i // steps, label) in augmented:
                    np.testing.assert_array_equal(image, augmented[i // steps, label])


def test_augmentation_is_the_transforms_with_their_own_seeds(whole):
    keys = order.draw_bits(3, 0, order.AUGMENTATION, 2).view(np.int64)
    x, y = whole[0]
    for image, place in zip(x, y, strict=True):
        expected = SPLIT.images[place] / np.float32(255)
        for transform, key in zip(AUGMENT, keys, strict=True):
            expected = transform(expected, tf.constant([key, SPLIT.ids[place]]))
        np.testing.assert_array_equal(image, expected)


def test_all_pixels_are_exact():
    levels = Split(np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1), np.arange(4))
    expected = (levels.images / 255).astype(np.float32)
    for x, y in batches(levels, 4, augment=(), epochs=1):
        np.testing.assert_array_equal(x, expected[y])
    x, _, _ = next(iter(evaluation_dataset(levels, 4)))
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(contract.array_from_uint8(levels.images), expected)
    np.testing.assert_array_equal(contract.from_uint8(tf.constant(levels.images)), expected)


class Darken:
    """A user's transform of whole batches, which makes float32 of uint8."""

    def __call__(self, image, seed):
        return image / 2

    def augment_batch(self, images, seeds):
        return contract.array_from_uint8(images) / np.float32(2)


@pytest.mark.parametrize(
    "augment",
    [AUGMENT, (Darken(), Flip()), (PadCrop(2), lambda image, seed: image / 2, Flip())],
    ids=["batch", "float", "mixed"],
)
def test_whole_batches_get_what_images_get_one_by_one(augment):
    one_by_one = [lambda image, seed, t=t: t(image, seed) for t in augment]
    assert_same(batches(augment=augment, epochs=1), batches(augment=one_by_one, epochs=1))


def test_augmentation_differs_between_examples_epochs_and_seeds():
    same = Split(np.tile(SPLIT.images[:1], (N, 1, 1, 1)), SPLIT.labels)
    images = [x for seed in (0, 1) for x, _ in batches(same, N, epochs=2, seed=seed)]
    kinds = [len(np.unique(x.reshape(N, -1), axis=0)) for x in images]
    assert min(kinds) > 10  # of 50
    # Of the two seeds and epochs none repeats another, sorted by example.
    by_example = [x[np.argsort(order.draw_permutation(N, s, e))] for x, (s, e) in
                  zip(images, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True)]  # fmt: skip
    for i in range(4):
        for j in range(i):
            assert (by_example[i] != by_example[j]).any(axis=(1, 2, 3)).mean() > 0.8


def test_the_global_random_state_is_neither_read_nor_moved(whole):
    keras.utils.set_random_seed(123)
    untouched = np.random.random(), tf.random.uniform(()).numpy()
    keras.utils.set_random_seed(123)
    assert_same(batches(), whole)
    assert (np.random.random(), tf.random.uniform(()).numpy()) == untouched


@pytest.mark.parametrize("batch_size", [1, 4, 5, 13, 26, 40])
def test_evaluation_holds_each_example_once_in_order(batch_size):
    dataset = evaluation_dataset(SPLIT, batch_size)
    found = list(dataset.as_numpy_iterator())
    assert len(found) == dataset.cardinality() == -(-N // batch_size)
    x, y, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    assert all(part.shape[0] == batch_size for batch in found for part in batch)
    np.testing.assert_array_equal(weight, np.arange(len(x)) < N)
    np.testing.assert_array_equal(x[:N], SPLIT.images / np.float32(255))
    np.testing.assert_array_equal(y[:N], SPLIT.labels)
    # The filling is a real image with its own label.
    np.testing.assert_array_equal(x[N:], np.repeat(x[N - 1 : N], len(x) - N, axis=0))
    assert (y[N:] == y[N - 1]).all()


def test_fit_goes_through_the_epochs_of_one_dataset(whole):
    seen = []

    class Watcher(keras.Model):
        def train_step(self, data):
            tf.py_function(lambda x, y: seen.append((x.numpy(), y.numpy())), data, [])
            return {"loss": tf.zeros(())}

    model = Watcher()
    model.built = True
    model.compile()
    dataset = training_dataset(SPLIT, BATCH, seed=3, epochs=EPOCHS, augment=AUGMENT)
    model.fit(dataset, epochs=EPOCHS, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    assert_same(seen, whole)


def test_replicas_share_each_global_batch(whole):
    devices = [d.name for d in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        pytest.skip("needs two logical CPU devices, which tests/conftest.py makes")
    strategy = tf.distribute.MirroredStrategy(devices[:2])
    dataset = training_dataset(SPLIT, BATCH, seed=3, epochs=EPOCHS, augment=AUGMENT)
    together = []
    for batch in strategy.experimental_distribute_dataset(dataset):
        x, y = (
            np.concatenate([p.numpy() for p in strategy.experimental_local_results(part)])
            for part in batch
        )
        together.append((x, y))
    assert_same(together, whole)


def test_a_batch_larger_than_the_split_is_refused():
    with pytest.raises(
        UserError, match="`batch_size`=27 is larger than the 26 examples.*at most 26"
    ):
        batches(batch_size=27)


@pytest.mark.parametrize(
    "setting, value",
    [("batch_size", 0), ("batch_size", 2.0), ("epochs", 0), ("epochs", True), ("seed", -1), ("seed", 0.5),
     ("first_epoch", -1), ("first_epoch", 4), ("first_step", 7), ("first_step", 1.0)],
)  # fmt: skip
def test_a_number_out_of_range_is_refused(setting, value):
    with pytest.raises(
        UserError, match=f"`{setting}` must be a whole number.*Received: {setting}={value}"
    ):
        batches(**{setting: value})
    with pytest.raises(UserError, match="`batch_size` must be a whole number"):
        evaluation_dataset(SPLIT, 0)


def test_a_transform_that_changes_the_shape_is_refused():
    with pytest.raises(
        UserError, match=r"changed an image of shape \(5, 5, 1\).* to shape \(4, 5, 1\)"
    ):
        batches(augment=[lambda image, seed: image[1:]])


def test_other_values_than_transforms_are_refused():
    with pytest.raises(UserError, match=r"`augment` must be a sequence of callables.*'flip'"):
        batches(augment=["flip"])
    with pytest.raises(UserError, match=r"`augment` must be a sequence of callables.*Flip\(\)"):
        batches(augment=Flip())


class Closing(Split):
    """A split whose stream says when it was ended."""

    def stream(self, batches):
        try:
            yield from super().stream(batches)
        finally:
            self.ended.append(True)


def test_an_iterator_left_half_read_ends_before_python_does():
    split = Closing(SPLIT.images, SPLIT.labels, SPLIT.ids)
    object.__setattr__(split, "ended", [])
    iterator = iter(training_dataset(split, BATCH, seed=0, epochs=50))
    next(iterator)
    assert split.ended == []
    release_iterators([SPLIT, iterator, "neither"])
    gc.collect()
    assert split.ended == [True]


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["1.0", "1e-9"], ids=["in memory", "from files"])
def test_a_script_that_reads_one_batch_ends_in_silence(limit, tmp_path):
    """python -m pytest -m slow tests/data/test_pipeline.py"""
    for number in range(40):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", RNG.random((16, 16, 3)))
    script = f"""
from tfrobust.data import image_folder, training_dataset
split = image_folder({str(tmp_path / "photos")!r}, 16, memory_limit_gib={limit}).train
batches = iter(training_dataset(split, 4, seed=0, epochs=500))
next(batches)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0
    for word in ("Traceback", "finalizing", "RuntimeError", "GeneratorDataset iterator"):
        assert word not in ran.stderr, ran.stderr[-3000:]
