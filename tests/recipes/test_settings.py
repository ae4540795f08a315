"""Every setting of every recipe changes its method, and a wrong value is refused by its name."""

import inspect

import pytest

from tfrobust import models, recipes
from tfrobust.attacks import Gaussian
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, SquaredNorm
from tfrobust.ops.uncertainty.probability import load_distributions


def make_laplace(weight):
    distributions = load_distributions()
    return distributions.Sample(distributions.Laplace(0.0, 1.0), weight.shape)


# A value of each setting that differs from the default of every recipe.
VALUES = {
    "adversarial_entropy": 0.3,
    "alpha": 0.7,
    "batch_shape": (4, 8, 8, 1),
    "beta": 1.5,
    "burn_in": 7.0,
    "clip_to_box": False,
    "distribution": make_laplace,
    "divergence": Bregman(SquaredNorm()),
    "entropy": 0.3,
    "eta": 0.7,
    "form": "exact",
    "gamma": 0.07,
    "h": 0.3,
    "helper": "natural",
    "intermediate": 3,
    "kappa": 0.3,
    "kind": "rademacher",
    "lam": 1.0,
    "mu": 5.0,
    "noise": 0.01,
    "offset": 0.5,
    "order": {1: 2, 2: 1},
    "power": 1,
    "projections": 2,
    "ramp_epochs": 3,
    "replays": 2,
    "samples": 3,
    "second_weight": 0.1,
    "sigma": 0.05,
    "size": 0.2,
    "slack": 0.2,
    "start": Gaussian(0.02),
    "statistics": "batch",
    "step_size": 0.01,
    "steps": 5,
    "tolerance": 1,
    "w_nom": 1.0,
    "warm_up": 4,
    "weight": 0.7,
    "weighting": "sigmoid",
}
WRONG = (-1, None, [], float("nan"), "wrong", {})
# Wrong elsewhere, and right for these: None asks for the default.
ALLOWED = {
    "step_size": (None,),
    "distribution": (None,),
    "eta": (None,),
    "weight": (None,),
    "start": (None,),
    "offset": (-1,),
}


@pytest.fixture(scope="module")
def compose():
    """Function from a recipe's name and settings to the configuration of its method."""
    classifiers = {
        n: models.digits_cnn(activation="softplus") for n in ("one", "other", "natural", "third")
    }
    needed = {"helper": "other", "batch_shape": (6, 8, 8, 1)}

    def composed(name, **settings):
        recipe = getattr(recipes, name)
        given = {k: v for k, v in needed.items() if k in inspect.signature(recipe).parameters}
        given |= {"classifier": "one", "threat_model": "Linf", "epsilon": 0.1} | settings
        for key in given.keys() & {"classifier", "helper"}:
            if isinstance(given[key], str):
                given[key] = classifiers.get(given[key], given[key])
        config = recipe(**given).get_config()
        return {k: v for k, v in config.items() if k != "name"}

    return composed


def own_settings():
    for name in recipes.__all__:
        for parameter in inspect.signature(getattr(recipes, name)).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                yield pytest.param(name, parameter.name, id=f"{name}-{parameter.name}")


@pytest.mark.parametrize(("name", "setting"), list(own_settings()))
def test_every_setting_changes_the_method(compose, name, setting):
    assert setting in VALUES, f"Add a value of recipes.{name}({setting}=) to VALUES in {__file__}."
    value = VALUES[setting]
    default = inspect.signature(getattr(recipes, name)).parameters[setting].default
    value = value[default] if isinstance(value, dict) else value
    assert compose(name, **{setting: value}) != compose(name)


@pytest.mark.parametrize("name", recipes.__all__)
@pytest.mark.parametrize(
    "given",
    [{"threat_model": "L2"}, {"epsilon": 0.2}, {"classifier": "third"}, {"seed": 5}],
    ids=lambda given: next(iter(given)),
)
def test_what_all_recipes_take_changes_the_method(compose, name, given):
    try:
        changed = compose(name, **given)
    except UserError as error:
        # Of the threat models these have one.
        assert name in ("free", "ibp", "crown_ibp") and "Linf" in str(error)
        return
    assert changed != compose(name)


@pytest.mark.parametrize(("name", "setting"), list(own_settings()))
def test_a_wrong_value_is_refused_by_its_name(compose, name, setting):
    for value in WRONG:
        if any(value is allowed for allowed in ALLOWED.get(setting, ())):
            continue
        with pytest.raises(UserError, match=f"`{setting}`"):
            compose(name, **{setting: value})


@pytest.mark.parametrize("name", ["atlas", "trades_jac", "llr", "ibp", "smooth_adv"])
def test_a_ramp_of_no_epochs_is_none(compose, name):
    assert compose(name, ramp_epochs=0)["scale"] == 1.0


def test_what_lasts_no_epochs_is_always_on(compose):
    assert compose("awp", warm_up=0)["weight_perturbation"]["config"]["gamma"] == 5e-3
    assert compose("score", slack=0)["clipping"] is None
