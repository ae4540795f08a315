"""What the papers' files configure, read back, is what the papers and their reference codes say."""

import copy
import fnmatch
import pathlib

import gin
import keras
import pytest

from tests.paper_table import SAID
from tfrobust import models
from tfrobust.config import configuration as config
from tfrobust.config.configuration import Configuration
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import LinearRamp, PiecewiseLinear, Schedule, WarmUp

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "gin/paper"
FILES = sorted(str(path.relative_to(FOLDER))[: -len(".gin")] for path in FOLDER.glob("*/*.gin"))
# Methods' settings that a table of hyperparameters has.
SETTINGS = ("beta", "alpha", "gamma", "lam", "mu", "w_nom", "offset", "burn_in", "replays", "reach")


def bound(name, default=None):
    """What the configuration binds to a parameter, its references called."""
    try:
        return copy.deepcopy(gin.query_parameter(f"tfrobust.{name}"))
    except ValueError:
        return default


def plain(value):
    """A schedule as (epochs, values), with a warm-up as (its epochs, schedule); others as they are."""
    if isinstance(value, WarmUp):
        return (value.epochs, plain(value.then))
    if isinstance(value, LinearRamp):
        return ("ramp", value.epochs, value.end)
    if isinstance(value, PiecewiseLinear):
        return (value.epochs, value.values)
    return (value.boundaries, value.values) if isinstance(value, Schedule) else value


def attack_of(attack):
    radius = number(attack.threat_model.epsilon, "epsilon")
    step = attack.step_size
    relative = attack.relative_step_size
    step = number(relative, "relative") * radius if step is None else number(step, "step")
    return {
        "norm": type(attack.threat_model).__name__,
        "epsilon": radius,
        "steps": attack.steps,
        "step": step,
        "start": type(attack.start).__name__,
        "objective": type(attack.objective).__name__,
        "stepper": type(attack.stepper).__name__,
        # Below 1 its steps end inside of the ball.
        "attack_reach": attack.relative_reach,
    }


def numbers_of(regularizer):
    names = ("weight", "order", "form", "sigma", "second_weight", "point", "power")
    return [plain(vars(regularizer)[name]) for name in names if name in vars(regularizer)]


def configured(name, substitutes):
    """What a file configures, in the words of a table of hyperparameters."""
    text = (FOLDER / f"{name}.gin").read_text()
    bindings = [f"{k} = {path!r}" for k, path in substitutes.items() if f"%{k}" in text]
    Configuration([f"gin/paper/{name}.gin"], bindings, root=ROOT)
    selector = gin.query_parameter("tfrobust.training.train.model").selector
    network = selector.rpartition(".")[2]
    parameters = ("depth", "width_factor", "num_classes", "activation", "size", "mean")
    of_network = {p: bound(f"models.{network}.{p}") for p in parameters}
    of_network["application"] = bound(f"models.{network}.name")
    epochs = bound("training.train.epochs")
    rate = bound("training.train.learning_rate")
    rate = rate(epochs=epochs) if callable(rate) and not isinstance(rate, Schedule) else rate
    shape = (28, 28, 1) if name.startswith("mnist") else (32, 32, 3)
    layers = [keras.layers.Conv2D(2, 3), models.BatchNormalization()]
    layers += [keras.layers.Activation("softplus"), keras.layers.Flatten()]
    classes = of_network["num_classes"] or 10
    inputs = keras.layers.Input(shape)
    classifier = keras.Sequential([inputs, *layers, keras.layers.Dense(classes)])
    # A recipe takes the threat model that the run names.
    handed = {n: bound(f"training.train.{n}") for n in ("threat_model", "eval_attack")}
    handed = {n: value for n, value in handed.items() if value is not None}
    method = bound("training.train.method")(classifier, **handed, seed=0)
    perturbation, noise = method.weight_perturbation, method.attack_weights
    found = {
        "network": network,
        **of_network,
        "data": bound("data.tfds_images.name"),
        "image_size": bound("data.tfds_images.image_size"),
        "epochs": epochs,
        "batch": bound("training.train.batch_size"),
        "rate": plain(rate),
        "decay": bound("training.CoupledSGD.coupled_weight_decay", 0.0),
        "kernels_only": bound("training.CoupledSGD.decay_kernels_only", False),
        "momentum": bound("training.CoupledSGD.momentum"),
        "nesterov": bound("training.CoupledSGD.nesterov", False),
        "rule": bound("training.train.checkpoint_rule", "best_robust"),
        "augment": [
            (type(a).__name__, *vars(a).values()) for a in bound("training.train.augment", ())
        ],
        "extra": bound("data.with_extra.fraction"),
        "smoothing": getattr(method, "label_smoothing", 0.0),
        "statistics": method.attack_statistics,
        "scale": plain(method.scale),
        "method": type(method).__name__,
        "awp": None if perturbation is None else plain(perturbation.gamma),
        "noise": None if noise is None else (noise.sigma, noise.parameters),
        "regularizers": [(type(r).__name__, *numbers_of(r)) for r in method.regularizers],
    }
    found |= {key: plain(getattr(method, key)) for key in SETTINGS if hasattr(method, key)}
    optimizer, test_attack = bound("training.train.optimizer"), bound("training.train.test_attack")
    optimizer(learning_rate=0.1)
    found["judged"] = attack_of(test_attack)
    found["callbacks"] = [type(make()).__name__ for make in bound("training.train.callbacks", ())]
    return found | (attack_of(method.attack) if method.attack is not None else {})


def unused():
    """Bindings that nothing used, but for those of what a file's training would call first."""
    later = ("models.", "data.", "training.train", "gin.macro", "training.one_cycle")
    bindings = set(config._list_bindings(gin.config._CONFIG)) - config._list_used_bindings()
    return [b for b in bindings if not b[1].removeprefix("tfrobust.").startswith(later)]


NO_ATTACK = ("Natural", "Free")
OF_ATTACK = ("norm", "epsilon", "steps", "step", "start", "objective", "stepper", "attack_reach")


def said(name):
    merged = {}
    for pattern, fields in SAID:
        if fnmatch.fnmatchcase(name, pattern):
            merged |= fields
    return {key: value for key, value in merged.items() if not (key == "beta" and value is None)}


@pytest.fixture(scope="module")
def substitutes(tmp_path_factory):
    path = tmp_path_factory.mktemp("natural") / "natural.keras"
    layers = [keras.layers.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]
    keras.Sequential(layers).save(path)
    return {"NATURAL": str(path)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_its_paper_says(name, substitutes):
    wanted, found = said(name), configured(name, substitutes)
    assert unused() == []
    needed = {"network", "data", "batch", "rate", "decay", "method"}
    needed |= set() if wanted["method"] in NO_ATTACK else {"epsilon", "steps", "step", "start"}
    assert needed <= set(wanted), "the table says too little of this file"
    if wanted["method"] in NO_ATTACK:
        wanted = {k: v for k, v in wanted.items() if k not in OF_ATTACK}
    for key, value in wanted.items():
        if isinstance(value, float) or key == "rate":
            assert flat(found[key]) == pytest.approx(flat(value), rel=1e-12), key
        else:
            assert found[key] == value, key


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, (tuple, list)) else [value]
