"""What every method does as a Keras model."""

import copy
import inspect
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import losses, methods, regularizers, weights
from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.ops.schedules import LinearRamp
from tfrobust.threat_models import Linf


def test_every_method_has_a_case(all_methods, make_classifier):
    """The table is the package's own list: what it exports is in the tests below."""
    made = {type(make(make_classifier())).__name__ for make in all_methods.values()}
    for name in methods.__all__:
        if name != "AdversarialModel" and name not in made:
            pytest.fail(
                f"methods.{name} is in no test of the contract. Add to its test file, tests/methods/test_"
                f"{name.lower()}.py: CONTRACT = {{'{name.lower()}': lambda classifier, **options: "
                f"methods.{name}(classifier, ..., **options)}}"
            )


def test_every_term_and_weight_perturbation_has_a_case(all_methods, make_classifier):
    made = set()
    for make in all_methods.values():
        method = make(make_classifier())
        parts = (*method.regularizers, method.weight_perturbation, method.attack_weights)
        made |= {type(part).__name__ for part in parts}
    for room, base, folder, argument in (
        (regularizers, regularizers.Regularizer, "regularizers", "regularizers=[{}(...)]"),
        (weights, weights.WeightPerturbation, "methods", "weight_perturbation={}(...)"),
    ):
        for name in room.__all__:
            thing = getattr(room, name)
            if (
                inspect.isclass(thing)
                and issubclass(thing, base)
                and name not in made | {base.__name__}
            ):
                pytest.fail(
                    f"{name} is in no test of the contract. Add to tests/{folder}/test_{name.lower()}.py: "
                    f"CONTRACT = {{'{name.lower()}': lambda classifier, **options: methods.Natural("
                    f"classifier, {argument.format(name)}, **options)}}"
                )


def compiled(make_method, classifier, **options):
    method = make_method(classifier, seed=4, **options)
    method.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return method


def count_traces(method):
    """A list that grows whenever Python runs the training step, that is when it is traced."""
    calls, step = [], method.train_step

    def train_step(data):
        calls.append(1)
        return step(data)

    method.train_step = train_step
    return calls


def test_fit_save_load_and_go_on(make_method, make_classifier, data, tmp_path, same_weights):
    """One epoch, a .keras file, and one more epoch are two epochs; the step is traced once."""
    path = str(tmp_path / "method.keras")
    method = compiled(make_method, make_classifier(), eval_attack=PGD(Linf(0.1), steps=1))
    before = [w.numpy() for w in method.classifier.trainable_weights]
    calls = count_traces(method)
    first = method.fit(data, verbose=0).history
    method.save(path)
    again = keras.saving.load_model(path)
    assert type(again) is type(method)
    assert json.dumps(again.get_config()) == json.dumps(method.get_config())
    assert again.attack == method.attack and again.regularizers == method.regularizers
    same_weights(again, method)
    assert int(again.optimizer.iterations.numpy()) == 3 * method.updates_per_step
    for u, v in zip(again.optimizer.variables, method.optimizer.variables, strict=True):
        np.testing.assert_array_equal(u.numpy(), v.numpy())
    second = method.fit(data, verbose=0).history
    resumed = again.fit(data, verbose=0).history
    same_weights(again.classifier, method.classifier)
    assert resumed == second
    assert len(calls) == 1
    moved = [
        np.abs(w.numpy() - old).max()
        for w, old in zip(method.classifier.trainable_weights, before, strict=True)
    ]
    assert min(moved) > 0.0
    assert {"loss", *method.parts} <= set(first)
    assert all(np.isfinite(value).all() for value in first.values())

    scores = method.evaluate(data, return_dict=True, verbose=0)
    assert set(scores) == {"loss", "accuracy", "robust_accuracy"}
    assert 0.0 <= scores["robust_accuracy"] <= scores["accuracy"] <= 1.0
    # Not a matter of batches, though the attack starts at random.
    fours = tf.data.Dataset.from_tensor_slices(next(iter(data.unbatch().batch(15)))).batch(4)
    other = method.evaluate(fours, return_dict=True, verbose=0)
    np.testing.assert_allclose(list(other.values()), list(scores.values()), rtol=1e-6)

    images = data.map(lambda x, y, w: x)
    logits = method.predict(images, verbose=0)
    expected = method.classifier.predict(images, verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    # The classifier is a plain Keras model.
    method.classifier.save(path)
    plain = keras.saving.load_model(path).predict(images, verbose=0)
    np.testing.assert_allclose(plain, expected, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_kinds_of_classifiers(make_method, make_classifier, data, same_weights):
    methods = {}
    for kind in ("functional", "deferred", "subclassed"):
        try:
            methods[kind] = compiled(make_method, make_classifier(kind))
        except UserError as error:
            # Bounds go through layers that can be read.
            assert kind == "subclassed" and "whose layers can be read" in str(error)
            continue
        methods[kind].fit(data.take(1), verbose=0)
    for method in methods.values():
        same_weights(method.classifier, methods["functional"].classifier, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_bfloat16(make_method, make_classifier, data):
    history = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            method = compiled(make_method, make_classifier())
            history[policy] = method.fit(data.take(1), verbose=0).history["loss"]
        finally:
            keras.config.set_dtype_policy("float32")
    assert all(w.dtype == "float32" for w in method.classifier.trainable_weights)
    np.testing.assert_allclose(history["mixed_bfloat16"], history["float32"], rtol=0.2)


@pytest.mark.usefixtures("eagerly")
def test_the_seed_names_the_run(make_method, make_classifier, data, same_weights):
    def run(seed, elsewhere):
        method = make_method(make_classifier(), seed=seed)
        method.compile(keras.optimizers.SGD(0.05))
        keras.utils.set_random_seed(elsewhere)  # which must not matter
        method.fit(data.take(1), verbose=0)
        return method

    method = run(3, 7)
    same_weights(method.classifier, run(3, 8).classifier)
    if method.attack is not None:
        with pytest.raises(AssertionError):
            same_weights(method.classifier, run(4, 7).classifier)


def test_refused_before_any_work(make_method, make_classifier, data):
    method = make_method(make_classifier())
    with pytest.raises(UserError, match="brings its own loss"):
        method.compile("sgd", loss="sparse_categorical_crossentropy")
    with pytest.raises(UserError, match="brings its own loss"):
        method.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])  # as Keras's
    method.compile("sgd")
    x, y = (np.concatenate(part) for part in zip(*((x, y) for x, y, _ in data), strict=True))
    bad = [
        (
            (255 * x).astype("int32"),
            y,
            "dtype int32. If the values are 0 to 255, use images.astype",
        ),
        (2 * x, y, r"pixels in \[0, 1\].*maximum 1.9"),
        (x - 0.5, y, "minimum -0.4"),
        (np.full_like(x, np.nan), y, "without NaN"),
        (x, np.eye(3, dtype="int32")[y], "one-hot"),
        (x, y[:, None], r"`y` has shape \(15, 1\).*Reshape it to \(15,\)"),
        (x, y + 1, "is 3: labels must be from 0 to 2"),
        (x, y - 1, "from 0 to 2"),
        (x, y[:9], "9 labels for 15 images"),
    ]
    for images, labels, message in bad:
        for call in (method.fit, method.evaluate):
            with pytest.raises(UserError, match=message):
                call(images, labels)
        with pytest.raises(UserError, match=message):
            method.fit(x, y, validation_data=(images, labels))
        if images.dtype != x.dtype or labels.shape[1:]:
            dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(5)
            for arguments in ({"x": dataset}, {"x": data, "validation_data": dataset}):
                with pytest.raises(
                    UserError, match="one-hot rows become soft|use images.astype|columns"
                ):
                    method.fit(**arguments)
    for images, message in ((bad[0][0], "use images.astype"), (bad[1][0], r"\[0, 1\]")):
        with pytest.raises(UserError, match=message):
            method.predict(images)
    assert int(method.optimizer.iterations.numpy()) == 0


def test_config_of_every_setting(make_method, make_classifier):
    method = make_method(make_classifier(), seed=9, name="run", eval_attack=PGD(Linf(0.2)))
    config = keras.saving.serialize_keras_object(method)
    assert config["registered_name"] == f"tfrobust>{type(method).__name__}"
    again = keras.saving.deserialize_keras_object(copy.deepcopy(config))
    assert (again.seed, again.name, again.eval_attack) == (9, "run", PGD(Linf(0.2)))
    assert json.dumps(keras.saving.serialize_keras_object(again)) == json.dumps(config)
    for name in set(method.settings) - {"classifier", "helper"}:
        assert getattr(again, name) == getattr(method, name)


def test_a_ramp_needs_the_length_of_an_epoch(make_method, make_classifier, data):
    method = make_method(make_classifier())
    method.compile("sgd")
    method.ramp = LinearRamp(3)
    with pytest.raises(UserError, match="give `steps_per_epoch` to fit"):
        method.fit(data.repeat())


@pytest.mark.parametrize("name", methods.__all__)
def test_help_shows_every_argument_with_a_line(name):
    """By name, not as `**kwargs`, and in the order of the signature; saving goes by the same names."""
    cls = getattr(methods, name)
    parameters = inspect.signature(cls).parameters
    assert not [p for p in parameters.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    documented = inspect.getdoc(cls).partition("Args:\n")[2]
    for argument in parameters:
        assert re.search(rf"^ {{4}}{argument}: \w?", documented, re.M), f"{name}({argument}=)"
    assert cls.settings == tuple(argument for argument in parameters if argument != "name")


def test_a_constructor_that_hands_arguments_on_has_those_of_its_base(make_classifier):
    class Weighted(methods.TRADES):
        def __init__(self, classifier, attack, *, weight=0.5, beta=1.0, **shared):
            super().__init__(classifier, attack, beta=beta, **shared)
            self.weight = weight

    own = {"weight", "beta"}
    parameters = inspect.signature(Weighted).parameters
    assert set(parameters) == {*inspect.signature(methods.TRADES).parameters, "weight"}
    assert own <= set(Weighted.settings)
    assert parameters["beta"].default == 1.0
    attack = PGD(Linf(0.1), losses.ToClean(), steps=1)
    method = Weighted(make_classifier(), attack, weight=2.0, label_smoothing=0.2, seed=3)
    again = Weighted.from_config(method.get_config())
    assert (again.weight, again.beta, again.label_smoothing, again.seed) == (2.0, 1.0, 0.2, 3)


def test_an_argument_that_is_not_kept_is_told(make_classifier):
    class Forgetful(methods.Natural):
        def __init__(self, classifier, *, weight=0.5, **shared):
            super().__init__(classifier, **shared)

    with pytest.raises(UserError, match=r"self\.weight = weight"):
        Forgetful(make_classifier()).get_config()
