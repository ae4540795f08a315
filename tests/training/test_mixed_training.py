"""A run on soft labels: what cannot take them is refused before anything is written."""

import functools

import keras
import pytest

from tfrobust import data
from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, MART
from tfrobust.threat_models import Linf
from tfrobust.training import CoupledSGD, train


def network():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )


def run(workdir, method, augment, **options):
    return train(
        data=data.digits,
        model=network,
        method=functools.partial(
            method, attack=PGD(Linf(0.1), steps=1), eval_attack=PGD(Linf(0.1), steps=1, restarts=2)
        ),
        optimizer=CoupledSGD,
        test_attack=PGD(Linf(0.1), steps=1),
        batch_size=512,
        epochs=1,
        learning_rate=0.1,
        workdir=workdir,
        augment=augment,
        **options,
    )


@pytest.mark.parametrize("augment", [(data.Mixup(),), (data.LabelSmoothing(0.1),)], ids=str)
def test_a_method_that_needs_a_class_is_refused_before_anything_is_written(augment, tmp_path):
    with pytest.raises(UserError, match="MART needs one class for each image: the margin"):
        run(tmp_path / "run", MART, augment)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_training_sees_mixed_labels_and_validation_class_numbers(tmp_path):
    """An attack of validation that counts restarts, which needs class numbers, judges them."""
    found = run(tmp_path / "run", ADV, (data.CutMix(), data.LabelSmoothing(0.1)))
    assert found is not None and (tmp_path / "run" / "report.md").exists()
