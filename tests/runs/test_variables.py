import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.runs import checkpoint, variables

STEPS = 3


def dataset(batch_size=8):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * batch_size, 5)).astype("float32")
    y = rng.integers(0, 3, len(x))
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size, drop_remainder=True)


def make(units=4, strategy=None, dtype=None):
    def build():
        model = keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(units, activation="relu", dtype=dtype),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(3),
            ]
        )
        model.compile(
            keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    if strategy is None:
        return build()
    with strategy.scope():
        return build()


def train(model):
    model.fit(dataset(), epochs=1, verbose=0, shuffle=False)


def bits(model):
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in variables.snapshot(model).items()}


@pytest.fixture(scope="module")
def trained():
    model = make()
    train(model)
    return model


def test_names(trained):
    names = list(variables.collect_variables(trained))
    groups = [name.split("/")[0] for name in names]
    assert groups == sorted(groups, key=["model", "optimizer", "metrics"].index)
    # kernel, bias twice; gamma, beta, two moving statistics; the seed of dropout
    assert groups.count("model") == 4 + 4 + 1
    # iteration, learning rate; two moments and an average for each of six weights
    assert groups.count("optimizer") == 2 + 3 * 6
    # total and count of the loss and of the accuracy
    assert groups.count("metrics") == 4
    assert names[0] == "model/0000/sequential/dense/kernel"
    assert len({id(v) for v in variables.collect_variables(trained).values()}) == len(names)


def test_names_do_not_depend_on_what_the_process_made_before(trained):
    again = make()
    train(again)
    assert again.layers[0].name != trained.layers[0].name
    assert list(variables.collect_variables(again)) == list(variables.collect_variables(trained))


def test_training_goes_on_as_if_never_interrupted(tmp_path, trained):
    saved = variables.snapshot(trained)
    before = {name: array.copy() for name, array in saved.items()}
    checkpoint.save(tmp_path, STEPS, saved, {})

    keras.utils.set_random_seed(1)
    other = make()
    train(other)
    assert bits(other) != bits(trained)
    loaded = checkpoint.load(tmp_path, STEPS).arrays
    for _ in range(2):
        variables.restore(other, loaded)
        assert bits(other) == bits(trained)
        train(other)
    train(trained)
    assert bits(other) == bits(trained)
    # Neither side shares memory with what goes on training.
    for name, array in before.items():
        assert saved[name].tobytes() == loaded[name].tobytes() == array.tobytes(), name


def test_an_uncompiled_model_and_low_precision(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")])
    checkpoint.save(tmp_path, 0, variables.snapshot(model), {})
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")])
    assert bits(other) != bits(model)
    variables.restore(other, checkpoint.load(tmp_path, 0).arrays)
    assert bits(other) == bits(model)
    assert other.layers[0].kernel.dtype == "bfloat16"


def test_what_is_not_built_is_refused():
    model = make()
    with pytest.raises(RuntimeError, match="not all made"):
        variables.collect_variables(model)


def test_mismatches_are_listed_and_nothing_changes(trained):
    saved = variables.snapshot(trained)
    wider = make(units=6)
    train(wider)
    before = bits(wider)
    shape = (
        r"model/0000/sequential/dense/kernel \(saved float32 \(5, 4\), expected float32 \(5, 6\)\)"
    )
    with pytest.raises(UserError, match=rf"of another kind: {shape}.* and \d+ more\. Make"):
        variables.restore(wider, saved)
    assert bits(wider) == before

    name = next(iter(saved))
    renamed = {("model/0000/other" if n == name else n): a for n, a in saved.items()}
    with pytest.raises(UserError, match=f"not saved: {name}; not in the model: model/0000/other"):
        variables.restore(trained, renamed)
    with pytest.raises(UserError, match=r"saved float64 \(5, 4\), expected float32 \(5, 4\)"):
        variables.restore(trained, saved | {name: saved[name].astype("float64")})
    with pytest.raises(UserError) as caught:
        variables.restore(trained, {})
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_two_replicas(tmp_path):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    model = make(strategy=strategy)
    train(model)
    # Partial sums of metrics differ between replicas; so that the test sees it, make sure of one.
    total = next(
        v for n, v in variables.collect_variables(model).items() if n.startswith("metrics")
    )
    for i, copy in enumerate(total.value.values):
        copy.assign(0.1 + 0.2 * i)
    saved = variables.snapshot(model)
    assert sum(name.endswith("@1") for name in saved) >= 1
    checkpoint.save(tmp_path, 1, saved, {})

    other = make(strategy=strategy)
    train(other)
    train(other)
    variables.restore(other, checkpoint.load(tmp_path, 1).arrays)
    assert bits(other) == bits(model)
    for ours, theirs in zip(
        variables.collect_variables(other).values(), variables.collect_variables(model).values()
    ):
        ours, theirs = ours.value.values, theirs.value.values
        assert len(ours) == len(theirs) == 2
        assert [c.device for c in ours] == [c.device for c in theirs]
        assert [c.numpy().tobytes() for c in ours] == [c.numpy().tobytes() for c in theirs]
    train(other)
    train(model)
    assert bits(other) == bits(model)

    single = make()
    train(single)
    with pytest.raises(UserError, match=r"saved of 2 replicas, expected 1"):
        variables.restore(single, saved)
