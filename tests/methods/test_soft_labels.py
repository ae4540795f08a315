"""Labels that are distributions: where a formula is defined for them, where not, and at every door.

All methods: pytest tests/methods/test_soft_labels.py -m slow
"""

import contextlib
import dataclasses

import grain
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tests.methods.conftest import METHODS, WEIGHTS, X, Y
from tfrobust.attacks import APGD, PGD, EarlyStop, RandomNoise
from tfrobust.errors import UserError
from tfrobust.losses import DLR, Margin, OfLikeliestClass
from tfrobust.methods import ADV, GAIRAT, MART, TRADES, Natural
from tfrobust.regularizers import GapLabels
from tfrobust.threat_models import Linf

ONE_HOT = np.eye(3, dtype="float32")[Y]
SOFT = np.random.default_rng(3).dirichlet((1.0, 1.0, 1.0), 15).astype("float32")
HARD_ONLY = {"certified", "mart", "gairat", "fat", "rat_reference"}
# The others differ from these by what sees no labels.
QUICK = ("natural", "adv", "llr", "score_clipped", "hat", "free", "grad_align")
CASES = [
    name if name in QUICK or name in HARD_ONLY else pytest.param(name, marks=pytest.mark.slow)
    for name in METHODS
]
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")
ATTACK = PGD(Linf(0.1), steps=2)


def network():
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(4, activation="softplus"),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def trained(make, y, strategy=None, rows=15, **options):
    """After a batch of 8 and one of the rows that are left."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        method = make(network(), seed=4)
        method.compile(keras.optimizers.SGD(0.05, momentum=0.9), **options)
    data = tf.data.Dataset.from_tensor_slices((X, y, WEIGHTS)).take(rows).batch(8)
    return method, method.fit(data, epochs=1, verbose=0).history


def assert_same(one, other, atol=1e-6):
    (method, history), (again, logs) = one, other
    assert list(history) == list(logs)
    for name in history:
        np.testing.assert_allclose(logs[name], history[name], rtol=2e-5, atol=atol, err_msg=name)
    for u, v in zip(method.classifier.weights, again.classifier.weights, strict=True):
        np.testing.assert_allclose(v.numpy(), u.numpy(), rtol=0, atol=atol, err_msg=u.path)


@pytest.mark.parametrize("name", CASES)
def test_one_hot_labels_make_the_step_of_class_numbers_or_are_refused(name, eagerly):
    make = METHODS[name]
    method = make(network(), seed=4)
    parts = (method, *method.regularizers, *([method.attack] if method.attack else []))
    assert any(part.needs_class for part in parts) == (name in HARD_ONLY)
    if name not in HARD_ONLY:
        assert_same(trained(make, Y, rows=8), trained(make, ONE_HOT, rows=8))
        return
    method.compile("sgd")
    before = [w.numpy() for w in method.weights]
    dataset = tf.data.Dataset.from_tensor_slices((X, ONE_HOT)).batch(8)
    for refused in (
        lambda: method.fit(X, ONE_HOT, verbose=0),
        lambda: method.fit(dataset, verbose=0),
        lambda: method.train_on_batch(X, ONE_HOT),
    ):
        with pytest.raises(UserError, match=r"needs one class for each image: .* Received: soft"):
            refused()
    for value, now in zip(before, method.weights, strict=True):
        np.testing.assert_array_equal(now.numpy(), value)


def test_mixed_labels_mix_the_gradient(eagerly):
    """Cross-entropy is linear in the label: one step of SGD on a mixture is the mixture of the steps."""

    def step(y):
        model = network()
        method = Natural(model)
        method.compile(keras.optimizers.SGD(1.0))
        before = [w.numpy() for w in model.weights]
        method.train_on_batch(X, y)
        return [w.numpy() - v for w, v in zip(model.weights, before, strict=True)]

    other = np.roll(ONE_HOT, 1, axis=1)
    parts = zip(step(0.3 * ONE_HOT + 0.7 * other), step(ONE_HOT), step(other), strict=True)
    for mixed, one, two in parts:
        np.testing.assert_allclose(mixed, 0.3 * one + 0.7 * two, atol=2e-7)


def test_an_attack_climbs_the_soft_cross_entropy_or_that_of_the_likeliest_class():
    """On a linear model the gradient at the pixels is W (p - t), and one steepest step its sign."""
    kernel = np.random.default_rng(1).normal(size=(16, 3)).astype("float32")

    def model(x):
        return tf.matmul(tf.reshape(x, (-1, 16)), kernel)

    x, radius = 0.4 + 0.2 * X, 0.01
    settings = {"steps": 1, "relative_step_size": 1.0, "start": tfrobust.attacks.Clean()}
    found = PGD(Linf(radius), **settings)(model, x, SOFT, seed=0)
    p = tf.nn.softmax(model(x)).numpy()
    wanted = x + radius * np.sign((p - SOFT) @ kernel.T).reshape(x.shape)
    np.testing.assert_allclose(found.x, wanted, atol=1e-6)
    likeliest = SOFT.argmax(axis=1)
    assert not np.array_equal(found.x, PGD(Linf(radius), **settings)(model, x, likeliest, seed=0).x)
    for attack in (
        PGD(Linf(radius), OfLikeliestClass(), **settings),
        PGD(Linf(radius), OfLikeliestClass(Margin()), **settings),
        PGD(Linf(radius), OfLikeliestClass(), freeze=EarlyStop(1), **settings),
        PGD(Linf(radius), OfLikeliestClass(), steps=2, selection="any"),
    ):
        assert not attack.needs_class
        plain = dataclasses.replace(attack, objective=attack.objective.objective)
        soft, hard = attack(model, x, SOFT, seed=0), plain(model, x, likeliest, seed=0)
        np.testing.assert_array_equal(soft.x, hard.x)
        np.testing.assert_array_equal(soft.survived, hard.survived)
        # Class numbers pass it by.
        np.testing.assert_array_equal(attack(model, x, likeliest, seed=0).x, hard.x)


@pytest.mark.parametrize(
    "attack",
    [
        PGD(Linf(0.1), Margin()),
        PGD(Linf(0.1), DLR()),
        PGD(Linf(0.1), freeze=EarlyStop()),
        PGD(Linf(0.1), restarts=2),
        APGD(Linf(0.1), steps=5),
        RandomNoise(Linf(0.1)),
    ],
    ids=str,
)
def test_attacks_that_need_a_class_say_so(attack, eagerly):
    with pytest.raises(UserError, match=r"needs one class .*OfLikeliestClass"):
        attack(network(), X, SOFT, seed=0)
    method = ADV(network(), ATTACK, eval_attack=attack)
    method.compile("sgd")
    data = tf.data.Dataset.from_tensor_slices((X, SOFT)).batch(8)
    for refused in (
        lambda: method.evaluate(X, SOFT, verbose=0),
        lambda: method.fit(X, SOFT, validation_data=data, verbose=0),
        lambda: method.fit(X, Y, validation_data=(X, SOFT), verbose=0),
    ):
        with pytest.raises(UserError, match="needs one class"):
            refused()


def test_losses_of_one_class_say_so():
    logits = tf.zeros((15, 3))
    for loss in (tfrobust.losses.margin, tfrobust.losses.boosted_cross_entropy):
        with pytest.raises(UserError, match="defined for one class"):
            loss(tf.constant(SOFT), logits)


def test_parts_that_need_a_class_are_named(eagerly):
    for make in (
        lambda c: MART(c, ATTACK),
        lambda c: GAIRAT(c, ATTACK, burn_in=1),
        lambda c: TRADES(c, ATTACK, regularizers=[GapLabels()]),
        lambda c: ADV(c, PGD(Linf(0.1), freeze=EarlyStop())),
    ):
        method = make(network())
        method.compile("sgd")
        with pytest.raises(UserError, match=r"^(MART|GAIRAT|GapLabels|PGD) needs one class"):
            method.fit(X, SOFT, verbose=0)


@pytest.mark.slow
def test_soft_labels_from_arrays_tf_data_and_grain_with_hard_validation(eagerly):
    class Source:
        def __len__(self):
            return 15

        def __getitem__(self, place):
            return X[place], SOFT[place].astype("float64")

    evaluation = PGD(Linf(0.1), steps=1)
    results = []
    for data in (
        (X, SOFT),
        (tf.data.Dataset.from_tensor_slices((X, SOFT)).batch(8),),
        (tf.data.Dataset.from_tensor_slices({"image": X, "label": SOFT}).batch(8),),
        (grain.MapDataset.source(Source()).batch(8),),
    ):
        method = ADV(network(), evaluation, eval_attack=evaluation)
        method.compile("sgd", metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)])
        history = method.fit(
            *data, batch_size=8, shuffle=False, verbose=0, validation_data=(X, Y)
        ).history
        results.append((method, history))
        judged = method.evaluate(X, Y, verbose=0, return_dict=True)
        likeliest = method.predict(X, verbose=0).argmax(axis=1)
        assert judged["accuracy"] == pytest.approx(np.mean(likeliest == Y))
        # Soft labels are judged by their likeliest class.
        soft = method.evaluate(X, SOFT, verbose=0, return_dict=True)
        assert soft["accuracy"] == pytest.approx(np.mean(likeliest == SOFT.argmax(axis=1)))
        assert soft["sparse_top_k_categorical_accuracy"] >= soft["accuracy"]
    for other in results[1:]:
        assert_same(results[0], other)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (SOFT * 1.01, r"`y`\[0\] has shares from .* that sum to 1\.01"),
        (np.where(np.arange(3) == 0, 1 + SOFT, -SOFT), r"shares from -"),
        (np.full((15, 3), np.nan, "float32"), "sum to nan"),
        (np.full((15, 4), 0.25, "float32"), "a share for each of the 3 classes"),
        (SOFT[:7], "7 labels for 15 images"),
        (SOFT[:, 0], "labels must be integers"),
        (np.eye(3, dtype="int64")[Y], "one-hot"),
    ],
)
def test_what_is_no_soft_label(y, message, eagerly):
    method = Natural(network())
    method.compile("sgd")
    with pytest.raises(UserError, match=message):
        method.fit(X, y, verbose=0)
    if len(y) == len(X):
        with pytest.raises(UserError, match=r"[Ll]abels"):
            method.fit(tf.data.Dataset.from_tensor_slices((X, y)).batch(8), verbose=0)


def test_rows_in_half_precision_are_made_to_sum_to_one():
    from tfrobust.contract import as_batch

    _, y = as_batch(network(), X, SOFT.astype("float16"))
    np.testing.assert_allclose(tf.reduce_sum(y, -1), 1.0, atol=1e-7)
    assert y.dtype == tf.float32


def test_class_weights_are_refused_and_weights_of_examples_taken(eagerly):
    method = Natural(network())
    method.compile("sgd")
    weights = {0: 1.0, 1: 2.0, 2: 3.0}
    with pytest.raises(UserError, match=r"Give sample_weight, .*matmul"):
        method.fit(X, SOFT, class_weight=weights, verbose=0)
    data = tf.data.Dataset.from_tensor_slices((X, SOFT)).batch(8)
    with pytest.raises(UserError, match="class_weight"):
        method.fit(data, class_weight=weights, verbose=0)
    # One-hot rows expect the weight of their class.
    one, two = Natural(network()), Natural(network())
    for each in (one, two):
        each.compile(keras.optimizers.SGD(0.1))
    given = {"batch_size": 8, "shuffle": False, "verbose": 0}
    first = one.fit(X, Y, class_weight=weights, **given).history
    sample_weight = np.matmul(ONE_HOT, list(weights.values()))
    second = two.fit(X, ONE_HOT, sample_weight=sample_weight, **given).history
    assert_same((one, first), (two, second))


def soft_trades(classifier, **options):
    return TRADES(classifier, ATTACK, **options)


def test_parts_of_a_batch(eagerly):
    assert_same(trained(soft_trades, SOFT), trained(soft_trades, SOFT, accumulation_steps=3))


@pytest.mark.slow
def test_replicas_and_several_steps_in_one_call(two_replicas):
    """The same global batches of 8 and 7 with soft labels, whichever way they are computed."""
    plain = trained(soft_trades, SOFT)
    assert_same(plain, trained(soft_trades, SOFT, strategy=two_replicas), atol=5e-6)
    assert_same(plain, trained(soft_trades, SOFT, steps_per_execution=2), atol=5e-6)
    assert_same(plain, trained(soft_trades, SOFT, jit_compile=True), atol=5e-6)


def test_an_evaluation_takes_class_numbers_only():
    with pytest.raises(UserError, match=r"labels must have shape .*argmax"):
        tfrobust.evaluate(network(), (X, SOFT), "pgd_20", Linf(0.1), checks="none")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_one_hot_rows_in_mixed_precision(policy, eagerly):
    """Losses see logits in float32, and labels as they were given."""
    keras.config.set_dtype_policy(policy)
    try:
        assert_same(trained(soft_trades, Y, rows=8), trained(soft_trades, ONE_HOT, rows=8))
    finally:
        keras.config.set_dtype_policy("float32")
