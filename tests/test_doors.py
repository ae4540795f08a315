"""Every function that writes a folder, before folders of others; every place that reads what others made."""

import ast
import json
import pathlib

import keras
import numpy as np
import pytest

import tfrobust
from tfrobust import Linf, training
from tfrobust.commands.evaluate import COMMAND as EVALUATE
from tfrobust.commands.train import COMMAND as TRAIN
from tfrobust.errors import UserError
from tfrobust.evaluation import write_page, write_reports
from tfrobust.runs import checkpoint
from tfrobust.serving import export_classifier

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = {
    "run.json": {"seed": 0, "starts": []},
    "report.json": {"method": "ADV"},
    "report.md": "# a run",
}
FOREIGN = {
    "a thesis": {"thesis.tex": "three years"},
    "names like ours": {
        **{name: "mine" for name in ("run.json", "evaluation.json", "export.json", "report.json")},
        **{name: "mine" for name in ("report.md", "report.html", "examples.csv", "config.gin")},
        "metrics.jsonl": "mine",
        "classifier.keras": "mine",
        "step-000000007/notes.txt": "mine",
        "state/notes.txt": "mine",
        "checkpoints/latest/notes.txt": "mine",
    },
    "a run": RUN,
    "an evaluation": {"evaluation.json": {"fingerprint": {"model": "0"}}, "report.json": {"a": 1}},
    "a former evaluation": {"report.json": {"tfrobust": {"schema": 1}}, "report.md": "# it"},
    "an export": {"export.json": {"num_classes": 3, "image_shape": [4, 4, 1], "files": []}},
    "an export with a thesis": {
        "export.json": {"num_classes": 3, "image_shape": [4, 4, 1], "files": []},
        "thesis.tex": "three years",
    },
}


@pytest.fixture(scope="module")
def model():
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def never(*_, **__):
    pytest.fail("work was begun")


def train(folder, **_):
    settings = dict.fromkeys(("data", "model", "method", "optimizer", "test_attack"), never)
    training.train(epochs=1, batch_size=1, learning_rate=0.1, workdir=folder, **settings)


def evaluate(folder, model, resume="auto", merge=(), **_):
    x = np.full((3, 4, 4, 1), 0.5, np.float32)
    options = {"workdir": folder, "checks": "none", "resume": resume, "merge": merge}
    tfrobust.evaluate(model, (x, np.arange(3)), "pgd_20", Linf(0.1), **options)


def command(main, folder, capsys, *flags):
    status = main(["x", f"--workdir={folder}", *flags])
    told = capsys.readouterr().err
    assert status == 2 and told.count("\n") == 1
    raise UserError(told)


# Each with the kind of folder that it may go on with.
WRITERS = {
    "train": (train, "a run"),
    "bin/train.py": (
        lambda folder, capsys, **_: command(TRAIN.main, folder, capsys, "--gin_file=gin/adv.gin"),
        "a run",
    ),
    "evaluate": (evaluate, "an evaluation"),
    "bin/evaluate.py": (
        lambda folder, file, capsys, **_: command(
            EVALUATE.main, folder, capsys, f"--model={file}", "--data=digits", "--epsilon=0.1"
        ),
        "an evaluation",
    ),
    "merge": (
        lambda folder, model, **_: evaluate(folder, model, merge=("other",)),
        "an evaluation",
    ),
    "write_reports": (
        lambda folder, ten_examples, **_: write_reports(
            ten_examples, np.full((10, 3, 4, 1), 0.5, np.float32), folder
        ),
        "an evaluation",
    ),
    "write_page": (lambda folder, **_: write_page(folder), "an evaluation"),
    "certify": (
        lambda folder, model, **_: tfrobust.certify(
            model,
            (np.full((3, 4, 4, 1), 0.5, np.float32), np.arange(3)),
            "ibp",
            Linf(0.1),
            workdir=folder,
        ),
        "a certification",
    ),
    "certification.write_page": (
        lambda folder, **_: tfrobust.certification.write_page(folder),
        "a certification",
    ),
    "export_classifier": (lambda folder, model, **_: export_classifier(model, folder), "an export"),
    "checkpoint.save": (
        lambda folder, **_: checkpoint.save(folder, 7, {"a": np.zeros(1)}, {}),
        "checkpoints",
    ),
}


def fill(folder, content):
    for name, value in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_is_not_its_own_keeps_every_file(
    writer, foreign, tmp_path, model, ten_examples, capsys, monkeypatch
):
    write, own = WRITERS[writer]
    if own in foreign and "thesis" not in foreign:
        return
    if own == "an evaluation" and foreign == "a former evaluation":
        return
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "folder"
    fill(folder, FOREIGN[foreign])
    before = contents(folder)
    file = tmp_path / "classifier.keras"
    model.save(file)
    given = {"model": model, "file": file, "ten_examples": ten_examples, "capsys": capsys}
    if own == "checkpoints":
        # It adds a folder of its own, and removes or replaces none of another's.
        try:
            write(folder, **given)
        except UserError as error:
            assert "not a checkpoint" in str(error)
        after = contents(folder)
        assert {path: after.get(path) for path in before} == before
        return
    with pytest.raises(UserError) as error:
        write(folder, **given)
    assert str(folder) in str(error.value)
    assert contents(folder) == before


def test_evaluations_and_their_shards(tmp_path, model):
    evaluate(tmp_path / "whole", model)
    report = (tmp_path / "whole" / "report.json").read_bytes()
    shards = (tmp_path / "whole",)
    with pytest.raises(UserError, match="folder of a shard"):
        evaluate(tmp_path / "whole", model, merge=shards)
    (tmp_path / "link").symlink_to(tmp_path / "whole")
    with pytest.raises(UserError, match="folder of a shard"):
        evaluate(tmp_path / "link", model, merge=shards)
    assert (tmp_path / "whole" / "report.json").read_bytes() == report
    with pytest.raises(UserError, match="no evaluation in"):
        evaluate(tmp_path / "merged", model, merge=shards, resume="must")
    evaluate(tmp_path / "merged", model, merge=shards, resume="never")
    with pytest.raises(UserError, match="already"):
        evaluate(tmp_path / "merged", model, merge=shards, resume="never")
    evaluate(tmp_path / "merged", model, merge=shards, resume="must")
    # Of another classifier.
    other = keras.models.clone_model(model)
    other.set_weights([weight + 1 for weight in model.get_weights()])
    with pytest.raises(UserError, match="another evaluation.*model"):
        evaluate(tmp_path / "merged", other, merge=shards)
    with pytest.raises(UserError, match="another evaluation.*model"):
        evaluate(tmp_path / "whole", other)


def test_two_files_of_one_name_have_two_folders(tmp_path, monkeypatch):
    from tfrobust.evaluation.folder import choose_folder

    paths = []
    for name, content in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.keras").write_text(content)
        paths.append(choose_folder(tmp_path / name / "model.keras", None, "s"))
        fill(tmp_path / name / "saved", {"saved_model.pb": "x", "variables/v": content})
        paths.append(choose_folder(tmp_path / name / "saved", None, "s"))
    assert len(set(paths)) == 4
    (tmp_path / "a" / "model.keras").write_text("2")
    assert choose_folder(tmp_path / "a" / "model.keras", None, "s") == paths[2]
    assert (
        choose_folder("x", tmp_path / "run", "s", "-0-of-2") == tmp_path / "run/evaluation/s-0-of-2"
    )


# Who in the library may do what: a new door has to be put into these tables, and into a test.
WRITING = {
    "runs/files": "the one place where files come and go",
    "runs/kinds": "makes claimed folders",
    "runs/checkpoint": "inside of write_folder, and below the folder of a run or an evaluation",
    "runs/workspace": "claimed as a run",
    "runs/record": "claimed as a run",
    "runs/events": "event files of a claimed run",
    "training/report": "claimed as a run",
    "training/callbacks/metrics_log": "claimed as a run",
    "training/callbacks/profile": "claimed as a run",
    "training/callbacks/tensorboard": "claimed as a run",
    "benchmarks/compare": "a count beside a run's report",
    "certification/folder": "claimed as a certification",
    "certification/report": "inside of a claimed certification",
    "certification/page": "beside a report of a certification",
    "comparison/verdicts": "for training/report",
    "evaluation/folder": "claimed as an evaluation",
    "evaluation/reports/evaluation": "asks kinds",
    "evaluation/reports/report_files": "for reports/evaluation",
    "evaluation/reports/page": "beside a report of an evaluation",
    "plots/inline_svg": "in memory",
    "plots/pixels": "in memory",
    "sweeps/folder": "claimed as a sweep",
    "sweeps/sweep": "claimed as a sweep",
    "sweeps/hparams": "inside of a claimed sweep",
    "sweeps/work": "logs of a claimed sweep",
    "figures/kept": "beside a picture that a user names",
    "benchmarks/kept": "asks first: into nothing but copies that it made",
    "benchmarks/reference/comparison": "in a temporary folder",
    "benchmarks/reference/run_reference": "in a temporary folder",
    "serving/keras_file": "a file that a user names",
    "serving/card/card": "in the folder of an export, where nobody edited the card",
    "serving/conversion/convert": "in the folder of an export",
    "serving/layout": "asks kinds, or claimed as an export",
    "commands/parts/place": "a file that a user names, between its markers",
    "commands/plot": "a file that a user names",
}
READING = {
    "contract/keras_file": {"load_model"},
    "models/saved_model": {"saved_model.load"},
    "data/stored/pictures": {"Image.open"},
    "figures/catalogue": {"import_module"},
    # Of a table of two names; `eval` is PyTorch's mode of a network.
    "benchmarks/reference/run_reference": {"import_module", "eval"},
    "config/names": {"import_module"},
    "commands/start/catalogue": {"import_module"},
    "__init__": {"import_module"},
}
WRITES = {
    "write_text",
    "write_bytes",
    "write_json",
    "write_folder",
    "remove_folder",
    "mkdir",
    "unlink",
}
WRITES |= {"rmtree", "rename", "replace_file", "savefig", "savez", "savez_compressed", "makedirs"}
RUNS = {"load_model", "import_module", "exec", "eval", "__import__", "loads_pickle"}


def calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def module_of(path):
    return path.relative_to(ROOT / "tfrobust").with_suffix("").as_posix()


def test_nobody_else_writes():
    found = {
        module_of(path)
        for path in (ROOT / "tfrobust").rglob("*.py")
        for name, _ in calls(path)
        if name.split(".")[-1] in WRITES
    }
    assert found - set(WRITING) == set()


def test_nobody_else_reads_what_may_run():
    for path in (ROOT / "tfrobust").rglob("*.py"):
        seen = set()
        for name, node in calls(path):
            last = name.split(".")[-1]
            if last in RUNS:
                seen.add(last)
            if name.endswith(("saved_model.load", "Image.open")):
                seen.add(".".join(name.split(".")[-2:]))
            if name in ("np.load", "numpy.load"):
                assert "allow_pickle=False" in ast.unparse(node), path
            assert name not in ("pickle.load", "pickle.loads", "yaml.load", "joblib.load"), path
        assert seen <= READING.get(module_of(path), set()), path
