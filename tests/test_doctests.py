"""Every example in a docstring of the package gives what it says."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust

MODULES = sorted(m.name for m in pkgutil.walk_packages(tfrobust.__path__, "tfrobust."))
# What examples use without importing it.
NAMES = {"tfrobust": tfrobust, "tf": tf, "keras": keras, "np": np}


def run_examples(module):
    """`doctest.testmod`'s counts, of attempted and failed examples."""
    return doctest.testmod(
        module,
        extraglobs=NAMES,
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_NDIFF,
    )


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name, tmp_path, monkeypatch):
    # What an example writes lands here.
    monkeypatch.chdir(tmp_path)
    assert run_examples(importlib.import_module(name)).failed == 0


def test_a_wrong_example_is_found(capsys):
    module = type(tfrobust)("wrong")
    module.__doc__ = ">>> tf.ones(2).shape[0]\n3\n"
    assert run_examples(module) == (1, 1)
    assert "Failed example" in capsys.readouterr().out
