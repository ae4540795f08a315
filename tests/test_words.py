"""Every part says in a few words what it is."""

import dataclasses

import pytest

import tfrobust
from tfrobust import attacks, losses, methods, models, regularizers, threat_models, weights
from tfrobust.ops import schedules
from tfrobust.spec import Spec

LINF = tfrobust.Linf("8/255")
# Whatever has an argument without a default.
GIVEN = {
    "threat_model": LINF,
    "epsilon": "8/255",
    "attack": attacks.PGD(LINF),
    "surrogates": (models.digits_cnn,),
    "gamma": 0.01,
    "epochs": 10.0,
    "boundaries": (75, 90),
    "values": (0.1, 0.01, 0.001),
    "then": tfrobust.LinearRamp(5.0, end=4.0),
    "std": 0.1,
    "steps": 10,
}
NEEDED = {"threat_model": LINF, "batch_shape": (4, 8, 8, 1), "burn_in": 0}
# Methods that take no other attack.
ATTACKS = {"FAIT": attacks.PGD(LINF, keep=(2,))}
OWN = {
    schedules.PiecewiseLinear: {"epochs": (0.0, 15.0, 30.0)},
    schedules.Steps: {"boundaries": (75, 90)},
    regularizers.GradientAlignment: {"threat_model": LINF},
}
ROOMS = (attacks, losses, regularizers, threat_models, weights, schedules)
ABSTRACT = {"Attack", "IterativeAttack", "Freeze", "Start", "Stepper", "Objective", "Potential"}
ABSTRACT |= {"Regularizer", "WeightPerturbation", "Schedule", "ThreatModel", "Spec"}


def public_parts():
    """One of each public value, and what the functions of `attacks` make."""
    for room in ROOMS:
        for name, value in vars(room).items():
            if isinstance(value, type) and issubclass(value, Spec) and name not in ABSTRACT:
                needed = [
                    f.name for f in dataclasses.fields(value) if f.default is dataclasses.MISSING
                ]
                given = {name: GIVEN[name] for name in needed}
                yield value(**{**given, **OWN.get(value, {})})
    makers = ("adam_pgd", "cw_20", "fgsm", "fgsm_rs", "multi_targeted", "random_targeted")
    yield from (getattr(attacks, name)(LINF) for name in (*makers, "untargeted_margin"))


def check(text):
    assert 0 < len(text) <= 80 and "(" not in text and "object at" not in text, text


def test_every_public_part_has_words():
    kinds = set()
    for part in public_parts():
        check(part.describe())
        kinds.add(type(part))
    assert len(kinds) > 35


@pytest.mark.filterwarnings("ignore:Layer")  # LLR's, of kinks.
def test_every_method_has_words():
    classifier = models.digits_cnn()
    for name in methods.__all__:
        method = getattr(methods, name)
        if name == "AdversarialModel":
            continue
        options = (
            {"attack": ATTACKS.get(name, attacks.PGD(LINF))} if "attack" in method.settings else {}
        )
        needed = {**NEEDED, "helper": models.digits_cnn()}
        options |= {n: v for n, v in needed.items() if n in method.settings}
        check(method(classifier, **options).describe())
        assert method(classifier, **options).describe().startswith(name)
    recipe = tfrobust.recipes.trades_mer(classifier, "Linf", "8/255")
    assert recipe.describe() == "TRADES + MER"
    assert tfrobust.recipes.awp(classifier, "Linf", "8/255").describe() == "TRADES + AWP"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (LINF, "Linf 8/255"),
        (tfrobust.L2(0.5), "L2 0.5"),
        (attacks.PGD(LINF, steps=20, step_size=0.015), "PGD-20, 20 steps of 0.015"),
        (attacks.PGD(LINF), "PGD-10, 10 steps of 2/255"),
        (attacks.PGD(LINF, steps=7, step_size="2/255"), "PGD-7, 7 steps of 2/255"),
        (attacks.PGD(tfrobust.Linf(0.15), steps=20, relative_step_size=0.1), "PGD-20, 20 steps of 0.015"),
        (attacks.PGD(LINF, keep=(2,)), "PGD-10, 10 steps of 2/255, iterate 2 kept"),
        (
            attacks.PGD(tfrobust.Linf(0.3), steps=20, step_size=0.01, start=attacks.Gaussian()),
            "PGD-20, 20 steps of 0.01, at most 0.2 from the clean image, start Gaussian",
        ),
        (
            attacks.PGD(LINF, steps=3, start=attacks.Clean()),
            "PGD-3, 3 steps of 2/255, at most 6/255 from the clean image, start Clean",
        ),
        (attacks.fgsm(LINF), "PGD-1, 1 step of 8/255, start Clean"),
        (attacks.fgsm_rs(LINF), "PGD-1, 1 step of 10/255"),
        (attacks.APGD(LINF, restarts=5), "APGD, 5 restarts"),
        (weights.AWP(tfrobust.LinearRamp(5.0, end=0.01)), "AWP, gamma 0 to 0.01 over 5 epochs"),
        (regularizers.MaximalEntropy(2.0), "MER, weight 2"),
        (losses.Bregman(losses.SquaredNorm()), "squared error"),
        (schedules.Steps((75,), (0.1, 0.01)), "Steps, boundaries 75, values 0.1 and 0.01"),
    ],
)  # fmt: skip
def test_words(part, words):
    assert part.describe() == words


def test_different_settings_have_different_words():
    ten, twenty = attacks.PGD(LINF, steps=10), attacks.PGD(LINF, steps=20)
    assert ten.describe() != twenty.describe()
    assert attacks.PGD(LINF, step_size=0.01).describe() != ten.describe()
    assert attacks.PGD(LINF, restarts=2).describe() != ten.describe()


def test_what_does_not_fit_is_cut_between_settings():
    attack = attacks.random_targeted(LINF)
    assert attack.describe().startswith("PGD-200, 200 steps of 0.1, ")
    many = attacks.PGD(
        LINF, losses.LogitDifference(), steps=200, step_size=0.1, restarts=20, targets=9, eot=20,
        selection="any", stepper=attacks.Adam(), start=attacks.Gaussian(0.001), step_noise=0.001,
    )  # fmt: skip
    assert many.describe().endswith(", ...") and len(many.describe()) <= 80
