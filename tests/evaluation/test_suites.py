"""Suites: what each name stands for, and that no name stands for anything else."""

import dataclasses

import keras
import pytest

from tfrobust.attacks import APGD, PGD, Adam, Uniform
from tfrobust.attacks.carlini_wagner import cw_20
from tfrobust.attacks.fab import FAB
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.transfer import Transfer
from tfrobust.errors import UserError
from tfrobust.evaluation.presets import ALIASES
from tfrobust.evaluation.suites import NAMED, SUITES, Suite, as_suite, custom, list_suites, suite
from tfrobust.losses import DLR, Margin, TargetedDLR
from tfrobust.losses.logit_objectives import LogitDifference
from tfrobust.threat_models import L1, L2, Linf

EPS = Linf("8/255")
CE = APGD(EPS)
TARGETED = APGD(EPS, TargetedDLR(), targets=9)
BLACK_BOX = {"atlas_blackbox", "rat_blackbox"}
DECAY = {"factors": (0.1, 0.01)}


def made(name, threat_model=EPS):
    return dict(suite(name, threat_model).attacks)


def test_autoattack():
    square, fab_t = Square(EPS, queries=5000), FAB(EPS, steps=100, targets=9)
    standard = [("apgd-ce", CE), ("apgd-t", TARGETED), ("fab-t", fab_t), ("square", square)]
    assert suite("autoattack", EPS).attacks == tuple(standard)
    assert (
        suite("autoattack", EPS) == suite("aa_standard", EPS) == suite("autoattack_standard", EPS)
    )
    assert suite("autoattack", EPS).name == "autoattack_standard"
    assert suite("autoattack_plus", EPS).attacks == (
        ("apgd-ce", APGD(EPS, restarts=5)),
        ("apgd-dlr", APGD(EPS, DLR(), restarts=5)),
        ("fab", FAB(EPS, steps=100, restarts=5)),
        ("square", square),
        ("apgd-t", TARGETED),
        ("fab-t", fab_t),
    )
    rand = [("apgd-ce", APGD(EPS, eot=20)), ("apgd-dlr", APGD(EPS, DLR(), eot=20))]
    assert suite("autoattack_rand", EPS).attacks == tuple(rand)
    assert dict(suite("autoattack", L2(0.5)).attacks)["apgd-ce"] == APGD(L2(0.5))


def test_autoattack_in_l1_has_restarts_and_larger_radii():
    l1 = L1(12)
    assert suite("autoattack", l1).attacks == (
        ("apgd-ce", APGD(l1, restarts=5, larger_radii=True)),
        ("apgd-t", APGD(l1, TargetedDLR(), targets=5, larger_radii=True)),
        ("fab-t", FAB(l1, steps=100, targets=9)),
        ("square", Square(l1, queries=5000)),
    )
    rand = [("apgd-ce", APGD(l1, eot=20)), ("apgd-dlr", APGD(l1, DLR(), eot=20))]
    assert suite("autoattack_rand", l1).attacks == tuple(rand)


def adam(objective, steps, restarts, milestones=(), **options):
    stepper = Adam(milestones=milestones, **(DECAY if milestones else {}))
    options = {"selection": "any", **options}
    return PGD(EPS, objective, steps, step_size=0.1, stepper=stepper, restarts=restarts, **options)


def test_the_papers():
    far, targets = Linf(0.3), {"targets": "all"}
    unclipped = {"start": Uniform(clip=False)}
    expected = {
        "atlas_pgd20": {"pgd-20": PGD(EPS, steps=20, step_size="2/255", selection="any")},
        "atlas_pgd1000": {"pgd-1000": PGD(EPS, steps=1000, step_size="2/255", selection="any")},
        "atlas_valid_cifar": {"pgd-10": PGD(EPS, steps=10, step_size=0.007, selection="any")},
        "atlas_valid_mnist": {"pgd-20": PGD(EPS, steps=20, step_size=0.01, selection="any")},
        "atlas_unt_wrn": {"unt": adam(Margin(), 100, 10, (50, 75))},
        "atlas_unt_cnn": {"unt": adam(Margin(), 50, 20, (25, 38))},
        "atlas_multit_wrn": {"multi-t": adam(LogitDifference(), 20, 5, **targets)},
        "atlas_multit_cnn": {"multi-t": adam(LogitDifference(), 50, 20, **targets)},
        "atlas_rays": {"rays": RayS(EPS, queries=40000)},
        "rat_pgd20": {"pgd-20": PGD(EPS, steps=20, step_size=0.003, **unclipped)},
        "rat_cw20": {"cw-20": PGD(EPS, Margin(50.0), 20, step_size=0.003, **unclipped)},
        "rat_svhn": {
            "pgd-20": PGD(EPS, steps=20, step_size="1/255", **unclipped),
            "cw-20": cw_20(EPS, step_size="1/255"),
        },
        "rat_rays": {"rays": RayS(EPS, queries=10000)},
        "fait_pgd100": {"pgd-100": PGD(EPS, steps=100, step_size="2/255")},
        "llr_untargeted": {"untargeted": adam(Margin(), 200, 20, (100, 150))},
        "llr_multit": {"multi-targeted": adam(LogitDifference(), 200, 20, **targets)},
        "llr_randt": {
            "random-targeted": adam(
                LogitDifference(), 200, 20, (100, 150), targets="random", success="target"
            )
        },
        "llr_fgsm20": {"fgsm-20": PGD(EPS, steps=20, relative_step_size="1/10")},
        "llr_pgd50": {"pgd-50": PGD(EPS, steps=50, step_size=0.1, stepper=Adam())},
        "llr_pgd50_code": {
            "pgd-50": PGD(EPS, Margin(30.0), steps=50, step_size=0.1, stepper=Adam())
        },
        "pgd_20": {"pgd-20": PGD(EPS, steps=20)},
    }
    for name, attacks in expected.items():
        assert made(name) == attacks, name
    assert made("atlas_pgd20", far)["pgd-20"].step_size == 0.01
    l2 = L2("128/255")
    assert made("rat_l2", l2) == {"pgd-20": PGD(l2, steps=20, step_size="15/255", **unclipped)}
    others = {"autoattack_standard", "autoattack_plus", "autoattack_rand", "rat_l2"}
    assert set(NAMED) == set(expected) | others | BLACK_BOX


def test_black_boxes_take_images_from_each_surrogate(tmp_path):
    models = [keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()]) for _ in range(2)]
    last = PGD(EPS, steps=1000, step_size="2/255")
    made = suite("atlas_blackbox", EPS, surrogates=models)
    assert made.attacks == (
        ("pgd-1000-from-0", Transfer(last, (models[0],))),
        ("pgd-1000-from-1", Transfer(last, (models[1],))),
    )
    models[0].save(tmp_path / "a.keras")
    path = str(tmp_path / "a.keras")
    both = dict(suite("rat_blackbox", EPS, surrogates=[path]).attacks)
    pgd = PGD(EPS, steps=20, step_size=0.003, start=Uniform(clip=False))
    assert both == {
        "pgd-20-from-0": Transfer(pgd, (path,)),
        "cw-20-from-0": Transfer(cw_20(EPS), (path,)),
    }


def test_a_surrogate_counts_by_its_weights():
    def made(value):
        ones = keras.initializers.Constant(value)
        layers = [keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer=ones)]
        model = keras.Sequential([keras.Input((2, 2, 1)), *layers])
        return suite("rat_blackbox", EPS, surrogates=[model]).hash

    assert made(1.0) == made(1.0) != made(2.0)


@pytest.mark.parametrize("name", sorted(set(NAMED) - BLACK_BOX))
def test_every_suite_comes_back_from_its_configuration(name):
    made = suite(name, L2(0.5) if name == "rat_l2" else EPS)
    config = keras.saving.serialize_keras_object(made)
    again = keras.saving.deserialize_keras_object(config)
    assert again == made and again.hash == made.hash and repr(again) == repr(made)


def test_names_are_listed():
    assert set(SUITES) == set(ALIASES) | set(NAMED) == set(list_suites())
    with pytest.raises(UserError, match="There is no suite 'auto'.*autoattack_standard"):
        suite("auto", EPS)


def test_a_name_belongs_to_one_configuration():
    standard = suite("pgd_20", EPS)
    longer = (("pgd-20", PGD(EPS, steps=21)),)
    for wrong in ({"attacks": longer}, {"attacks": (("pgd", PGD(EPS, steps=20)),)}):
        with pytest.raises(UserError, match="belongs to another list"):
            dataclasses.replace(standard, **wrong)
    with pytest.raises(UserError, match="belongs to another list"):
        Suite("autoattack", suite("autoattack", EPS).attacks)
    assert custom(longer).name == "custom"
    assert dataclasses.replace(standard, individual=True).name == "pgd_20"


def test_the_hash_sees_every_setting_and_no_file_names():
    made = [
        custom({"pgd": PGD(EPS, steps=20)}),
        custom({"pgd": PGD(EPS, steps=21)}),
        custom({"other": PGD(EPS, steps=20)}),
        custom({"pgd": PGD(Linf("9/255"), steps=20)}),
        custom({"pgd": PGD(EPS, steps=20)}, individual=True),
        custom({"pgd": PGD(EPS, steps=20), "apgd": CE}),
        custom({"apgd": CE, "pgd": PGD(EPS, steps=20)}),
    ]
    assert len({suite.hash for suite in made}) == len(made)
    assert custom([("pgd-20", PGD(EPS, steps=20))]).hash == suite("pgd_20", EPS).hash
    assert all(len(suite.hash) == 12 and int(suite.hash, 16) >= 0 for suite in made)


def test_whatever_a_caller_has():
    pgd = PGD(EPS)
    assert as_suite("pgd_20", EPS) == suite("pgd_20", EPS) == as_suite(suite("pgd_20", EPS))
    assert (
        as_suite(pgd)
        == as_suite([("pgd", pgd)])
        == as_suite({"pgd": pgd}, EPS)
        == custom([["pgd", pgd]])
    )
    with pytest.raises(UserError, match="not threat_model"):
        as_suite(pgd, Linf(0.1))
    with pytest.raises(UserError, match="`threat_model`"):
        as_suite("pgd_20")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: suite("rat_pgd20", L2(0.5)), "made for Linf. "),
        (lambda: suite("autoattack_plus", L1(12)), "made for Linf and L2. "),
        (lambda: suite("rat_l2", EPS), "made for L2. "),
        (lambda: suite("atlas_blackbox", EPS), "give them as `surrogates`"),
        (lambda: suite("pgd_20", EPS, surrogates=["a.keras"]), "takes no `surrogates`"),
        (lambda: custom([]), "pairs of a name and an attack"),
        (lambda: custom(3), "pairs of a name and an attack"),
        (lambda: custom([CE]), r"is a pair \(name, attack\)"),
        (lambda: custom([("a", 3)]), "of kind Attack"),
        (lambda: custom([("a", CE), ("a", CE)]), "different names"),
        (lambda: custom([("a", CE), ("b", PGD(Linf(0.1)))]), "same threat model"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make()
