"""A recipe is the composition that its paper describes, no more and no less."""

import inspect

import pytest

from tfrobust import models, recipes
from tfrobust.attacks import PGD, Adam, Clean, Corner, EarlyStop, Gaussian, Uniform
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, LinearityError, LossClipping, SquaredNorm, ToClean, ToLabel
from tfrobust.methods import (
    ADV,
    ATLAS,
    FAIT,
    GAIRAT,
    GAT,
    HAT,
    LLR,
    MART,
    TRADES,
    CertifiedTraining,
    Free,
    GaussianNoise,
    Natural,
    SmoothAdv,
)
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.regularizers import (
    Curvature,
    GapLabels,
    GradientAlignment,
    Jacobian,
    MaximalEntropy,
    TaylorTerms,
)
from tfrobust.threat_models import L1, L2, Linf
from tfrobust.weights import AWP, WeightNoise

E = Linf("8/255")
SQUARED = Bregman(SquaredNorm())
RAMP = LinearRamp(15)
TEN = {"steps": 10, "relative_step_size": 0.25}
CE = PGD(E, **TEN)
KL = PGD(E, ToClean(), start=Gaussian(0.001), **TEN)
ONE_CE = PGD(E, steps=1, relative_step_size=1.25)
ONE_KL = PGD(E, ToClean(), steps=1, relative_step_size=1.25, start=Uniform())
HELPER = models.digits_cnn()


def keep(attack, *steps):
    return PGD.from_config({**attack.get_config(), "keep": list(steps)})


# Recipe -> its options, and the same in classes. A new recipe needs a row here.
COMPOSITIONS = {
    "natural": ({}, lambda c, **o: Natural(c, **o)),
    "jac": ({}, lambda c, **o: Natural(c, regularizers=[Jacobian(0.5, "clean")], **o)),
    "cure": ({}, lambda c, **o: Natural(c, regularizers=[Curvature(4.0, h=1.5)], **o)),
    "ibp": (
        {"ramp_epochs": 20},
        lambda c, **o: CertifiedTraining(
            c, E, kappa=LinearRamp(20, 1.0, 0.5, 1.0), scale=LinearRamp(20, after=1.0), **o
        ),
    ),
    "crown_ibp": (
        {},
        lambda c, **o: CertifiedTraining(
            c,
            E,
            kappa=LinearRamp(30, 1.0, 0.0, 1.0),
            crown=LinearRamp(30, 1.0, 0.0, 1.0),
            scale=LinearRamp(30, after=1.0),
            **o,
        ),
    ),
    "gaussian_noise": ({"sigma": 0.5}, lambda c, **o: GaussianNoise(c, sigma=0.5, **o)),
    "smooth_adv": (
        {"samples": 4},
        lambda c, **o: SmoothAdv(c, CE, sigma=0.25, samples=4, scale=LinearRamp(10), **o),
    ),
    "adv": ({}, lambda c, **o: ADV(c, CE, **o)),
    "fat": (
        {},
        lambda c, **o: ADV(
            c,
            PGD(E, freeze=EarlyStop(Steps((50, 90), (0, 1, 2))), step_noise=0.001, **TEN),
            **o,
        ),
    ),
    "gairat": ({}, lambda c, **o: GAIRAT(c, CE, burn_in=59, **o)),
    "mart": ({}, lambda c, **o: MART(c, PGD(E, start=Gaussian(0.001), **TEN), beta=5.0, **o)),
    "grad_align": (
        {},
        lambda c, **o: ADV(
            c,
            PGD(E, steps=1, relative_step_size=1.25, start=Clean()),
            regularizers=[GradientAlignment(0.2, threat_model=E)],
            **o,
        ),
    ),
    "gat": (
        {},
        lambda c, **o: GAT(
            c, PGD(E, steps=1, relative_step_size=1.0, start=Corner(0.5)), beta=10.0, **o
        ),
    ),
    "free": (
        {"batch_shape": (4, 8, 8, 1)},
        lambda c, **o: Free(c, E, batch_shape=(4, 8, 8, 1), clip_to_box=True, **o),
    ),
    "trades": ({}, lambda c, **o: TRADES(c, KL, beta=6.0, **o)),
    "trades_mer": (
        {},
        lambda c, **o: TRADES(c, KL, beta=21.0, regularizers=[MaximalEntropy(1.0)], **o),
    ),
    "score": (
        {},
        lambda c, **o: TRADES(
            c,
            PGD(E, ToClean(SQUARED), start=Gaussian(0.001), **TEN),
            beta=6.0,
            divergence=SQUARED,
            clipping=LossClipping(0.3),
            **o,
        ),
    ),
    "awp": (
        {},
        lambda c, **o: TRADES(c, KL, weight_perturbation=AWP(Steps((9,), (0.0, 5e-3))), **o),
    ),
    "fat_trades": (
        {},
        lambda c, **o: TRADES(
            c,
            PGD(
                E,
                ToClean(),
                start=Gaussian(0.001, clip=True),
                freeze=EarlyStop(Steps((30, 50, 70), (0, 1, 2, 3))),
                **TEN,
            ),
            **o,
        ),
    ),
    "hat": ({"helper": HELPER}, lambda c, **o: HAT(c, KL, helper=HELPER, **o)),
    "fait": ({}, lambda c, **o: FAIT(c, keep(KL, 2), beta=12.0, **o)),
    "fait_mer": (
        {},
        lambda c, **o: FAIT(c, keep(KL, 2), beta=30.0, regularizers=[MaximalEntropy(1.0)], **o),
    ),
    "atlas": ({}, lambda c, **o: ATLAS(c, ONE_CE, alpha=2e-4, beta=5.0, scale=RAMP, **o)),
    "atlas_l": ({}, lambda c, **o: ATLAS(c, ONE_CE, alpha=2e-4, beta=0.0, scale=RAMP, **o)),
    "atlas_g": ({}, lambda c, **o: ATLAS(c, ONE_CE, alpha=0.0, beta=5.0, scale=RAMP, **o)),
    "trades_jac": (
        {},
        lambda c, **o: TRADES(
            c,
            ONE_KL,
            beta=LinearRamp(15, end=0.5),
            scale=RAMP,
            regularizers=[Jacobian(LinearRamp(15, end=2e-4), "clean")],
            **o,
        ),
    ),
    "llr": (
        {},
        lambda c, **o: LLR(
            c,
            PGD(E, LinearityError(), steps=10, step_size=0.1, stepper=Adam()),
            lam=4.0,
            mu=2.0,
            scale=RAMP,
            **o,
        ),
    ),
    "llr_gamma": (
        {},
        lambda c, **o: LLR(
            c,
            PGD(E, LinearityError(), steps=10, step_size=0.1, stepper=Adam()),
            lam=4.0,
            mu=0.0,
            scale=RAMP,
            **o,
        ),
    ),
    "rat": (
        {},
        lambda c, **o: TRADES(
            c,
            KL,
            regularizers=[TaylorTerms(0.3, order=1, form="finite")],
            attack_weights=WeightNoise(0.01),
            **o,
        ),
    ),
    "rat_adv": (
        {},
        lambda c, **o: ADV(
            c,
            CE,
            regularizers=[TaylorTerms(0.2, order=2, form="finite")],
            attack_weights=WeightNoise(0.01),
            **o,
        ),
    ),
    "rat_reference": (
        {},
        lambda c, **o: TRADES(
            c,
            KL,
            regularizers=[GapLabels(0.2)],
            attack_weights=WeightNoise(1e-4, parameters="conv_kernels"),
            **o,
        ),
    ),
}


@pytest.fixture(scope="module")
def classifier():
    return models.digits_cnn(activation="softplus")


def settings(method):
    return {k: v for k, v in method.get_config().items() if k not in {"classifier", "name"}}


@pytest.mark.parametrize("name", recipes.__all__)
def test_a_recipe_is_its_composition(classifier, name):
    if name not in COMPOSITIONS:
        pytest.fail(
            f"recipes.{name} has no row in COMPOSITIONS of {__file__}: write what it composes."
        )
    options, compose = COMPOSITIONS[name]
    made = getattr(recipes, name)(classifier, "Linf", "8/255", seed=3, **options)
    assert settings(made) == settings(compose(classifier, eval_attack=CE, seed=3))


@pytest.mark.parametrize("name", recipes.__all__)
def test_recipes_take_the_threat_model_alike(name):
    parameters = list(inspect.signature(getattr(recipes, name)).parameters.values())
    assert [p.name for p in parameters[:3]] == ["classifier", "threat_model", "epsilon"]
    assert parameters[2].default is None
    assert all(p.kind == p.KEYWORD_ONLY for p in parameters[3:-1])
    assert parameters[-1].kind == inspect.Parameter.VAR_KEYWORD


def test_a_threat_model_has_a_name_or_is_one(classifier):
    named = recipes.adv(classifier, "L2", "128/255")
    given = recipes.adv(classifier, L2("128/255"))
    assert settings(named) == settings(given)
    # 15/255 at 128/255.
    assert named.attack.relative_step_size * L2("128/255").radius() == pytest.approx(15 / 255)
    assert recipes.trades(classifier, "L1", 12).attack.threat_model == L1(12)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("linf", "8/255"), "must be one of .*'Linf', 'L2', 'L1'.*threat_model='linf'"),
        (("Linf",), r"radius is missing.*\('Linf', '8/255'\)"),
        ((E, "8/255"), "has its own radius.*epsilon='8/255'"),
        ((0.1,), "threat_model=0.1"),
        (("Linf", 8), "Did you mean '8/255'"),
    ],
)
def test_what_is_no_threat_model_is_told(classifier, arguments, told):
    with pytest.raises(UserError, match=told):
        recipes.trades(classifier, *arguments)


def test_options_go_on_to_the_method(classifier):
    mine = MaximalEntropy(0.5, "adversarial")
    made = recipes.rat(
        classifier, E, regularizers=[mine], eval_attack=None, weight_perturbation=AWP()
    )
    assert [type(r) for r in made.regularizers] == [TaylorTerms, MaximalEntropy]
    assert made.eval_attack is None and made.weight_perturbation == AWP()
    squared = recipes.trades_mer(classifier, E, divergence=SQUARED, adversarial_entropy=0.5)
    assert squared.attack.objective == ToClean(SQUARED)
    assert squared.regularizers == (
        MaximalEntropy(1.0, "clean", SQUARED),
        MaximalEntropy(0.5, "adversarial", SQUARED),
    )
    assert recipes.adv(classifier, E, divergence=SQUARED).attack.objective == ToLabel(SQUARED)
    assert recipes.atlas(classifier, E, ramp_epochs=0).scale == 1.0
    assert recipes.fait(classifier, E, steps=5, intermediate=4).attack.keep == (4,)
