"""What `tfrobust.<TAB>` shows is what a user looks for, and all of it is there."""

import importlib
import subprocess
import sys

import pytest

import tfrobust


def test_every_name_is_there():
    assert len(set(tfrobust.__all__)) == len(tfrobust.__all__)
    for name in tfrobust.__all__:
        assert getattr(tfrobust, name) is not None


def test_nothing_else_is_shown():
    assert dir(tfrobust) == sorted(tfrobust.__all__)
    assert {"recipes", "plots", "Attack", "Regularizer"} <= set(dir(tfrobust))
    # Adam is an optimizer to whoever knows Keras, and here a stepper of PGD: `attacks.Adam`.
    assert not {"spec", "errors", "ops", "version", "Adam"} & set(dir(tfrobust))
    with pytest.raises(AttributeError, match="no attribute 'trade'"):
        _ = tfrobust.trade


@pytest.mark.parametrize(
    "room", ["attacks", "losses", "methods", "recipes", "regularizers", "weights"]
)
def test_rooms_export_their_own_names(room):
    module = importlib.import_module(f"tfrobust.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        assert getattr(value, "__module__", "tfrobust").startswith("tfrobust")


def test_importing_leaves_what_is_heavy_alone():
    code = (
        "import sys, tfrobust\n"
        "heavy = {'tensorflow_datasets', 'tensorflow_probability', 'tf_keras', 'tensorboard'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
