"""Every gin file builds, uses all of its bindings, and the ones on the digits reach what they should."""

import json
import os
import pathlib
import sys
import types

import numpy as np
import pytest

from tests.data.photos import draw_photos
from tfrobust import attacks, models, training
from tfrobust.config.configuration import Configuration
from tfrobust.training import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = [*ROOT.glob("gin/*.gin"), *ROOT.glob("gin/paper/*/*.gin")]
FILES = sorted(str(path.relative_to(ROOT)) for path in PATHS)
# Which TFDS set a file reads, by its name.
SETS = {
    "imagenet": "imagenet2012",
    "mnist": "mnist",
    "cifar100": "cifar100",
    "cifar10": "cifar10",
    "svhn": "svhn_cropped",
}
NEEDS_DATA = [name for name in FILES if any(word in name for word in SETS)]
PAPER = [name for name in FILES if name.startswith("gin/paper/")]
# Clean and robust accuracy of methods that see no attack, or a single step of a weak one, in training.
FLOORS = {"cure": (0.93, 0.58), "free": (0.94, 0.75), "grad_align": (0.95, 0.72)}
# Which read a folder of pictures.
PICTURES = [name for name in FILES if "your_images" in name]
EMBEDDED = [name for name in FILES if name not in NEEDS_DATA and name not in PICTURES]


def train(name, workdir, bindings=(), **options):
    configuration = Configuration([name], bindings, root=ROOT)
    return configuration.bind(training.train)(
        workdir=workdir, configuration=configuration, **options
    )


def data_set(name):
    return next(SETS[word] for word in SETS if word in name)


def needs_data(name):
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder:
        pytest.skip("needs prepared TFDS data sets: set TFDS_DATA_DIR")
    if not pathlib.Path(folder, data_set(name)).is_dir():
        pytest.skip(f"needs {data_set(name)}, which is not prepared in TFDS_DATA_DIR")


# Reading a data set takes seconds: one file of each set, and one of a network, by default.
BY_DEFAULT = {
    "gin/mnist_adv_one_step.gin",
    "gin/paper/cifar10_resnet18/fait_mer.gin",
}


def marked(name):
    slow = name in NEEDS_DATA and name not in BY_DEFAULT
    return pytest.param(name, marks=pytest.mark.slow) if slow else name


def check_build(name, tmp_path, monkeypatch):
    built, bindings = [], []
    monkeypatch.setattr(run, "print_plan", built.append)
    if "%NATURAL" in (ROOT / name).read_text():
        classifier = models.with_stock_batch_normalization(models.resnet18(width=2))
        classifier.save(tmp_path / "natural.keras")
        bindings = [f"NATURAL = {str(tmp_path / 'natural.keras')!r}"]
    if "%EXTRA" in (ROOT / name).read_text():
        images, labels = np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10
        np.savez(tmp_path / "extra.npz", image=images, label=labels)
        bindings = [f"EXTRA = {str(tmp_path / 'extra.npz')!r}"]
    if name in PICTURES:
        bindings = [f"FOLDER = {str(draw_photos(tmp_path / 'photos'))!r}", "WEIGHTS = None"]
        bindings = bindings[: 1 + ("%WEIGHTS" in (ROOT / name).read_text())]
    assert train(name, tmp_path / "run", bindings, dry_run=True) is None
    assert built[0].method.optimizer.built
    # Steps that end inside of the ball train for a smaller one.
    attack = built[0].method.attack
    assert not isinstance(attack, attacks.PGD) or attack.relative_reach == 1.0
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", [marked(name) for name in FILES])
def test_a_gin_file_builds_and_nothing_in_it_is_unused(name, tmp_path, monkeypatch):
    if name in NEEDS_DATA:
        needs_data(name)
    check_build(name, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PAPER if "cifar100" in name or "svhn" in name])
def test_a_file_whose_data_is_seldom_there_builds_on_blank_images(name, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    classes = 100 if data_set(name) == "cifar100" else 10
    features = {
        "image": tfds.features.Image(shape=(32, 32, 3)),
        "label": tfds.features.ClassLabel(num_classes=classes),
    }
    split = types.SimpleNamespace(num_examples=6000)
    info = types.SimpleNamespace(
        name=data_set(name),
        features=features,
        supervised_keys=("image", "label"),
        splits={"train": split, "test": split},
    )

    def find_builder(asked, data_dir, download):
        assert asked == data_set(name)
        return types.SimpleNamespace(info=info)

    def read(builder, asked, split, count, keys, shape, size):
        return reader.Split(np.zeros((count, *shape), np.uint8), np.arange(count) % classes)

    reader = sys.modules["tfrobust.data.sources.tfds_images"]
    monkeypatch.setattr(reader, "find_builder", find_builder)
    monkeypatch.setattr(reader, "_read_split", read)
    check_build(name, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", PAPER)
def test_a_papers_file_says_how_to_run_it_and_whether_it_was(name):
    header = (ROOT / name).read_text().split("from __gin__")[0]
    assert f"python bin/train.py --gin_file={name}\n" in header
    assert "Not run here." in header or "Run once here: docs/results.md." in header
    lines = (ROOT / name).read_text().splitlines()
    assert max(map(len, lines)) <= 120


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
    needs_data("gin/mnist_adv_one_step.gin")
    train("gin/mnist_adv_one_step.gin", tmp_path / "run")
    result = json.loads((tmp_path / "run" / "report.json").read_text())
    assert result["clean"]["right"] >= 9850 and result["robust"]["right"] >= 9400
