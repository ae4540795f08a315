"""Configurations: what gin files may say, and what of it is used."""

import pathlib
import re

import pytest

from tfrobust.config.configuration import Configuration
from tfrobust.config.preview import Preview
from tfrobust.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = """
from __gin__ import dynamic_registration
from tfrobust import attacks
from tfrobust import threat_models
from tfrobust.training import plan
"""


def write(tmp_path, text):
    path = tmp_path / "some.gin"
    path.write_text(HEAD + text)
    return str(path)


def test_values_of_the_library_are_built_with_their_own_type_and_recorded(tmp_path):
    text = """
    EPSILON = '8/255'
    train/attacks.PGD.threat_model = @threat_models.Linf()
    attacks.PGD.steps = 3
    train/attacks.PGD.step_size = '2/255'
    threat_models.Linf.epsilon = %EPSILON
    plan.print_plan.experiment = @train/attacks.PGD()
    """
    from tfrobust.training import plan

    configuration = Configuration([write(tmp_path, text.replace("    ", ""))], trust=True)
    call = configuration.bind(plan.print_plan)
    with pytest.raises(AttributeError, match="'PGD' object has no attribute 'method'"):
        call(seconds=0.0)  # an attack is no experiment; but it was built
    configuration.check_all_used()
    assert "train/attacks.PGD.step_size = '2/255'" in configuration.format_used()


def test_the_text_of_a_configuration_does_not_depend_on_what_was_read_before():
    """A run is gone on with by this text, in a process that may have read other files, or none."""
    # The same thing by two names.
    files = {
        "training": "gin/fat_trades.gin",
        "schedules": "gin/paper/cifar10_resnet18/fait.gin",
    }
    texts = [
        {name: Configuration([str(ROOT / files[name])], root=ROOT).given for name in order}
        for order in (("training", "schedules"), ("schedules", "training"))
    ]
    assert texts[0] == texts[1]
    for name, text in texts[0].items():
        assert f"\n{name}.Steps.values = " in text


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("attacks.PGD.stepz = 3", "stepz"),
        ("attacks.PDG.steps = 3", "PDG"),
        ("no_such_module.thing = 3", "no_such_module"),
        ("EPSILON = = 3", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, binding, message):
    with pytest.raises(UserError, match=message) as error:
        Configuration([write(tmp_path, "")], [binding])
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match="no_such.gin"):
        Configuration(["gin/no_such.gin"])
    with pytest.raises(UserError, match="--gin_file"):
        Configuration([])


def test_bindings_that_nothing_used_are_named_under_their_scope(tmp_path):
    text = "threat_models.Linf.epsilon = 0.1\nEPSILN = 0.2\nother/attacks.PGD.steps = 7\n"
    configuration = Configuration([write(tmp_path, text)])
    with pytest.raises(UserError) as error:
        configuration.check_all_used()
    for name in ("threat_models.Linf.epsilon", "EPSILN", "other/attacks.PGD.steps"):
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("binding", "meant"),
    [
        ("batch_size = 16", "'training.train.batch_size'"),  # which the file binds
        ("ACCUMULATION_STEPS = 2", "'training.train.accumulation_steps'"),  # which it could
        ("EPOCH = 3", "'EPOCHS'"),
    ],
)
def test_whoever_forgets_where_an_argument_belongs_is_told(binding, meant):
    with pytest.raises(UserError, match=f"Nothing uses these bindings: .* Did you mean {meant}"):
        Preview(["gin/your_images.gin"], [binding], ROOT).check_macros()


def test_a_binding_is_told_of_the_binding_before_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_data.py").write_text("def load(): ...\n")
    lines = ["import my_data", "training.train.data = @my_data.load"]
    told = "lacks the line 'import my_data': put --gin_bindings='import my_data' before it"
    with pytest.raises(UserError, match=told):
        Preview(["gin/your_images.gin"], lines[1:], ROOT, trust=True)
    Preview(["gin/your_images.gin"], lines, ROOT, trust=True)


def test_every_gin_file_can_be_read():
    files = sorted(ROOT.glob("gin/*.gin")) + sorted(ROOT.glob("gin/paper/**/*.gin"))
    assert files
    for file in files:
        text = Configuration([str(file)], root=ROOT).given
        assert "training.train.method" in text.replace("\n", " ").replace(
            "train:", "training.train."
        )


def names_bound(configuration):
    lines = [line for line in configuration.given.splitlines() if not line.startswith("#")]
    return {line.split(" = ")[0].removesuffix(":").strip() for line in lines if line.strip()}


@pytest.mark.parametrize(
    ("binding", "gone", "kept"),
    [
        ("training.train.epochs = 1", {"EPOCHS"}, {"SEED", "EPSILON", "PEAK_LEARNING_RATE"}),
        ("training.train.seed = 1", {"SEED"}, {"EPOCHS"}),
        ("threat_models.Linf.epsilon = 0.1", {"EPSILON"}, {"EPOCHS"}),
        # What the replaced function was given goes too, and what that was given.
        (
            "training.train.learning_rate = 0.1",
            {"PEAK_LEARNING_RATE", "training.one_cycle.peak", "training.one_cycle.rise"},
            {"EPOCHS", "recipes.trades.beta"},
        ),
        ("training.train.method = @methods.ADV", {"recipes.trades.beta"}, {"EPSILON"}),
    ],
)
def test_what_only_a_replaced_value_used_is_gone(binding, gone, kept):
    whole = names_bound(Configuration(["gin/trades_one_step.gin"], root=ROOT))
    left = names_bound(Configuration(["gin/trades_one_step.gin"], [binding], ROOT))
    plain = {name.split(".")[-1] for name in gone}, {name.split(".")[-1] for name in kept}
    last = [{name.split(".")[-1] for name in names} for names in (whole, left)]
    assert plain[0] <= last[0] and not plain[0] & last[1] and plain[1] <= last[1]


def test_what_was_kept_runs_again_from_the_kept_configuration(tmp_path):
    binding = "training.train.epochs = 1"
    given = Configuration(["gin/trades_mer.gin"], [binding], ROOT).given
    (tmp_path / "config.gin").write_text(given)
    assert Configuration([str(tmp_path / "config.gin")], root=ROOT).given == given


def test_who_writes_both_the_macro_and_what_replaces_it_is_asked():
    bindings = ["training.train.epochs = 1", "EPOCHS = 3"]
    assert "EPOCHS" in names_bound(Configuration(["gin/trades_mer.gin"], bindings, ROOT))


def test_a_file_may_replace_what_it_includes(tmp_path):
    mine = "include 'gin/trades.gin'\nfrom tfrobust import training\nfrom tfrobust import methods\n"
    path = write(
        tmp_path, mine + "training.train.epochs = 2\ntraining.train.seed = %MINE\nMINE = 3\n"
    )
    names = names_bound(Configuration([path], root=ROOT))
    assert "MINE" in names and not {"EPOCHS", "SEED"} & names


DYNAMIC = "from __gin__ import dynamic_registration"
TRAINING = f"{DYNAMIC}\nfrom tfrobust import training\n"


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        # What another file of this process has named is known to gin without those lines.
        ("data.hold_out.size = 3\n", [DYNAMIC, "from tfrobust import data"]),
        (f"{TRAINING}training.train.data = @data.image_folder\n", ["from tfrobust import data"]),
        (f"{DYNAMIC}\ndata.npz.path = 'x'\n", ["from tfrobust import data"]),
        ("from tfrobust import data\ndata.npz.path = 'x'\n", [DYNAMIC]),
        (f"{TRAINING}training.train.optimizer = @keras.optimizers.Adam\n", ["import keras"]),
        (
            f"{TRAINING}training.train.threat_model = @Linf()",
            ["from tfrobust import threat_models"],
        ),
    ],
)
def test_the_missing_lines_are_named_and_no_others(tmp_path, text, lines, trust):
    path = tmp_path / "mine.gin"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Configuration([str(path)], root=ROOT, trust=trust)
    assert re.findall(r"the line '(.*?)'", str(error.value)) == lines
    # With them it says something else, or nothing.
    path.write_text("\n".join([*lines, text.replace("@Linf", "@threat_models.Linf")]))
    try:
        Configuration([str(path)], root=ROOT, trust=trust)
    except UserError as other:
        assert "the line" not in str(other)


def test_an_optional_file_counts_where_it_is_of_use(tmp_path):
    """Its network and, of the methods, what is used; a misspelt name in the other files is still one."""
    text = (
        "EPSILON = 0.1\nattacks.PGD.threat_model = @threat_models.Linf()\nattacks.PGD.steps = 3\n"
    )
    optional = tmp_path / "part.gin"
    optional.write_text(
        HEAD + "attacks.PGD.steps = 2\nthreat_models.Linf.epsilon = 0.2\nattacks.FAB.steps = 4\n"
    )
    given = Configuration([write(tmp_path, text)], optional=[str(optional)]).given
    assert "attacks.PGD.steps = 2" in given and "Linf.epsilon = 0.2" in given
    assert "FAB" not in given and "EPSILON = 0.1" in given


SCALED = sorted((ROOT / "gin/paper").glob("*/*.gin"))


def test_every_file_of_a_paper_takes_the_small_scale():
    for path in SCALED:
        bindings = ["EXTRA = 'a.npz'"] if "%EXTRA" in path.read_text() else []
        configuration = Configuration(
            [str(path)], bindings, ROOT, optional=["gin/parts/scale_small.gin"]
        )
        given = configuration.given
        assert "train.model = @models.preact_resnet18\n" in given, path
        assert "models.wide_resnet" not in given and "resnet18.activate_branch" not in given
        assert ("HAT.helper = @models.preact_resnet18()" in given) == (
            "method = @methods.HAT" in given
        )
        assert configuration.files[-1] == "gin/parts/scale_small.gin"
