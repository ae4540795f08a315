"""Every accepted setting changes something: a loss, a step of the weights, a search, or it is refused.

The classes and their settings are the package's own lists; a new one fails here until `CASES` has a value for
each of its settings.
"""

import dataclasses
import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import attacks, losses, methods, regularizers, threat_models, weights
from tfrobust.attacks import PGD, Adam, Case, EarlyStop
from tfrobust.errors import UserError
from tfrobust.losses import DLR, Bregman, LogitDifference, Margin, SquaredNorm
from tfrobust.methods import Natural
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import ExampleKeys, keys_of
from tfrobust.ops.uncertainty.probability import load_distributions
from tfrobust.spec import Spec
from tfrobust.threat_models import L1, L2, Linf
from tfrobust.weights import AWP, WeightNoise

RNG = np.random.default_rng(0)
X = RNG.random((6, 4, 4, 1)).astype("float32")
X[:, :2] = RNG.integers(0, 2, (6, 2, 4, 1))  # Where the box is felt.
Y = (np.arange(6) % 3).astype("int32")
SQUARED = Bregman(SquaredNorm())


def make_laplace(weight):
    distributions = load_distributions()
    return distributions.Sample(distributions.Laplace(0.0, 1.0), weight.shape)


# A partial: functions among the settings are called to make a value.
LAPLACE = functools.partial(make_laplace)
BALL, ONE_STEP = Linf(0.1), PGD(Linf(0.1), steps=1)


def classifier(seed=1):
    def initial(number):
        return keras.initializers.GlorotNormal(seed=10 * seed + number)

    parts = [
        keras.layers.Conv2D(2, 3, kernel_initializer=initial(0)),
        BatchNormalization(),
        keras.layers.Activation("tanh"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, kernel_initializer=initial(1)),
    ]
    return keras.Sequential([keras.Input((4, 4, 1)), *parts])


class Given:
    """A value of a setting, beside others that both sides have, or what the base has in its place."""

    def __init__(self, value, base=None, **beside):
        self.value, self.base, self.beside = value, base, beside


# How to look at what a kind of thing does: functions of a built object, to a list of arrays.


def step_of(method):
    """Logs and all variables after a training step, and what `evaluate` reports of an attack."""
    method.compile(keras.optimizers.SGD(0.1))
    method.steps_per_epoch = 2
    logs = method.train_on_batch(X, Y, return_dict=True)
    judged = method.test_on_batch(X, Y, return_dict=True) if method.eval_attack else {}
    return [sorted(logs.items()), sorted(judged.items()), method.name, *method.get_weights()]


def with_regularizer(regularizer):
    return step_of(methods.ADV(classifier(), ONE_STEP, regularizers=[regularizer]))


def with_weights(perturbation):
    return step_of(Natural(classifier(), weight_perturbation=perturbation, name="m"))


def with_clipping(clipping):
    attack = PGD(BALL, steps=1)
    return step_of(methods.TRADES(classifier(), attack, divergence=SQUARED, clipping=clipping))


def network(noise=0.0):
    """Fixed, nonlinear, three classes; with noise its answers depend on how often it was asked."""
    rng, asked = np.random.default_rng(3), [0]
    first, second = (rng.normal(size=s).astype("float32") for s in ((16, 8), (8, 3)))

    def forward(x):
        asked[0] += 1
        logits = tf.tanh((tf.reshape(x, [-1, 16]) - 0.5) @ first) @ second
        return logits + noise * tf.sin(asked[0] + tf.range(3.0)) * tf.reduce_mean(x)

    return forward


def searched(attack):
    """The last states of all runs, row by row; a call's result for what belongs to a call."""
    averages = getattr(attack, "eot", 1) > 1 or attack in NOISY
    model = network(3.0 if averages else 0.0)
    y = np.argmax(network()(X), axis=1).astype("int32")
    compiles, freezes = getattr(attack, "jit_compile", False), getattr(attack, "freeze", None)
    seen = []
    if compiles or freezes or attack.kept_steps:
        found = attack(model, X, y, seed=0)
        seen = [found.x, found.survived, *found.path]
    if compiles:
        return [*seen, "compiled"] if is_compiled(attack, y) else seen
    if freezes:
        return seen
    keys = ExampleKeys(tf.constant(np.arange(12).reshape(6, 2), tf.int32))
    x, radius = tf.constant(X), tf.constant(attack.threat_model.radius(), tf.float32)
    for run in range(attack.runs(3)):
        case = Case(x, tf.constant(y), model(x), tf.fill([6], run), keys.fold_in(run), radius, keys)
        state = attack.begin(case)
        for _ in range(60):
            if bool(tf.reduce_all(state["done"])):
                break
            state = attack.step(model, case, state)
        seen += [state[name] for name in sorted(state)]
    return [np.asarray(value) for value in seen]


def is_compiled(attack, y):
    tf.config.run_functions_eagerly(False)
    try:
        graph = tf.function(lambda x: attack(network(), x, y, seed=0).x, autograph=False)
        return "_XlaMustCompile" in str(graph.get_concrete_function(X).graph.as_graph_def())
    finally:
        tf.config.run_functions_eagerly(True)


def with_start(start):
    return searched(PGD(BALL, Margin(), steps=2, start=start))


def with_stepper(stepper):
    return searched(PGD(BALL, Margin(), steps=3, step_size=0.02, stepper=stepper))


def with_freeze(freeze):
    return searched(PGD(Linf(0.4), steps=3, freeze=freeze))


def climbed(objective):
    logits = tf.constant(RNG_LOGITS)
    reference = tf.constant(RNG_LOGITS[::-1].copy())
    return [objective(Y, logits, reference, None)]


def linearity(objective):
    return [PGD(Linf(0.3), objective, steps=2)(network(), X, Y, seed=0).x]


def compared(divergence):
    return [divergence(tf.constant(RNG_LOGITS), tf.constant(RNG_LOGITS[::-1].copy()))]


def moved(threat_model):
    point = threat_model.random_surface_point(tf.constant(X), threat_model.radius(), keys_of(0))
    outside = tf.constant(3.0 * X[::-1] - 1.0)
    return [threat_model.project(outside, tf.constant(X), threat_model.radius()), point]


def as_it_is(value):
    return [repr(value)]


RNG_LOGITS = np.random.default_rng(5).normal(size=(6, 3)).astype("float32") * 2.0
CLIPPED = losses.LossClipping(0.9)
METHOD = {
    "classifier": lambda: classifier(2),
    "attack": PGD(Linf(0.2), steps=1),
    "regularizers": [regularizers.MaximalEntropy(1.0)],
    "weight_perturbation": AWP(0.1),
    "attack_weights": WeightNoise(0.5),
    "scale": 0.5,
    "eval_attack": PGD(Linf(0.2), steps=1),
    "attack_statistics": "batch",
    "seed": 5,
    "name": "other",
    "divergence": SQUARED,
    "label_divergence": SQUARED,
    "label_smoothing": 0.1,
    "beta": 2.0,
    "alpha": 0.3,
    "clipping": Given(CLIPPED, divergence=SQUARED),
    "projections": 2,
    "kind": "rademacher",
}
NAMED = {"classifier": classifier, "attack": ONE_STEP, "name": "m"}
ATTACK = {"threat_model": Linf(0.2), "steps": 3, "restarts": 2}
KEPT = PGD(BALL, steps=2, keep=(1,))
# Attacks whose `eot` is compared with 1: both sides see the model with noise.
NOISY = (PGD(BALL, Margin(), steps=2, eot=1, start=attacks.Clean()), attacks.APGD(BALL, steps=3))

# Class -> how it is looked at, its base, and a value of each setting (beside those of its kind).
CASES = {
    "ADV": (step_of, NAMED, METHOD),
    "ATLAS": (
        step_of,
        {**NAMED, "alpha": 0.1, "beta": 1.0},
        {
            **METHOD,
            "smoothness_divergence": SQUARED,
            "clipping": Given(CLIPPED, divergence=SQUARED, smoothness_divergence=SQUARED),
        },
    ),
    "FAIT": (
        step_of,
        {**NAMED, "attack": KEPT},
        {**METHOD, "attack": dataclasses.replace(KEPT, threat_model=Linf(0.2))},
    ),
    "GAIRAT": (
        step_of,
        {**NAMED, "attack": PGD(Linf(0.4), steps=3), "burn_in": 0.0},
        {**METHOD, "attack": ONE_STEP, "burn_in": 9.0, "offset": 0.5, "weighting": "sigmoid"},
    ),
    "GAT": (
        step_of,
        {**NAMED, "attack": PGD(BALL, steps=1, start=attacks.Corner(0.5))},
        {
            **METHOD,
            "divergence": Bregman(),
            "alternate": False,
            "clipping": Given(CLIPPED, label_divergence=SQUARED),
        },
    ),
    "HAT": (
        step_of,
        {**NAMED, "helper": lambda: classifier(3)},
        {
            **METHOD,
            "helper": lambda: classifier(4),
            "gamma": 2.0,
            "reach": 3.0,
            "adversarial_label": True,
            "clipping": Given(losses.LossClipping(0.1, "divergence"), divergence=SQUARED),
        },
    ),
    "LLR": (
        step_of,
        {**NAMED, "attack": PGD(Linf(0.3), losses.LinearityError(), steps=2)},
        {
            **METHOD,
            "attack": PGD(Linf(0.1), losses.LinearityError(), steps=1),
            "lam": 1.0,
            "mu": 5.0,
            "w_nom": 1.0,
        },
    ),
    "MART": (step_of, NAMED, {**METHOD, "offset": 0.3}),
    "TRADES": (step_of, NAMED, METHOD),
    "Free": (
        step_of,
        {
            "classifier": classifier,
            "threat_model": BALL,
            "batch_shape": (6, 4, 4, 1),
            "replays": 3,
            "name": "m",
        },
        {
            **METHOD,
            "threat_model": Linf(0.2),
            "batch_shape": (4, 4, 4, 1),
            "replays": 2,
            "step_size": 0.03,
            "clip_to_box": True,
            "seed": Given(5, regularizers=[regularizers.Jacobian(0.1)]),
        },
    ),
    "Natural": (
        step_of,
        {"classifier": classifier, "name": "m"},
        {**METHOD, "seed": Given(5, weight_perturbation=WeightNoise(0.5))},
    ),
    "GaussianNoise": (
        step_of,
        {"classifier": classifier, "name": "m"},
        {**METHOD, "sigma": 0.5},
    ),
    "SmoothAdv": (step_of, NAMED, {**METHOD, "sigma": 0.5, "samples": 3}),
    "CertifiedTraining": (
        step_of,
        {"classifier": classifier, "threat_model": BALL, "name": "m"},
        {
            **METHOD,
            "threat_model": Linf(0.2),
            "kappa": 0.2,
            "crown": 0.7,
            "seed": Given(5, regularizers=[regularizers.Jacobian(0.1)]),
        },
    ),
    "Curvature": (
        with_regularizer,
        {},
        {"weight": 2.0, "h": 0.5, "power": 1, "point": "adversarial", "statistics": "batch"},
    ),
    "GapLabels": (
        with_regularizer,
        {},
        {
            "weight": 0.5,
            "order": 1,
            "second_weight": 0.1,
            "reduce_clean_loss": False,
            "fix_second_order_slip": True,
        },
    ),
    "GradientAlignment": (
        with_regularizer,
        {"threat_model": BALL},
        {"weight": 2.0, "threat_model": Linf(0.3), "scale": 0.5, "detach_clean": True},
    ),
    "Jacobian": (
        with_regularizer,
        {},
        {"weight": 0.1, "point": "adversarial", "projections": 2, "kind": "basis", "half": True},
    ),
    "MaximalEntropy": (
        with_regularizer,
        {},
        {"weight": 0.1, "point": "adversarial", "divergence": SQUARED},
    ),
    "TaylorTerms": (
        with_regularizer,
        {"weight": 3.0, "sigma": 0.3},
        {
            "weight": 1.0,
            "order": 2,
            "form": "finite",
            "sigma": 0.1,
            "noise": "layer_relative",
            "parameters": "all",
            "draws": 2,
            "divergence": losses.HalfSquaredDifference(),
            "points": ("adversarial", "clean"),
            "distribution": LAPLACE,
        },
    ),
    "AWP": (with_weights, {}, {"gamma": 0.1}),
    "WeightNoise": (
        with_weights,
        {"sigma": 0.3},
        {
            "sigma": 0.1,
            "noise": "layer_relative",
            "parameters": "conv_kernels",
            "distribution": LAPLACE,
        },
    ),
    "PGD": (
        searched,
        {"threat_model": BALL, "objective": Margin(), "steps": 2},
        {
            **ATTACK,
            "objective": DLR(),
            "step_size": 0.01,
            "relative_step_size": 0.1,
            "start": attacks.Gaussian(0.05),
            "stepper": Adam(),
            "freeze": Given(EarlyStop(0), threat_model=Linf(0.4), steps=3),
            "step_noise": 0.05,
            "keep": (1,),
            "jit_compile": True,
            "targets": Given(2, 1, objective=LogitDifference()),
            "selection": Given("any", threat_model=Linf(0.4)),
            "success": Given(
                "target", objective=LogitDifference(), targets=2, threat_model=Linf(0.4)
            ),
            "eot": Given(2, start=attacks.Clean()),
        },
    ),
    "APGD": (
        searched,
        {"threat_model": BALL, "steps": 3},
        {
            **ATTACK,
            "steps": 5,
            "objective": DLR(),
            "targets": Given(2, 1, objective=losses.TargetedDLR()),
            "rho": Given(0.0, steps=12),
            "eot": 2,
            "larger_radii": Given(True, threat_model=L1(1.0), steps=10),
        },
    ),
    "FAB": (
        searched,
        {"threat_model": Linf(0.05), "steps": 4},
        {
            **ATTACK,
            "threat_model": Linf(0.4),
            "targets": 2,
            "alpha_max": 0.5,
            "overshoot": 1.3,
            "backward": 0.5,
            "minimal": Given(True, threat_model=Linf(0.4)),
            "final_steps": Given(3, minimal=True, threat_model=Linf(0.4)),
        },
    ),
    "Square": (
        searched,
        {"threat_model": BALL, "queries": 20},
        {
            **ATTACK,
            "queries": 10,
            "initial_share": 0.2,
            "rescale_schedule": Given(True, queries=50),
        },
    ),
    "RayS": (
        searched,
        {"threat_model": Linf(0.9), "queries": 40},
        {"threat_model": L2(0.1), "queries": 10, "stop_at_success": True},
    ),
    "RandomNoise": (searched, {"threat_model": Linf(0.5), "samples": 6}, {**ATTACK, "samples": 1}),
    "Transfer": (
        searched,
        {"attack": ONE_STEP, "surrogates": (classifier(1),)},
        {"attack": PGD(Linf(0.2), steps=1), "surrogates": (classifier(2),)},
    ),
    "Corner": (with_start, {}, {"size": 0.2}),
    "Gaussian": (with_start, {"stddev": 0.05}, {"stddev": 0.01, "clip": True}),
    "Uniform": (with_start, {}, {"clip": False}),
    "Adam": (
        with_stepper,
        {},
        {
            "beta_1": 0.1,
            "beta_2": 0.5,
            "epsilon": 1.0,
            "milestones": Given((2,), (1,), factors=(0.1,)),
            "factors": Given((0.5,), (0.1,), milestones=(1,)),
        },
    ),
    "EarlyStop": (with_freeze, {}, {"tolerance": 2}),
    "Bregman": (compared, {}, {"potential": SquaredNorm()}),
    "LinearityError": (linearity, {}, {"reference_inner_gradient": True}),
    "LossClipping": (with_clipping, {"slack": 0.3}, {"slack": 0.9, "term": "divergence"}),
    "Margin": (climbed, {}, {"confidence": 0.1}),
    "ToClean": (climbed, {}, {"divergence": SQUARED}),
    "OfLikeliestClass": (climbed, {}, {"objective": Margin()}),
    "ToLabel": (climbed, {}, {"divergence": SQUARED}),
    "L1": (moved, {"epsilon": 1.0}, {"epsilon": 0.5}),
    "L2": (moved, {"epsilon": 1.0}, {"epsilon": 0.5, "projection": "box_first"}),
    "Linf": (moved, {"epsilon": 0.1}, {"epsilon": 0.2}),
}
# Functions that make attacks: what they make is another `PGD`.
MADE = {
    **ATTACK,
    "objective": Margin(),
    "relative_step_size": 0.5,
    "step_size": 0.01,
    "decay": False,
    "selection": "last",
    "success": "wrong",
    "targets": 2,
}
MAKERS = {
    "adam_pgd": {**MADE, "targets": Given(2, 1, objective=LogitDifference())},
    **{
        name: MADE
        for name in attacks.__all__
        if "threat_model" in inspect.signature(getattr(attacks, name)).parameters
        and inspect.isfunction(getattr(attacks, name))
        and name != "adam_pgd"
    },
}
CASES |= {name: (as_it_is, {"threat_model": BALL}, values) for name, values in MAKERS.items()}

ROOMS = (methods, regularizers, weights, attacks, losses, threat_models)
WHERE = "to CASES in tests/methods/test_settings.py"


def own_settings(thing):
    """Names of what a class takes, and its bases where it hands `**kwargs` on."""
    names = []
    for kind in thing.__mro__ if inspect.isclass(thing) else (thing,):
        if inspect.isclass(kind) and "__init__" not in vars(kind):
            continue
        parameters = list(inspect.signature(kind).parameters.values())
        names += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(dict.fromkeys(names))


def is_abstract(thing):
    return thing in (methods.AdversarialModel, regularizers.Regularizer, threat_models.ThreatModel)


def all_settings():
    for room in ROOMS:
        for name in room.__all__:
            thing = getattr(room, name)
            has = inspect.isclass(thing) and issubclass(thing, (Spec, keras.Model))
            if (has and not is_abstract(thing)) or name in MAKERS:
                yield from ((room, name, setting) for setting in own_settings(thing))


def built(thing, settings):
    return thing(**{k: v() if inspect.isfunction(v) else v for k, v in settings.items()})


def same(one, other):
    if len(one) != len(other):
        return False
    return all(
        np.array_equal(a, b, equal_nan=True) if hasattr(a, "shape") else a == b
        for a, b in zip(one, other, strict=True)
    )


_BASES = {}


def looked_at(look, thing, settings, cached=None):
    if cached is None or cached not in _BASES:
        keras.utils.set_random_seed(0)
        result = look(built(thing, settings))
        if cached is None:
            return result
        _BASES[cached] = result
    return _BASES[cached]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("room", "name", "setting"), [pytest.param(*s, id=f"{s[1]}-{s[2]}") for s in all_settings()]
)
def test_every_setting_changes_something(room, name, setting, eagerly):
    assert name in CASES, f"Add {name}, with a value for each of its settings, {WHERE}."
    look, base, values = CASES[name]
    assert setting in values, f"Add a value of {name}({setting}=) that changes something {WHERE}."
    thing, value = getattr(room, name), values[setting]
    given = value if isinstance(value, Given) else Given(value)
    before = {**base, **given.beside}
    if given.base is not None:
        before[setting] = given.base
    plain = not given.beside and given.base is None
    former = looked_at(look, thing, before, name if plain else None)
    try:
        now = looked_at(look, thing, {**before, setting: given.value})
    except UserError:
        return  # Said at the door.
    assert not same(former, now), f"{name}({setting}={given.value!r}) changes nothing."
