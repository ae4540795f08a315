"""HAT's helper is trained once, before the first step, and comes back with a checkpoint."""

import keras
import numpy as np
import pytest

from tfrobust import data
from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, HAT, Natural
from tfrobust.models import digits_cnn
from tfrobust.threat_models import Linf
from tfrobust.training import TrainHelper
from tfrobust.training.experiment import Experiment

ATTACK = PGD(Linf(0.1), steps=1)


@pytest.fixture(scope="module")
def experiment():
    keras.utils.set_random_seed(3)
    method = HAT(digits_cnn(), ATTACK, helper=digits_cnn(), seed=1)
    method.compile(keras.optimizers.SGD(0.0))
    return Experiment(data.digits(), method, 4, 2, 256, 360, (), ATTACK, 1)


def callback(experiment, epochs=2):
    made = TrainHelper(keras.optimizers.SGD, 0.05, epochs)
    made.set_model(experiment.method)
    made.set_experiment(experiment)
    return made


def test_it_is_natural_training_once(experiment, capsys):
    helper, start = experiment.method.helper, experiment.method.helper.get_weights()
    weights = experiment.method.classifier.trainable_variables
    classifier = [w.numpy() for w in weights]
    plain = digits_cnn()
    plain.set_weights(start)
    method = Natural(plain, seed=1)
    method.compile(keras.optimizers.SGD(0.05))
    method.fit(experiment.training_dataset(epochs=2), steps_per_epoch=4, epochs=2, verbose=0)
    once = callback(experiment)
    assert once.get_state() == {"trained": False}
    experiment.method.fit(
        experiment.training_dataset(), steps_per_epoch=4, epochs=2, verbose=0, callbacks=[once]
    )
    for ours, theirs in zip(helper.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert capsys.readouterr().out.count("Helper: 2 epochs, training accuracy 0.") == 1
    assert not helper.trainable
    assert once.get_state() == {"trained": True}
    for ours, theirs in zip(weights, classifier, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # at rate 0
    # A run that is resumed has it from the checkpoint.
    resumed = callback(experiment)
    resumed.set_state({"trained": True})
    resumed.on_train_batch_begin(0)
    np.testing.assert_array_equal(helper.get_weights()[0], plain.get_weights()[0])


def test_a_method_without_a_helper():
    with pytest.raises(UserError, match="Received: ADV, which has none"):
        TrainHelper(keras.optimizers.SGD, 0.1, 1).set_model(ADV(digits_cnn(), ATTACK))
