"""Every gin file builds, uses all of its bindings, and the ones on the digits reach what they should."""

import json
import os
import pathlib

import pytest

from tfrobust import training
from tfrobust.config import Configuration
from tfrobust.training import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = [*ROOT.glob("gin/*.gin"), *ROOT.glob("gin/paper/*/*.gin")]
FILES = sorted(str(path.relative_to(ROOT)) for path in PATHS)
NEEDS_DATA = [name for name in FILES if "mnist" in name or "cifar" in name]
# Clean and robust accuracy of methods that see no attack, or a single step of a weak one, in training.
FLOORS = {"cure": (0.93, 0.58), "free": (0.94, 0.75), "grad_align": (0.95, 0.72)}
EMBEDDED = [name for name in FILES if name not in NEEDS_DATA]


def train(name, workdir, bindings=(), **options):
    configuration = Configuration([name], bindings, root=ROOT)
    return configuration.configured(training.train)(
        workdir=workdir, configuration=configuration, **options
    )


def needs_data():
    if not os.environ.get("TFDS_DATA_DIR"):
        pytest.skip("needs prepared TFDS data sets: set TFDS_DATA_DIR")


# Reading a data set takes seconds: one file of each set by default.
BY_DEFAULT = {"gin/mnist_adv_one_step.gin", "gin/paper/cifar10_preact_resnet18/score.gin"}


def marked(name):
    slow = name in NEEDS_DATA and name not in BY_DEFAULT
    return pytest.param(name, marks=pytest.mark.slow) if slow else name


@pytest.mark.parametrize("name", [marked(name) for name in FILES])
def test_a_gin_file_builds_and_nothing_in_it_is_unused(name, tmp_path, monkeypatch):
    if name in NEEDS_DATA:
        needs_data()
    built = []
    monkeypatch.setattr(run, "print_plan", built.append)
    assert train(name, tmp_path / "run", dry_run=True) is None
    assert built[0].method.optimizer.built
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_a_robust_method_is_far_above_natural_training_on_the_digits(name, tmp_path):
    train(name, tmp_path / "run")
    result = json.loads((tmp_path / "run" / "report.json").read_text())
    clean, robust = (result[key]["right"] / result[key]["total"] for key in ("clean", "robust"))
    if "natural" in name:
        assert clean >= 0.95 and robust <= 0.5
    elif name == "gin/jac.gin":  # which makes no attack
        assert clean >= 0.92 and robust >= 0.55
    else:
        least_clean, least_robust = FLOORS.get(pathlib.Path(name).stem, (0.95, 0.80))
        assert clean >= least_clean and robust >= least_robust
    assert result["training_seconds"] < 180


@pytest.mark.slow
def test_one_step_adversarial_training_on_mnist(tmp_path):
    needs_data()
    train("gin/mnist_adv_one_step.gin", tmp_path / "run")
    result = json.loads((tmp_path / "run" / "report.json").read_text())
    assert result["clean"]["right"] >= 9850 and result["robust"]["right"] >= 9400
