"""Every door asks the contract: a table of doors and of what no door may let in.

A new method, recipe or attack that is exported joins by itself, or fails the tests of completeness.
"""

import functools
import inspect
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import attacks, data, methods, models, recipes, serving, training
from tfrobust.errors import UserError

# Of TensorFlow, where functions run eagerly.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")

L = keras.layers
BALL = tfrobust.Linf(0.1)
PGD = tfrobust.PGD(BALL, steps=1)


def linear():
    return keras.Sequential([keras.Input((4, 4, 1)), L.Flatten(), L.Dense(3)])


ATTACKS = {
    "APGD": lambda: attacks.APGD(BALL, steps=2),
    "FAB": lambda: attacks.FAB(BALL, steps=2),
    "PGD": lambda: PGD,
    "RandomNoise": lambda: attacks.RandomNoise(BALL, samples=2),
    "RayS": lambda: attacks.RayS(BALL, queries=2),
    "Square": lambda: attacks.Square(BALL, queries=2),
    "Transfer": lambda: attacks.Transfer(PGD, (lambda x: tf.reshape(x, [-1, 16])[:, :3],)),
    "adam_pgd": lambda: attacks.adam_pgd(BALL),
    "cw_20": lambda: attacks.cw_20(BALL),
    "fgsm": lambda: attacks.fgsm(BALL),
    "fgsm_rs": lambda: attacks.fgsm_rs(BALL),
    "multi_targeted": lambda: attacks.multi_targeted(BALL),
    "random_targeted": lambda: attacks.random_targeted(BALL),
    "untargeted_margin": lambda: attacks.untargeted_margin(BALL),
}

CLEAN_PGD = tfrobust.PGD(BALL, tfrobust.ToClean(), steps=1, start=tfrobust.Gaussian(0.01))
METHODS = {
    "ADV": lambda c: methods.ADV(c, PGD),
    "ATLAS": lambda c: methods.ATLAS(c, PGD),
    "CertifiedTraining": lambda c: methods.CertifiedTraining(c, BALL),
    "FAIT": lambda c: methods.FAIT(c, CLEAN_PGD),
    "Free": lambda c: methods.Free(c, BALL, batch_shape=(12, 4, 4, 1), replays=2),
    "GAIRAT": lambda c: methods.GAIRAT(c, PGD, burn_in=1),
    "GAT": lambda c: methods.GAT(c, PGD),
    "GaussianNoise": lambda c: methods.GaussianNoise(c, sigma=0.1),
    "HAT": lambda c: methods.HAT(c, CLEAN_PGD, helper=linear()),
    "LLR": lambda c: methods.LLR(c, PGD),
    "MART": lambda c: methods.MART(c, PGD),
    "Natural": lambda c: methods.Natural(c, eval_attack=PGD),
    "SmoothAdv": lambda c: methods.SmoothAdv(c, PGD, sigma=0.1),
    "TRADES": lambda c: methods.TRADES(c, CLEAN_PGD, eval_attack=PGD),
}

EXTRAS = {"free": {"batch_shape": (12, 4, 4, 1)}, "hat": {"helper": None}}


def recipe(name):
    extras = {k: v or linear() for k, v in EXTRAS.get(name, {}).items()}
    return lambda c: getattr(recipes, name)(c, "Linf", 0.1, **extras)


def test_every_attack_and_method_is_a_door_here():
    base = attacks.Attack
    tools = {"Attack", "IterativeAttack", "record_success", "make_state"}
    exported = {name: getattr(attacks, name) for name in attacks.__all__}
    made = {
        name
        for name, value in exported.items()
        if (inspect.isfunction(value) or issubclass(value, base)) and name not in tools
    }
    assert made == set(ATTACKS)
    assert set(methods.__all__) - {"AdversarialModel"} == set(METHODS)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_called_through_the_one_door(name):
    assert type(ATTACKS[name]()).__call__ is attacks.Attack.__call__


@pytest.mark.parametrize("name", METHODS)
def test_a_step_begins_at_one_of_two_doors(name):
    own, base = getattr(methods, name), methods.AdversarialModel
    assert own.train_step in (base.train_step, methods.Free.train_step)
    for inherited in ("test_step", "predict_step", "fit", "evaluate", "predict"):
        assert getattr(own, inherited) is getattr(base, inherited)


def compiled(c, make=METHODS["TRADES"]):
    method = make(c)
    method.compile("sgd")
    method.steps_per_epoch = 1
    return method


def batches(x, y):
    if y is None:
        return tf.data.Dataset.from_tensor_slices(x).batch(12)
    if len(x) != len(y):
        pytest.skip("TensorFlow makes no data set of it")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(12)


def in_graph(function):
    """A step inside of a `tf.function`; what it asserts comes as TensorFlow's error."""

    def call(c, x, y):
        try:
            return tf.function(function(c), autograph=False)(tf.constant(x), tf.constant(y))
        except tf.errors.InvalidArgumentError as error:
            if "tfrobust:" in error.message:
                raise UserError(error.message) from error
            raise

    return call


# Doors for data: functions of a classifier, images and labels.
DATA_DOORS = {
    "fit": lambda c, x, y: compiled(c).fit(x, y, verbose=0),
    "fit a data set": lambda c, x, y: compiled(c).fit(batches(x, y), verbose=0),
    "fit, validation": lambda c, x, y: compiled(c).fit(
        np.zeros((3, 4, 4, 1)), np.arange(3), validation_data=(x, y), verbose=0
    ),
    "evaluate": lambda c, x, y: compiled(c).evaluate(x, y, verbose=0),
    "evaluate a data set": lambda c, x, y: compiled(c).evaluate(batches(x, y), verbose=0),
    "train_on_batch": lambda c, x, y: compiled(c).train_on_batch(x, y),
    "test_on_batch": lambda c, x, y: compiled(c).test_on_batch(x, y),
    "train_step": lambda c, x, y: compiled(c).train_step((x, y)),
    "train_step of Free": lambda c, x, y: compiled(c, METHODS["Free"]).train_step((x, y)),
    "test_step": lambda c, x, y: compiled(c).test_step((x, y)),
    "train_step in a graph": in_graph(
        lambda c: functools.partial(lambda m, x, y: m.train_step((x, y)), compiled(c))
    ),
    "attack": lambda c, x, y: PGD(c, x, y, seed=0),
    "attack in a graph": in_graph(lambda c: lambda x, y: PGD(c, x, y, seed=0)),
    "tfrobust.evaluate": lambda c, x, y: tfrobust.evaluate(c, (x, y), PGD, checks="none"),
    "tfrobust.evaluate a data set": lambda c, x, y: tfrobust.evaluate(
        c, batches(x, y), PGD, checks="none"
    ),
    "data.arrays": lambda c, x, y: data.arrays(x, y, x, y),
}
# Doors that see no labels.
IMAGE_DOORS = {
    "predict": lambda c, x: compiled(c).predict(x, verbose=0),
    "predict a data set": lambda c, x: compiled(c).predict(batches(x, None), verbose=0),
    "predict_on_batch": lambda c, x: compiled(c).predict_on_batch(x),
}

BAD_IMAGES = {
    "0 to 255": (lambda x: 255 * x, "maximum 255|maximum.*255"),
    "-1 to 1": (lambda x: 2 * x - 1, "minimum.*-1"),
    "NaN": (lambda x: np.where(x == 1, np.float32(np.nan), x), "NaN"),
    "whole numbers": (lambda x: (255 * x).astype("int32"), "use images.astype"),
    "another size": (lambda x: x[:, :3], r"\(b, 4, 4, 1\)|shape \(12, 3, 4, 1\)|fails on images"),
}
BAD_LABELS = {
    "too few": (lambda y: y[:5], "5 labels|`y_train` 5|5 lab"),
    "a column": (lambda y: y[:, None], "column|Reshape it to"),
    "one-hot": (lambda y: np.eye(3, dtype="int32")[y], "one-hot"),
    "fractions": (lambda y: y + 0.5, "must be integers"),
    "too large": (lambda y: y + 1, "between 0 and 2|from 0 to 2|Class 0"),
}


@pytest.fixture(autouse=True)
def _eagerly(request):
    """Without tracing, but for what is looked at in a graph: 400 small tests."""
    graph = "graph" in request.node.name
    tf.config.run_functions_eagerly(not graph)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("bad", BAD_IMAGES)
@pytest.mark.parametrize("door", [*DATA_DOORS, *IMAGE_DOORS])
def test_no_door_lets_bad_images_in(door, bad, classifier, images, labels):
    if door == "data.arrays" and bad == "another size":
        pytest.skip("No classifier is known yet")
    before = [w.copy() for w in classifier.get_weights()]
    spoil, told = BAD_IMAGES[bad]
    with pytest.raises(UserError, match=told):
        if door in DATA_DOORS:
            DATA_DOORS[door](classifier, spoil(images), labels)
        else:
            IMAGE_DOORS[door](classifier, spoil(images))
    for one, two in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("bad", BAD_LABELS)
@pytest.mark.parametrize("door", DATA_DOORS)
def test_no_door_lets_bad_labels_in(door, bad, classifier, images, labels):
    spoil, told = BAD_LABELS[bad]
    with pytest.raises(UserError, match=told):
        DATA_DOORS[door](classifier, images, spoil(labels))


class Hidden(keras.Model):
    """Softmax where no graph shows it."""

    def __init__(self):
        super().__init__()
        self.dense = L.Dense(3)

    def call(self, x):
        return tf.nn.softmax(self.dense(tf.reshape(x, [-1, 16])))


class Named(Hidden):
    """A dictionary of outputs, where no graph shows it."""

    def call(self, x):
        return {"logits": self.dense(tf.reshape(x, [-1, 16]))}


def built(model):
    model(np.zeros((1, 4, 4, 1), "float32"))
    return model


def ending(*layers):
    return keras.Sequential([keras.Input((4, 4, 1)), L.Flatten(), *layers])


def functional(make, dtype=None):
    inputs = keras.Input((4, 4, 1), dtype=dtype)
    return keras.Model(inputs, make(inputs))


def two_inputs():
    pair = [keras.Input((4, 4, 1)), keras.Input((4, 4, 1))]
    return keras.Model(pair, L.Dense(3)(L.Flatten()(L.Add()(pair))))


BAD_MODELS = {
    "softmax of Dense": (lambda: ending(L.Dense(3, activation="softmax")), "tfrobust.adapt"),
    "a Softmax": (lambda: ending(L.Dense(3), L.Softmax()), "softmax of 'softmax"),
    "Activation": (lambda: ending(L.Dense(3), L.Activation("softmax")), "tfrobust.adapt"),
    "softmax, then float32": (
        lambda: ending(L.Dense(3, activation="softmax"), L.Activation("linear", dtype="float32")),
        "tfrobust.adapt",
    ),
    "keras.ops.softmax": (
        lambda: functional(lambda x: keras.ops.softmax(L.Dense(3)(L.Flatten()(x)))),
        "tfrobust.adapt",
    ),
    "softmax inside": (
        lambda: keras.Sequential([keras.Input((4, 4, 1)), ending(L.Dense(3), L.Softmax())]),
        "tfrobust.adapt",
    ),
    "not built": (
        lambda: keras.Sequential([L.Flatten(), L.Dense(3, activation="softmax")]),
        "adapt",
    ),
    "many sigmoids": (lambda: ending(L.Dense(3, activation="sigmoid")), "sigmoid of"),
    "one sigmoid": (lambda: ending(L.Dense(1, activation="sigmoid")), r"\(0, z\).*tfrobust.adapt"),
    "one output": (lambda: ending(L.Dense(1)), r"\(0, z\).*tfrobust.adapt"),
    "rows of pixels": (
        lambda: ending(L.Dense(3), L.Reshape((1, 1, 3))),
        r"shape \(None, 1, 1, 3\).*tfrobust.adapt",
    ),
    "two outputs": (lambda: functional(lambda x: [L.Dense(3)(L.Flatten()(x))] * 2), "2 outputs"),
    "a dictionary": (
        lambda: functional(lambda x: {"logits": L.Dense(3)(L.Flatten()(x))}),
        "dictionary with the key 'logits'",
    ),
    "two inputs": (two_inputs, "2 inputs"),
    "an input of bytes": (
        lambda: functional(lambda x: L.Dense(3)(L.Flatten()(L.Rescaling(1 / 255)(x))), "uint8"),
        "dtype uint8",
    ),
    "another library": (lambda: tf_keras_model(), "tf_keras"),
    "predict": (lambda: linear().predict, "Give the model itself|must be a keras.Model"),
    "a number": (lambda: 3, "Received: 3|Received: int"),
}
# What no graph shows: a batch shows it.
BAD_OUTPUTS = {
    "hidden softmax": (lambda: built(Hidden()), "gives probabilities.*tfrobust.adapt"),
    "hidden dictionary": (lambda: built(Named()), "dictionary with the keys"),
}


def tf_keras_model():
    library = pytest.importorskip("tf_keras")
    return library.Sequential([library.layers.Flatten(), library.layers.Dense(3)])


def trained(model, tmp_path):
    training.train(
        data=data.digits,
        model=lambda: model,
        method=METHODS["Natural"],
        optimizer=keras.optimizers.SGD,
        test_attack=PGD,
        epochs=1,
        batch_size=64,
        learning_rate=0.1,
        workdir=tmp_path / "run",
    )


# Doors for models: functions of a model, images, labels and a folder.
MODEL_DOORS = {
    "attack": lambda m, x, y, to: PGD(m, x, y, seed=0),
    "attack in a graph": lambda m, x, y, to: in_graph(lambda m: lambda x, y: PGD(m, x, y, seed=0))(
        m, x, y
    ),
    "tfrobust.evaluate": lambda m, x, y, to: tfrobust.evaluate(
        m, (x, y), PGD, checks="none", workdir=to / "evaluation"
    ),
    "export_classifier": lambda m, x, y, to: serving.export_classifier(
        m, to / "export", image_shape=(4, 4, 1)
    ),
    "save_classifier": lambda m, x, y, to: serving.save_classifier(m, to / "classifier.keras"),
    "training.train": lambda m, x, y, to: trained(m, to),
    "helper of HAT": lambda m, x, y, to: methods.HAT(linear(), CLEAN_PGD, helper=m),
}
CONSTRUCTORS = {name: METHODS[name] for name in METHODS}
CONSTRUCTORS |= {f"recipe {name}": recipe(name) for name in recipes.__all__}
MODEL_DOORS |= {name: lambda m, x, y, to, make=make: make(m) for name, make in CONSTRUCTORS.items()}


@pytest.mark.parametrize("bad", BAD_MODELS)
def test_no_door_lets_a_bad_model_in(bad, images, labels, tmp_path):
    make, told = BAD_MODELS[bad]
    model = make()
    for door, call in MODEL_DOORS.items():
        with pytest.raises(UserError, match=told):
            call(model, images, labels, tmp_path)
            pytest.fail(f"{door} let it in")
    assert list(tmp_path.iterdir()) == [], "something was written"


OUTPUT_DOORS = ("attack", "attack in a graph", "tfrobust.evaluate", "export_classifier")
STEP_DOORS = [name for name in DATA_DOORS if name.startswith(("fit", "train", "test", "evaluate"))]


@pytest.mark.parametrize("bad", BAD_OUTPUTS)
@pytest.mark.parametrize(
    "door",
    [
        *OUTPUT_DOORS,
        "fit",
        "train_step",
        "train_step of Free",
        "train_step in a graph",
        "test_step",
    ],
)
def test_outputs_that_no_graph_shows(door, bad, images, labels, tmp_path):
    make, told = BAD_OUTPUTS[bad]
    with pytest.raises(UserError, match=told):
        if door in MODEL_DOORS:
            MODEL_DOORS[door](make(), images, labels, tmp_path)
        else:
            DATA_DOORS[door](make(), images, labels)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_probabilities_is_not_loaded_for_training(tmp_path):
    path = pathlib.Path(tmp_path, "model.keras")
    ending(L.Dense(3, activation="softmax")).save(path)
    with pytest.raises(UserError, match="tfrobust.adapt"):
        models.load_classifier(path)


@pytest.mark.parametrize("door", STEP_DOORS)
def test_frozen_weights(door, images, labels):
    model = linear()
    model.trainable = False
    if "test" in door or "evaluate" in door:
        DATA_DOORS[door](model, images, labels)
        return
    with pytest.raises(UserError, match="no trainable weight"):
        DATA_DOORS[door](model, images, labels)


def values(result):
    """The numbers of whatever a door gives, and the weights that it trained."""
    if isinstance(result, keras.callbacks.History):
        return [v for values in result.history.values() for v in values]
    if isinstance(result, tfrobust.evaluation.Evaluation):
        return [result.robust, result.predictions]
    if isinstance(result, data.Splits):
        return [len(result.train)]
    return [np.asarray(part) for part in tf.nest.flatten(result)]


GOOD = {
    "uint8": lambda x: np.round(x * 255).astype("uint8"),
    "float64": lambda x: np.round(x * 255).astype("float64") / 255,
    "rounding": lambda x: np.where(x == 1, np.float32(1 + 5e-7), x) - np.float32(1e-7) * (x == 0),
}


EVERYWHERE = [(door, "uint8") for door in (*DATA_DOORS, *IMAGE_DOORS)]
ELSEWHERE = [
    (door, good)
    for door in ("fit", "train_step of Free", "attack", "predict", "tfrobust.evaluate")
    for good in ("float64", "rounding")
]


@pytest.mark.parametrize(("door", "good"), EVERYWHERE + ELSEWHERE)
def test_the_same_pixels_give_the_same_at_every_door(door, good, images, labels):
    found = []
    for x in (images, GOOD[good](images)):
        model = linear()
        model.set_weights(
            [np.linspace(-1, 1, w.size).reshape(w.shape) for w in model.get_weights()]
        )
        call = DATA_DOORS.get(door)
        found.append(values(call(model, x, labels) if call else IMAGE_DOORS[door](model, x)))
        found[-1] += model.get_weights()
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
