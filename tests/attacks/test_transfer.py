"""Transfer: the target as its own surrogate, sums of cross-entropies by closed form, passes by formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD, PGD
from tfrobust.attacks.case import Case
from tfrobust.attacks.noise import RandomNoise
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.starts import Clean
from tfrobust.attacks.targets import choose_ranked_target
from tfrobust.attacks.transfer import Transfer
from tfrobust.errors import UserError
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.losses import DLR, CrossEntropy, TargetedDLR
from tfrobust.losses.objectives import ToClean
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)
X = RNG.uniform(0.3, 0.7, size=(40, 4, 4, 1)).astype("float32")
SEEDS = np.stack([np.arange(40), np.full(40, 7)], axis=1).astype("int32")


def classifier(seed):
    """A network with five classes as a Keras model."""
    weights = np.random.default_rng(seed)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(12, "relu"),
            keras.layers.Dense(5),
        ]
    )
    first, second = weights.normal(size=(16, 12)), weights.normal(size=(12, 5))
    model.set_weights([first, -first.sum(axis=0) / 2, second, np.zeros(5)])
    return model


TARGET, OTHER, THIRD = classifier(1), classifier(2), classifier(3)


def predicted(model, x):
    return np.argmax(model(x), axis=1)


LABELS = predicted(TARGET, X).astype("int32")


def labels_only(x):
    """The target, of which nothing but the predicted class is known."""
    return tf.one_hot(tf.argmax(TARGET(x), axis=1), 5)


def case_of(attack, run=0):
    x, y = tf.constant(X), tf.constant(LABELS)
    keys, radius = ExampleKeys(tf.constant(SEEDS)), tf.constant(attack.threat_model.radius())
    runs = tf.fill([40], run)
    return Case(x, y, labels_only(x), runs, keys.fold_in(runs), radius, keys)


def searched(attack, target=labels_only, run=0):
    """The state at the end of one run."""
    case = case_of(attack, run)
    state, step = attack.begin(case), tf.function(attack.step, autograph=False)
    while not state["done"].numpy().all():
        state = step(target, case, state)
    return state


@pytest.mark.parametrize(
    "attack",
    [
        PGD(Linf(0.03), steps=5),
        PGD(L2(0.1), DLR(), steps=5, restarts=2, selection="best"),
        PGD(Linf(0.03), TargetedDLR(), steps=5, targets=2, restarts=2),
        PGD(Linf(0.03), ToClean(), steps=5, restarts=2),
    ],
    ids=lambda attack: f"{attack.objective}-{attack.selection}",
)
def test_with_the_target_as_surrogate_it_is_the_attack_itself(attack):
    expected = attack(TARGET, X, LABELS, seed=SEEDS).x.numpy()
    # Of the target no more than classes: what the attack reads are the surrogate's logits.
    found = Transfer(attack, (TARGET,))(labels_only, X, LABELS, seed=SEEDS).x
    np.testing.assert_array_equal(found, expected)
    broken = predicted(TARGET, expected) != LABELS
    assert 0 < broken.sum() < 40


def test_apgd_does_not_stop_where_it_has_fooled_its_surrogate():
    attack = APGD(Linf(0.03), steps=12)
    state = searched(Transfer(attack, (TARGET,)))
    assert set(state["index"].numpy()) == {12}
    expected = attack(TARGET, X, LABELS, seed=SEEDS).x.numpy()
    stands = predicted(TARGET, expected) == LABELS
    assert 0 < stands.sum() < 40
    # Begun outside of a graph: one rounding more or less.
    np.testing.assert_allclose(state["best"].numpy()[stands], expected[stands], atol=1e-6)
    gain = CrossEntropy()(LABELS, TARGET(state["best"])) - CrossEntropy()(LABELS, TARGET(expected))
    assert gain.numpy().min() > -1e-5 and (gain.numpy()[~stands] > 0.01).mean() > 0.5


def test_images_are_those_of_the_surrogate_and_the_target_judges_them():
    attack = PGD(Linf(0.1), steps=5)
    state = searched(Transfer(attack, (OTHER,)))
    images = attack(OTHER, X, LABELS, seed=SEEDS).x.numpy()
    np.testing.assert_array_equal(state["best"], images)
    broken = predicted(TARGET, images) != LABELS
    np.testing.assert_array_equal(state["broken"], broken)
    np.testing.assert_array_equal(state["adversarial"].numpy()[broken], images[broken])
    assert (predicted(OTHER, images) != LABELS).mean() > broken.mean() > 0


def test_cross_entropies_of_several_surrogates_are_added():
    """Binary linear models: the gradient is -(p_1 w_1 + p_2 w_2), p the probability of the other class."""
    weights = RNG.normal(size=(2, 16)).astype("float32") * 3

    def linear(w):
        def model(x):
            score = tf.reshape(x - 0.5, [-1, 16]) @ w[:, None]
            return tf.concat([tf.zeros_like(score), score], axis=1)

        return model

    attack = PGD(Linf(0.01), steps=1, step_size=0.02, start=Clean())
    surrogates = tuple(linear(w) for w in weights)
    found = Transfer(attack, surrogates)(surrogates[0], X, np.ones(40, "int32"), seed=0).x.numpy()
    scores = (X - 0.5).reshape(40, 16) @ weights.T
    slope = -(1 / (1 + np.exp(scores))) @ weights
    assert (np.sign(slope) != np.sign(-weights[0])).mean() > 0.2
    expected = X + 0.01 * np.sign(slope).reshape(X.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("surrogates", [(OTHER,), (OTHER, THIRD)], ids=len)
@pytest.mark.parametrize(
    ("attack", "forwards", "backwards", "clean"),
    [
        (PGD(Linf(0.03), steps=4), 5, 4, 0),
        (APGD(Linf(0.03), steps=4, eot=2), 10, 10, 0),
        (PGD(Linf(0.03), TargetedDLR(), steps=4, targets=3), 5, 4, 1),
    ],
    ids=("pgd", "apgd", "targeted"),
)
def test_passes_are_counted(attack, forwards, backwards, clean, surrogates):
    state = searched(Transfer(attack, surrogates))
    count = len(surrogates)
    assert set(state["forwards"].numpy()) == {count * (forwards + clean) + 1}
    assert set(state["backwards"].numpy()) == {count * backwards}


def test_the_target_is_asked_once():
    asked = []

    def outside(x):
        asked.append(len(x))
        return labels_only(x).numpy()

    def target(x):
        return tf.ensure_shape(tf.numpy_function(outside, [x], tf.float32), [40, 5])

    searched(Transfer(PGD(Linf(0.03), steps=6), (OTHER,)), target)
    assert asked == [40]


def test_classes_to_aim_at_are_the_surrogates():
    attack = Transfer(APGD(Linf(0.03), TargetedDLR(), steps=2, targets=4), (OTHER, THIRD))
    mean = (OTHER(X) + THIRD(X)) / 2
    for run in (0, 2):
        expected = choose_ranked_target(case_of(attack)._replace(logits=mean), tf.fill([40], run))
        np.testing.assert_array_equal(searched(attack, run=run)["target"], expected)
    assert attack.runs(5) == 4


def test_models_that_have_nothing_in_common_transfer_little_more_than_noise():
    noise = RandomNoise(Linf(0.05), samples=1)
    broken = [
        searched(attack)["broken"].numpy().mean()
        for attack in (
            noise,
            Transfer(PGD(Linf(0.05), steps=5), (OTHER,)),
            Transfer(PGD(Linf(0.05), steps=5), (TARGET,)),
        )
    ]
    assert abs(broken[1] - broken[0]) < 0.2 < broken[2] - broken[0]


def test_files_are_loaded_when_they_are_used_and_survive_serialisation(tmp_path):
    path = tmp_path / "other.keras"
    OTHER.save(path)
    inner = PGD(Linf(0.1), steps=3)
    attack = Transfer(inner, (path,))
    again = Transfer.from_config(attack.get_config())
    assert again == attack and again.surrogates == (str(path),)
    # The first use is inside a graph.
    found = tf.function(lambda x: again(labels_only, x, LABELS, seed=SEEDS).x, autograph=False)(
        tf.constant(X)
    )
    expected = Transfer(inner, (OTHER,))(labels_only, X, LABELS, seed=SEEDS).x
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(UserError, match="weights would be lost"):
        Transfer(inner, (OTHER,)).get_config()


def test_what_cannot_work_is_refused(tmp_path):
    inner = PGD(Linf(0.1), steps=3)
    (tmp_path / "text.keras").write_text("no archive")
    unbuilt = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(5)])
    for surrogates, message in (
        ((), "tuple"),
        (OTHER, "tuple"),
        (("nowhere.keras",), "does not exist"),
        ((tmp_path / "text.keras",), "is not one"),
        ((unbuilt,), "no weights"),
        ((5,), "Each of"),
    ):
        with pytest.raises(UserError, match=message):
            Transfer(inner, surrogates)
    for wrong, message in (
        (RayS(Linf(0.1)), "must follow"),
        (PGD(Linf(0.1), selection="any"), "any"),
        (PGD(Linf(0.1), TargetedDLR(), targets=1, success="target"), "success"),
    ):
        with pytest.raises(UserError, match=message):
            Transfer(wrong, (OTHER,))
    with pytest.raises(UserError, match="clean prediction"):
        Transfer(PGD(Linf(0.1), ToClean()), (OTHER, THIRD))
    with pytest.raises(UserError, match="5 classes"):
        Transfer(inner, (lambda x: OTHER(x)[:, :4],))(TARGET, X, LABELS, seed=0)


def test_a_file_as_surrogate_on_two_devices(two_replicas, tmp_path):
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    model.save(tmp_path / "surrogate.keras")
    inner, work = PGD(Linf(0.2), steps=3), Work(X, LABELS, labels_only(X).numpy(), SEEDS)
    attack = Transfer(inner, (tmp_path / "surrogate.keras",))
    result = SlotSchedule(Program(labels_only, attack, 8, Devices(two_replicas)), work, 5)()
    alone = SlotSchedule(Program(labels_only, Transfer(inner, (model,)), 8), work, 5)()
    assert 0 < alone["broken"].sum() < len(X)
    np.testing.assert_array_equal(result["broken"], alone["broken"])
    np.testing.assert_allclose(result["images"], alone["images"], atol=1e-6)
