"""The files of ImageNet build, use all of their bindings, and make two steps at a small size.

LLR's, and all with their own network, ResNet-152: python -m pytest -m slow tests/test_imagenet_files.py
"""

import pathlib

import numpy as np
import pytest

from tfrobust import training
from tfrobust.config.configuration import Configuration
from tfrobust.models import BatchNormalization
from tfrobust.training import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted(path.stem for path in ROOT.glob("gin/paper/imagenet_resnet152/*.gin"))
SMALL = "{'alpha': 0.25, 'depth_multiplier': 1, 'dropout': 0.0}"
RNG = np.random.default_rng(7)
IMAGES, LABELS = RNG.integers(0, 256, (8, 32, 32, 3), np.uint8), np.arange(8) % 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "small.npz"
    arrays = {f"x_{s}": IMAGES for s in ("train", "validation", "test")}
    np.savez(path, **arrays, **{f"y_{s}": LABELS for s in ("train", "validation", "test")})
    return path


def build(name, data, tmp_path, monkeypatch, *more):
    """What a file builds on small images of three classes."""
    built = []
    monkeypatch.setattr(run, "print_plan", built.append)
    bindings = [
        "training.train.data = @data.npz",
        f"data.npz.path = {str(data)!r}",
        "training.train.batch_size = 2",
        "training.train.evaluation_batch_size = 2",
        "models.from_applications.input_shape = (32, 32, 3)",
        "models.from_applications.num_classes = 3",
        *more,
    ]
    configuration = Configuration([f"gin/paper/imagenet_resnet152/{name}.gin"], bindings, ROOT)
    configuration.bind(training.train)(
        workdir=tmp_path / "run", configuration=configuration, dry_run=True
    )
    return built[0].method


def check_two_steps(method):
    # Step by step: a graph of such a network takes longer to trace than to run twice.
    method.run_eagerly = True
    kernels = [v for v in method.classifier.trainable_variables if "kernel" in v.path]
    moved = next(v for v in method.classifier.non_trainable_variables if "moving" in v.path)
    before, mean = [v.numpy() for v in kernels], moved.numpy()
    for step in range(2):
        rows = slice(2 * step, 2 * step + 2)
        images = IMAGES[rows].astype("float32") / 255
        told = method.train_on_batch(images, LABELS[rows], return_dict=True)
        assert all(np.isfinite(value) for value in told.values()), told
    changed = [np.any(v.numpy() != was) for v, was in zip(kernels, before, strict=True)]
    assert all(changed) and np.any(moved.numpy() != mean)
    assert sum(isinstance(v, BatchNormalization) for v in method.classifier.layers) > 20


# LLR's steps differentiate twice, and cost more than all others.
QUICK = ("adv", "trades")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FILES]
)
def test_a_file_makes_two_steps_with_a_small_network(name, data, tmp_path, monkeypatch):
    network = ("name = 'MobileNet'", f"settings = {SMALL}")
    bindings = [f"models.from_applications.{line}" for line in network]
    method = build(name, data, tmp_path, monkeypatch, *bindings)
    check_two_steps(method)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_makes_two_steps_with_its_own_network(name, data, tmp_path, monkeypatch):
    method = build(name, data, tmp_path, monkeypatch)
    assert method.classifier.name == "resnet152" and len(method.classifier.layers) > 500
    check_two_steps(method)
