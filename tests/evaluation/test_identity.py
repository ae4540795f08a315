"""Two classifiers of the same weights are two: no door takes what was found of one for the other."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.commands.export import COMMAND as EXPORT
from tfrobust.errors import UserError
from tfrobust.evaluation import Subject
from tfrobust.evaluation.fingerprint import identify
from tfrobust.runs.reports.identity import Identity
from tfrobust.serving import export_classifier, update_card

RNG = np.random.default_rng(0)
DATA = RNG.random((12, 4, 4, 1), np.float32), np.arange(12) % 3
KERNEL = RNG.normal(size=(16, 3)).astype(np.float32)
SMALL = tfrobust.Linf(0.01)
ATTACK = tfrobust.PGD(SMALL, steps=1)


def make(scale):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Rescaling(scale),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    model.set_weights([KERNEL, np.zeros(3)])
    return model


@pytest.fixture(scope="module")
def models():
    return make(1.0), make(-1.0)


def test_an_identity_sees_what_is_computed_and_not_how_it_is_rounded(models):
    one, other = (identify(Subject.of(model), (4, 4, 1)) for model in models)
    assert one.weights == other.weights and not one.is_same(other)
    # By hand: sums of the logits with random signs.
    noise = np.random.default_rng(0).random((4, 4, 4, 1), np.float32).reshape(4, 16)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], 3)
    np.testing.assert_allclose(one.logits, noise @ KERNEL @ signs, rtol=1e-5)
    assert Identity.read(json.loads(json.dumps(one.to_json()))) == one
    largest = max(map(abs, one.logits))
    for change, same in ((0.02, True), (0.04, False)):
        moved = one._replace(logits=(one.logits[0] + change * largest, *one.logits[1:]))
        assert one.is_same(moved) is same
    # Of earlier versions the weights are known, and of noise of another size nothing can be said.
    assert one.is_same(Identity.read(one.weights))
    assert one.is_same(identify(Subject.of(models[0]), (4, 4, 1)))
    assert one.to_key() != other.to_key()


def test_a_precision_is_no_other_classifier_and_another_brightness_is_one():
    """What is allowed for rounding lies between the two, for a network of convolutions too."""
    keras.utils.set_random_seed(0)
    network = tfrobust.models.preact_resnet18(4, (8, 8, 1))
    policy, found = keras.config.dtype_policy(), []
    for name in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(name)
        copy = tfrobust.models.preact_resnet18(4, (8, 8, 1))
        keras.config.set_dtype_policy(policy)
        copy.set_weights(network.get_weights())
        found.append(identify(Subject.of(copy), (8, 8, 1)))
    assert found[0].logits != found[1].logits and found[0].is_same(found[1])
    darker = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Rescaling(1.0, -0.05), network])
    assert not found[0].is_same(identify(Subject.of(darker), (8, 8, 1)))


@pytest.mark.parametrize(
    "value",
    [
        3,
        [],
        {},
        {"weights": "a", "image_shape": 3, "logits": []},
        {"weights": "a", "image_shape": [], "logits": ["x"]},
    ],
)
def test_what_somebody_changed_is_refused(value):
    with pytest.raises(UserError, match="changed by hand"):
        Identity.read(value)


def test_a_function_is_known_by_its_logits_and_chance_by_nothing(models):
    kernel = tf.constant(KERNEL)

    def function(x, scale=1.0):
        return scale * tf.reshape(x, (-1, 16)) @ kernel

    one, again = (identify(Subject.of(function), (4, 4, 1)) for _ in range(2))
    assert one.weights == "" and one.logits and one.is_same(again)
    assert not one.is_same(identify(Subject.of(lambda x: function(x, 2.0)), (4, 4, 1)))
    np.testing.assert_allclose(one.logits, identify(Subject.of(models[0]), (4, 4, 1)).logits)
    drawn = [
        identify(Subject.of(lambda x: function(x, tf.random.uniform((len(x), 1)))), (4, 4, 1))
        for _ in range(2)
    ]
    assert not drawn[0].is_same(drawn[1]) and not drawn[0].logits
    # With weights they are what is known of it.
    noisy = keras.Sequential([keras.Input((4, 4, 1)), Noise(), *models[0].layers[1:]])
    found = identify(Subject.of(noisy), (4, 4, 1))
    assert found.weights == identify(Subject.of(models[0]), (4, 4, 1)).weights
    assert not found.logits


@keras.saving.register_keras_serializable("test")
class Noise(keras.layers.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


def evaluate(model, folder, **more):
    return tfrobust.evaluate(model, DATA, ATTACK, workdir=folder, checks="none", **more)


def go_on_with_an_evaluation(one, other, folder):
    evaluate(one, folder / "one")
    evaluate(other, folder / "one")


def merge_shards(one, other, folder):
    evaluate(one, folder / "shard")
    tfrobust.evaluate(other, DATA, ATTACK, merge=[folder / "shard"], checks="none")


def go_on_with_a_certification(one, other, folder):
    tfrobust.certify(one, DATA, "ibp", SMALL, workdir=folder / "ibp")
    tfrobust.certify(other, DATA, "ibp", SMALL, workdir=folder / "ibp")


def take_the_certificates_of(one, other, folder):
    tfrobust.certify(one, DATA, "ibp", SMALL, workdir=folder / "ibp")
    evaluate(other, folder / "one", certified=folder / "ibp")


def take_certificates_in_memory(one, other, folder):
    evaluate(other, None, certified=tfrobust.certify(one, DATA, "ibp", SMALL))


def put_an_evaluation_on_a_card(one, other, folder):
    evaluate(one, folder / "one")
    update_card(export_classifier(other, folder / "export"), [folder / "one"])


def put_a_certification_on_a_card(one, other, folder):
    tfrobust.certify(one, DATA, "ibp", SMALL, workdir=folder / "ibp")
    update_card(export_classifier(other, folder / "export"), certifications=[folder / "ibp"])


def write_the_card_of_another_export(one, other, folder):
    other.save(folder / "other.keras")
    words = ["export", f"--model={folder / 'other.keras'}", "--format=card"]
    words.append(f"--workdir={export_classifier(one, folder / 'export')}")
    if EXPORT.main(words):
        raise UserError("another classifier")


def replace_a_surrogate(one, other, folder):
    path = folder / "surrogate.keras"
    for model in (one, other):
        model.save(path)
        attack = tfrobust.attacks.Transfer(tfrobust.PGD(SMALL, steps=1), [path])
        tfrobust.evaluate(make(1.0), DATA, attack, workdir=folder / "one", checks="none")


DOORS = (
    go_on_with_an_evaluation,
    merge_shards,
    go_on_with_a_certification,
    take_the_certificates_of,
    take_certificates_in_memory,
    put_an_evaluation_on_a_card,
    put_a_certification_on_a_card,
    write_the_card_of_another_export,
    replace_a_surrogate,
)


@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_one_for_the_other(door, models, tmp_path):
    with pytest.raises(UserError, match="another (evaluation|classifier|certification)"):
        door(*models, tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    # A copy is no other classifier.
    door(models[0], make(1.0), again)


def test_a_saved_model_is_the_classifier_that_was_exported(tmp_path):
    layers = [keras.layers.Conv2D(2, 3), tfrobust.models.BatchNormalization()]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((4, 4, 1)), *layers])
    folder = export_classifier(model, tmp_path / "export")
    for number, path in enumerate((folder / "1", folder / "classifier.keras")):
        evaluate(path, tmp_path / str(number))
        update_card(folder, [tmp_path / str(number)])
        assert (
            identify(Subject.of(path), (4, 4, 1)).weights
            == identify(Subject.of(model), (4, 4, 1)).weights
        )


def test_an_export_into_the_same_folder_begins_a_card_without_numbers(models, tmp_path):
    folder = export_classifier(models[0], tmp_path / "export")
    evaluate(models[0], tmp_path / "one")
    update_card(folder, [tmp_path / "one"])
    for model, kept in ((make(1.0), 1), (models[1], 0)):
        export_classifier(model, folder)
        content = json.loads((folder / "export.json").read_text())
        assert len(content.get("evaluations", [])) == kept
