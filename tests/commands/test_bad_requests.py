"""Everything that a user can get wrong: status 2, one line that says what, nothing written.

A row is a command, its arguments and a word of the line. The commands are called in this process.
"""

import importlib
import pathlib
import stat

import pytest
from absl import logging

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = "from __gin__ import dynamic_registration\n"


def command(name):
    return importlib.import_module(f"tfrobust.commands.{name}").COMMAND


def listed(folder):
    """All that is below a folder, with sizes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        # What a folder holds shows by itself; its time changes when a lock comes and goes.
        plain = stat.S_ISDIR(status.st_mode)
        found[str(path)] = None if plain else (status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture
def refused(shelf, tmp_path, capsys, monkeypatch):
    """Calls a command in an empty folder; its arguments may name things on the `shelf`."""
    monkeypatch.chdir(tmp_path)
    verbosity = logging.get_verbosity()

    def call(name, arguments, word):
        arguments = [argument.replace("SHELF", str(shelf)) for argument in arguments]
        before = listed(shelf)
        capsys.readouterr()
        status = command(name).main([name, *arguments])
        out, told = capsys.readouterr()
        assert status == 2, (status, out, told)
        assert told.startswith("error: ") and told.count("\n") == 1 and told.endswith("\n"), told
        assert word.lower() in told.lower(), told
        assert len(told) < 1200
        assert list(tmp_path.iterdir()) == []
        assert listed(shelf) == before
        return told

    yield call
    logging.set_verbosity(verbosity)


ADV = ["--gin_file=gin/adv.gin", "--seeds=0"]
FLAGS = [
    ("train", [], "--gin_file"),
    ("train", ["--gin_file="], "--gin_file is empty"),
    ("train", ["--gin_file=gin/no_such.gin"], "gin/no_such.gin"),
    ("train", ["--gin_file=gin"], "gin file"),
    ("train", ["gin/adv.gin"], "--"),
    ("train", ["--gin_file=gin/adv.gin", "more"], "'more'"),
    ("train", ["--gin_fil=gin/adv.gin"], "gin_fil"),
    ("train", ["--gin_file=gin/adv.gin", "--workdir="], "--workdir is empty"),
    ("train", ["--gin_file=gin/adv.gin", "--data_dir="], "--data_dir is empty"),
    ("train", ["--gin_file=gin/adv.gin", "--resume=maybe"], "resume"),
    ("train", ["--gin_file=gin/adv.gin", "--resume"], "resume"),
    ("train", ["--gin_file=gin/adv.gin", "--strategy=all"], "strategy"),
    ("train", ["--gin_file=gin/adv.gin", "--strategy="], "strategy"),
    ("train", ["--gin_file=gin/adv.gin", "--dry_run=perhaps"], "dry_run"),
    ("train", ["--gin_file=gin/adv.gin", "--resume=must"], "to resume"),
    ("train", ["--flagfile=no_such_flags", "--gin_file=gin/adv.gin"], "no_such_flags"),
    ("export", [], "--model"),
    ("export", ["--model=no_such_run"], "no_such_run"),
    ("export", ["--model=SHELF/good.keras"], "--workdir"),
    ("export", ["--model=SHELF/run/export/1", "--workdir=x"], "is a SavedModel"),
    ("export", ["--model=SHELF/run"], "is the export of this classifier already"),
    ("export", ["--model=SHELF/good.keras", "--workdir=SHELF/full"], "thesis.tex"),
    (
        "export",
        ["--model=SHELF/good.keras", "--workdir=x", "--format=gguf"],
        "Expected one of: saved_model",
    ),
    ("export", ["--model=SHELF/good.keras", "--workdir=x", "--format=card"], "no export in x"),
    ("export", ["--model=SHELF/good.keras", "--workdir=x", "--format=onnx"], "--data"),
    ("export", ["--model=SHELF/good.keras", "--workdir=x", "--version=0"], "version"),
    (
        "export",
        ["--model=SHELF/good.keras", "--workdir=x", "--evaluation=nowhere"],
        "no evaluation in nowhere",
    ),
    ("benchmark", ["--export=nowhere"], "nowhere"),
    ("benchmark", ["--export=SHELF/run", "--width=3"], "--width does not apply to --export"),
    ("certify", [], "--model"),
    ("certify", ["--model=no_such_run"], "no_such_run"),
    ("certify", ["--model=SHELF/good.keras", "--data=digits"], "--epsilon"),
    ("certify", ["--model=SHELF/good.keras", "--epsilon=0.1"], "--data"),
    ("certify", ["--model=SHELF/good.keras", "--suite=smoothing"], "--norm=L2"),
    ("certify", ["--model=SHELF/good.keras", "--norm=L2"], "--suite=smoothing"),
    ("certify", ["--model=SHELF/good.keras", "--sigma=0.1"], "belongs to --suite=smoothing"),
    ("certify", ["--model=SHELF/good.keras", "--alpha=0.01"], "--alpha belongs to"),
    ("certify", ["--alpha=0.7"], "alpha"),
    ("certify", ["--suite=crowns"], "suite"),
    ("certify", ["--model=SHELF/good.keras", "--shard=2/2"], "0 <= i < n"),
    ("certify", ["--model=SHELF/good.keras", "--merge=nowhere"], "no certification in nowhere"),
    ("evaluate", [], "--model"),
    ("evaluate", ["--model="], "--model is empty"),
    ("evaluate", ["runs/trades"], "'runs/trades'"),
    ("evaluate", ["--model=no_such_run"], "no_such_run"),
    ("evaluate", ["--model=SHELF/good.keras"], "--data"),
    ("evaluate", ["--model=SHELF/good.keras", "--data=digits"], "--epsilon"),
    ("evaluate", ["--model=SHELF/good.keras", "--epsilon=0.1"], "--data"),
    ("evaluate", ["--examples=0"], "examples"),
    ("evaluate", ["--examples=-3"], "examples"),
    ("evaluate", ["--examples=many"], "examples"),
    ("evaluate", ["--examples=1.5"], "examples"),
    ("evaluate", ["--seed=-1"], "seed"),
    ("evaluate", ["--seed=x"], "seed"),
    ("evaluate", ["--slots=0"], "slots"),
    ("evaluate", ["--slots=x"], "slots"),
    ("evaluate", ["--streams=0"], "streams"),
    ("evaluate", ["--streams=x"], "streams"),
    ("evaluate", ["--thresholds=C36"], "--thresholds=C36"),
    ("evaluate", ["--thresholds=C36.share=much"], "C36.share=1"),
    ("evaluate", ["--norm=Linfinity"], "norm"),
    ("evaluate", ["--split=tests"], "split"),
    ("evaluate", ["--checks=some"], "checks"),
    ("evaluate", ["--nan_counts=maybe"], "nan_counts"),
    ("evaluate", ["--strategy=tpu"], "strategy"),
    ("evaluate", ["--resume=again"], "resume"),
    ("evaluate", ["--jit_compile=often"], "jit_compile"),
    ("evaluate", ["--workdir="], "--workdir is empty"),
    ("compare", ["--seeds="], "--seeds"),
    ("compare", ["--seeds=a"], "'a'"),
    ("compare", ["--seeds=1,,2"], "--seeds"),
    ("compare", ["--seeds=-1"], "'-1'"),
    ("compare", ["--seeds=1.5"], "'1.5'"),
    ("compare", ["--seeds=0,0"], "different"),
    ("compare", ["--seeds=1000000000000000000000000000000"], "--seeds"),
    ("compare", ["--gin_file=no_such.gin"], "no_such.gin"),
    ("compare", ["--gin_file=gin/adv.gin", "--gin_file=gin/adv.gin"], "differ"),
    ("compare", ["--readme=no_such.md"], "no_such.md"),
    ("compare", ["--readme=SHELF/plain.md"], "comparison: begin"),
    ("compare", ["--readme=SHELF/backwards.md"], "comparison: begin"),
    ("compare", ["--readme=SHELF/binary"], "not a text file"),
    ("compare", ["--readme=SHELF"], "Is a directory"),
    ("compare", ["--readme="], "--readme is empty"),
    ("compare", ["--workdir="], "--workdir is empty"),
    ("compare", ["--keep="], "--keep is empty"),
    ("compare", ["--keep=SHELF/file"], "SHELF/file"),
    ("compare", ["--keep=runs/compare"], "the folder of the runs"),
    ("compare", ["--workdir=SHELF/file"], "SHELF/file"),
    ("compare", ["--norun", "more"], "'more'"),
    ("compare", ["--norun", "--workdir=SHELF/compared", *ADV], "report.json is missing or damaged"),
    (
        "compare",
        ["--norun", "--workdir=SHELF/judged", *ADV],
        "autoattack.json is missing or damaged",
    ),
    ("table", [], "finished runs"),
    ("table", ["no_such_run"], "no_such_run"),
    ("table", ["SHELF/empty"], "finished runs"),
    ("table", ["SHELF/file"], "finished runs"),
    ("table", ["SHELF/report_empty"], "report.json"),
    ("table", ["SHELF/report_binary"], "report.json"),
    ("table", ["SHELF/report_list"], "report.json"),
    ("table", ["SHELF/report_keys"], "report.json"),
    ("table", ["SHELF/report_zero"], "report.json"),
    ("table", ["SHELF/report_text"], "report.json"),
    ("table", ["--readme=no_such.md", "SHELF/report_good"], "no_such.md"),
    ("table", ["--readme=SHELF/plain.md", "SHELF/report_good"], "results: begin"),
    ("table", ["--readme=SHELF/twice.md", "SHELF/report_good"], "results: begin"),
    ("table", ["--readme=SHELF", "SHELF/report_good"], "Is a directory"),
    ("table", ["--columns=3", "SHELF/report_good"], "columns"),
    ("plot", [], "Which figure?"),
    ("plot", ["landscape", "SHELF/metrics_good"], "'landscape'"),
    ("plot", ["curves"], "runs"),
    ("plot", ["curves", "no_such_run"], "no_such_run"),
    ("plot", ["curves", "SHELF/empty"], "metrics.jsonl"),
    ("plot", ["curves", "SHELF/metrics_binary"], "metrics.jsonl"),
    ("plot", ["curves", "SHELF/metrics_cut"], "line 2"),
    ("plot", ["curves", "SHELF/metrics_list"], "line 1"),
    ("plot", ["curves", "SHELF/metrics_text"], "line 1"),
    ("plot", ["curves", "SHELF/metrics_no_epoch"], "line 1"),
    ("plot", ["curves", "--output=", "SHELF/metrics_good"], "--output is empty"),
    ("plot", ["curves", "--output=curves.xyz", "SHELF/metrics_good"], "png"),
    ("plot", ["curves", "--output=curves", "SHELF/metrics_good"], "png"),
    ("plot", ["curves", "--output=curves.pgf", "SHELF/metrics_good"], "png"),
    ("plot", ["curves", "--output=SHELF/folder.png", "SHELF/metrics_good"], "folder"),
    ("plot", ["curves", "--output=SHELF/file/curves.png", "SHELF/metrics_good"], "not a folder"),
    ("plot", ["curves", f"--output={'n' * 300}.png", "SHELF/metrics_good"], "name too long"),
    ("plot", ["divergences", "SHELF/metrics_good"], "RecordDivergences"),
    ("plot", ["sensitivity", "SHELF/metrics_good"], "no sweep"),
    ("plot", ["sensitivity", "SHELF/metrics_good", "SHELF/empty"], "2 of them"),
    ("train", ["--gin_file=gin/trades.gin", "--scale=huge"], "scale_huge.gin"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0", "--scale=huge"], "scale_huge.gin"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0", "--examples=5"], "--suite"),
    ("compare", ["--gin_file=gin/trades.gin", "--scale=huge"], "scale_huge.gin"),
    ("compare", ["--gin_file=gin/trades.gin", "--beside=gin/adv.gin"], "gin/adv.gin"),
    ("plot", ["trade_off", "SHELF/metrics_good"], "no sweep"),
    ("plot", ["rows", "SHELF/empty"], "no evaluation"),
    ("sweep", [], "Which configuration?"),
    ("sweep", ["--gin_file=gin/trades.gin"], "--grid"),
    ("sweep", ["--gin_file=gin/trades.gin", "--grid=BETA"], "'BETA'"),
    ("sweep", ["--gin_file=gin/trades.gin", "--grid=BETTA = 1, 2"], "'BETA'"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0,0"], "different"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0", "--suite=autoatack"], "'autoatack'"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0", "--workdir=SHELF/full"], "thesis.tex"),
    ("sweep", ["--gin_file=gin/trades.gin", "--seeds=0", "--jobs=0"], "jobs"),
    ("paper_table", [], "Which table?"),
    ("paper_table", ["atlas_9"], "'atlas_9'"),
    ("paper_table", ["atlas_1", "nowhere"], "nowhere"),
    ("paper_table", ["atlas_1", "--readme=SHELF/plain.md"], "atlas_1: begin"),
    ("benchmark", ["--methods=ADV-1,NOPE"], "'NOPE'"),
    ("benchmark", ["--methods="], "--methods is empty"),
    ("benchmark", ["--model=resnet"], "model"),
    ("benchmark", ["--width=0"], "width"),
    ("benchmark", ["--batch_size=0"], "batch_size"),
    ("benchmark", ["--batch_size=10000000000000", "--methods=Natural"], "batch_size"),
    ("benchmark", ["--image_size=3"], "image_size"),
    ("benchmark", ["--repeats=0"], "repeats"),
    ("benchmark", ["--examples=3"], "--evaluate"),
    ("benchmark", ["--data=memory", "--methods=ADV-1"], "--methods does not apply to --data"),
    ("benchmark", ["--suite=pgd_20"], "--evaluate"),
    ("benchmark", ["--data=no_such_folder"], "no_such_folder"),
    ("benchmark", ["--data=SHELF", "--width=8"], "--width does not apply to --data"),
    ("benchmark", ["--evaluate=no_such_run"], "no_such_run"),
    ("benchmark", ["--evaluate=SHELF/empty"], "not a model"),
    ("benchmark", ["--evaluate=SHELF/run", "--width=8"], "--width"),
    ("benchmark", ["--evaluate=SHELF/run", "--suite=nope"], "'nope'"),
    ("benchmark", ["--evaluate=SHELF/run", "--examples=0"], "examples"),
    ("benchmark", ["--autoattack=no_such_run"], "no_such_run"),
    ("benchmark", ["--autoattack=SHELF/run", "--libraries=nope"], "'nope'"),
    ("benchmark", ["--autoattack=SHELF/run", "--python=no/python"], "no/python"),
    ("benchmark", ["--autoattack=SHELF/run", "--width=8"], "--width"),
    ("benchmark", ["--autoattack=SHELF/run", "--evaluate=SHELF/run"], "one of them"),
    ("benchmark", ["--libraries=torchattacks"], "--autoattack"),
    ("benchmark", ["--evaluate=SHELF/run", "--python=python"], "--autoattack"),
    ("benchmark", ["methods"], "'methods'"),
    ("benchmark", ["--precision=mixed_float16"], "--device"),
    ("benchmark", ["--device", "--precision=float8"], "precision"),
    ("benchmark", ["--device", "--nolayers"], "--layers"),
    ("benchmark", ["--device", "--evaluate=SHELF/run"], "--device"),
]

# Lines of gin over gin/adv.gin.
BINDINGS = [
    ("EPOCHS = %EPOCHS", "EPOCHS"),
    ("EPOCHS = 0", "epochs"),
    ("EPOCHS = -1", "epochs"),
    ("EPOCHS = 1.5", "epochs"),
    ("EPOCHS = 'ten'", "epochs"),
    ("EPOCHS = None", "epochs"),
    ("EPOCHS = True", "epochs"),
    ("EPOCHS = [1]", "epochs"),
    (f"EPOCHS = {'9' * 31}", "epochs"),
    ("EPOCHS = = 1", "cannot be read"),
    ("EPOCHS = @", "cannot be read"),
    ("EPOCHS = 'ten", "cannot be read"),
    ("EPOCHS", "cannot be read"),
    ("EPOCS = 1", "EPOCS"),
    ("= 1", "cannot be read"),
    ("import no_such_module", "no_such_module"),
    ("include 'no_such.gin'", "no_such.gin"),
    ("nope.thing = 1", "nope"),
    ("attacks.Nope.steps = 1", "Nope"),
    ("training.train.epoch = 1", "epoch"),
    ("training.train.epochs = 1\nEPOCHS = 2", "EPOCHS"),
    ("EPSILON = 8", "'8/255'"),
    ("EPSILON = -0.1", "epsilon"),
    ("EPSILON = '8/0'", "epsilon"),
    ("EPSILON = 'nan'", "epsilon"),
    ("EPSILON = (1, 2)", "epsilon"),
    ("SEED = -1", "seed"),
    ("SEED = 0.5", "seed"),
    ("SEED = 'x'", "seed"),
    (f"SEED = {'9' * 31}", "seed"),
    ("PEAK_LEARNING_RATE = 'x'", "peak"),
    ("PEAK_LEARNING_RATE = -1", "peak"),
    ("training.train.learning_rate = 'fast'", "learning_rate"),
    ("training.train.learning_rate = -0.1", "learning_rate"),
    ("training.train.learning_rate = None", "learning_rate"),
    ("training.train.learning_rate = [0.1]", "learning_rate"),
    ("training.train.learning_rate = @training.one_cycle()", "one_cycle"),
    ("training.train.learning_rate = @data.digits", "learning_rate"),
    ("training.train.batch_size = 0", "batch_size"),
    ("training.train.batch_size = -5", "batch_size"),
    ("training.train.batch_size = 64.0", "batch_size"),
    ("training.train.batch_size = '64'", "batch_size"),
    ("training.train.batch_size = 5000", "5000"),
    (f"training.train.batch_size = {'9' * 31}", "batch_size"),
    ("training.train.evaluation_batch_size = -5", "evaluation_batch_size"),
    ("training.train.evaluation_batch_size = 0", "evaluation_batch_size"),
    ("training.train.evaluation_batch_size = 'x'", "evaluation_batch_size"),
    (f"training.train.evaluation_batch_size = {'9' * 31}", "evaluation_batch_size"),
    ("training.train.image_epochs = 0", "image_epochs"),
    ("training.train.image_epochs = 'x'", "image_epochs"),
    ("training.train.profile_steps = 10", "profile_steps"),
    ("training.train.profile_steps = (0, 2)", "profile_steps"),
    ("training.train.profile_steps = (3, 2)", "profile_steps"),
    ("training.train.profile_steps = (10, 99999)", "to the last step of the run, here"),
    ("training.train.profile_steps = (1.0, 2)", "profile_steps"),
    ("training.train.gradient_norm = 'yes'", "gradient_norm"),
    ("training.train.save_seconds = 'x'", "save_seconds"),
    ("training.train.save_seconds = -1", "save_seconds"),
    ("training.train.save_seconds = None", "save_seconds"),
    ("training.train.precision = 'half'", "precision"),
    ("training.train.precision = 16", "precision"),
    ("training.train.precision = []", "precision"),
    ("training.train.deterministic = 'yes'", "deterministic"),
    ("training.train.strategy = 'two'", "strategy"),
    ("training.train.strategy = 2", "strategy"),
    ("training.train.devices = 3", "devices"),
    ("training.train.devices = 'GPU:0'", "devices"),
    ("training.train.devices = ('GPU:7',)", "GPU:7"),
    ("training.train.devices = ('CPU:x',)", "devices"),
    ("training.train.devices = ('CPU:99999999',)", "devices"),
    ("training.train.devices = ('CPU:0', 'CPU:1')", "mirrored"),
    ("training.train.devices = (None,)", "devices"),
    ("training.train.checkpoint_rule = 'best'", "checkpoint_rule"),
    ("training.train.checkpoint_rule = []", "checkpoint_rule"),
    ("training.train.checkpoint_rule = None", "checkpoint_rule"),
    ("training.train.callbacks = 3", "callbacks"),
    ("training.train.callbacks = [3]", "callbacks"),
    ("training.train.callbacks = 'Plateau'", "callbacks"),
    ("training.train.callbacks = @training.Plateau", "callbacks"),
    ("training.train.callbacks = [@training.Plateau()]", "parentheses"),
    ("training.train.callbacks = [@data.digits]", "callbacks"),
    ("training.train.callbacks = [@training.Plateau, @training.Plateau]", "different names"),
    ("training.train.data = @data.digits()", "parentheses"),
    ("training.train.data = 'digits'", "data"),
    ("training.train.data = None", "data"),
    ("training.train.data = @models.digits_cnn", "data"),
    ("training.train.data = @data.npz", "path"),
    (
        "training.train.data = @data.tfds_images\ndata.tfds_images.name = 'no_such_set'",
        "no_such_set",
    ),
    ("training.train.data = @data.tfds_images\ndata.tfds_images.name = 3", "name"),
    ("data.digits.validation = 0", "validation"),
    ("data.digits.validation = 5000", "validation"),
    ("data.digits.validation = 1.5", "validation"),
    ("data.digits.validation = 'x'", "validation"),
    ("data.digits.validation_seed = -1", "validation_seed"),
    ("training.train.optimizer = 'sgd'", "optimizer"),
    ("training.train.optimizer = None", "optimizer"),
    ("training.train.optimizer = @training.CoupledSGD()", "optimizer"),
    ("training.train.optimizer = @models.digits_cnn", "optimizer"),
    ("training.CoupledSGD.momentum = 'x'", "momentum"),
    ("training.CoupledSGD.momentum = 7", "momentum"),
    ("training.train.augment = 3", "augment"),
    ("training.train.augment = 'flip'", "augment"),
    ("training.train.augment = [3]", "augment"),
    ("training.train.augment = [@data.Flip]", "augment"),
    ("training.train.augment = [@data.PadCrop()]\ndata.PadCrop.padding = 0", "padding"),
    (
        "training.train.augment = [@data.PadCrop()]\ndata.PadCrop.padding = 9\n"
        "data.PadCrop.mode = 'reflect'",
        "padding",
    ),
    ("training.train.augment = [@data.digits]", "validation_seed"),
    ("training.train.model = 'digits_cnn'", "model"),
    ("training.train.model = None", "model"),
    ("training.train.model = @data.digits", "model"),
    ("training.train.model = @models.digits_cnn()", "parentheses"),
    ("training.train.model = @models.load_classifier", "path"),
    (
        "training.train.model = @models.load_classifier\nmodels.load_classifier.path = 'no.keras'",
        "no.keras",
    ),
    ("models.digits_cnn.num_classes = 11", "num_classes"),
    ("models.digits_cnn.num_classes = 0", "num_classes"),
    ("models.digits_cnn.num_classes = 'x'", "num_classes"),
    ("models.digits_cnn.input_shape = (28, 28, 1)", "28, 28, 1"),
    ("models.digits_cnn.input_shape = 8", "input_shape"),
    ("models.digits_cnn.activation = 'step'", "activation"),
    ("training.train.method = None", "method"),
    ("training.train.method = 'adv'", "method"),
    ("training.train.method = @data.digits", "method"),
    ("training.train.method = @methods.ADV", "attack"),
    ("training.train.test_attack = None", "test_attack"),
    ("training.train.test_attack = 'pgd'", "test_attack"),
    ("training.train.test_attack = @attacks.PGD", "test_attack"),
    ("training.train.test_attack = @x/attacks.PGD()", "threat_model"),
    ("training.train.threat_model = 'Linf'", "threat_model"),
    ("training.train.eval_attack = 3", "eval_attack"),
    ("test/attacks.PGD.steps = -1", "steps"),
    ("test/attacks.PGD.steps = 'x'", "steps"),
    ("test/attacks.PGD.steps = 1.5", "steps"),
    ("test/attacks.PGD.threat_model = 'Linf'", "threat_model"),
    ("test/attacks.PGD.objective = 3", "objective"),
    ("test/attacks.PGD.start = 'random'", "start"),
    ("test/attacks.PGD.relative_step_size = -1", "step_size"),
    ("test/attacks.PGD.restarts = 0", "restarts"),
    ("test/attacks.PGD.stepper = 1", "stepper"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "word"),
    FLAGS,
    ids=[f"{name} {' '.join(arguments)[:60]}" for name, arguments, _ in FLAGS],
)
def test_flags(refused, name, arguments, word):
    refused(name, arguments, word.replace("SHELF", ""))


@pytest.mark.parametrize(
    ("lines", "word"), BINDINGS, ids=[lines[:60].replace("\n", "; ") for lines, _ in BINDINGS]
)
def test_bindings(refused, lines, word):
    bindings = [f"--gin_bindings={line}" for line in lines.split("\n")]
    refused("train", ["--gin_file=gin/adv.gin", "--workdir=run", *bindings], word)


@pytest.mark.parametrize(
    "value", ["optimizer = 'sgd'", "learning_rate = 'x'", "learning_rate = -1", "epochs = 0"]
)
def test_the_helper_of_hat(refused, value):
    binding = f"--gin_bindings=training.TrainHelper.{value}"
    refused("train", ["--gin_file=gin/hat.gin", "--workdir=run", binding], value.split()[0])


def npz(array):
    return f"training.train.data = @data.npz\ndata.npz.path = 'SHELF/{array}.npz'\n"


def image_folder(name):
    return (
        f"training.train.data = @data.image_folder\ndata.image_folder.path = 'SHELF/{name}'\n"
        "data.image_folder.image_size = 8\n"
    )


DATA = [
    ("npz missing", npz("no_such_file"), "does not exist"),
    ("npz that is a folder", npz("folder"), "folder.npz"),
    ("npz empty", npz("empty"), "empty.npz"),
    ("npz of text", npz("text"), "text.npz"),
    ("npz cut", npz("cut"), "cut.npz"),
    ("npz that is a plain array", npz("plain"), "one array"),
    ("npz of pickles", npz("pickled"), "pickled.npz"),
    ("npz that claims 3 TB", npz("claims"), "claims.npz"),
    ("npz with other keys", npz("keys"), "keys"),
    ("npz with one key more", npz("more"), "more"),
    ("npz with half a validation", npz("half"), "x_validation"),
    ("npz in 0..255", npz("range"), "255"),
    ("npz with nan", npz("nan"), "finite"),
    ("npz with labels below 0", npz("negative"), "labels"),
    ("npz with labels in floats", npz("floats"), "integers"),
    ("npz one-hot", npz("one_hot"), "one-hot"),
    ("npz without a class", npz("gap"), "class"),
    ("npz of one class", npz("single"), "class"),
    ("npz channels first", npz("channels_first"), "channels"),
    ("npz without channels", npz("flat"), "channel"),
    ("npz without images", npz("none"), "empty"),
    ("npz of other sizes", npz("sizes"), "shape"),
    ("npz with fewer labels", npz("fewer"), "labels"),
    ("npz of strings", npz("strings"), "dtype"),
    ("npz of complex", npz("complex"), "dtype"),
    ("npz by number", "training.train.data = @data.npz\ndata.npz.path = 3\n", "path"),
    ("npz by nothing", "training.train.data = @data.npz\ndata.npz.path = None\n", "path"),
    ("images missing", image_folder("no_such_folder"), "no_such_folder"),
    ("images of no class", image_folder("empty"), "two classes"),
    ("images of one class", image_folder("one_class"), "two classes"),
    ("images that are text", image_folder("text_images"), "a.png"),
    ("images that are cut", image_folder("cut_images"), "a.png"),
    ("images without files", image_folder("no_images"), "no images"),
    ("images beside other files", image_folder("other_files"), "notes.txt"),
    ("images, train only", image_folder("train_only"), "test folder"),
    (
        "images of size 0",
        image_folder("images") + "data.image_folder.image_size = 0\n",
        "image_size",
    ),
    (
        "images of size x",
        image_folder("images") + "data.image_folder.image_size = 'x'\n",
        "image_size",
    ),
    (
        "images of 4 channels",
        image_folder("images") + "data.image_folder.channels = 4\n",
        "channels",
    ),
]


@pytest.mark.parametrize(("text", "word"), [r[1:] for r in DATA], ids=[r[0] for r in DATA])
def test_data(refused, text, word):
    bindings = [f"--gin_bindings={line}" for line in text.strip().split("\n")]
    refused("train", ["--gin_file=gin/adv.gin", "--workdir=run", *bindings], word)


GIN_FILES = [
    ("nothing", "", "binds nothing of `train`"),
    ("no method", "from tfrobust import training\ninclude 'gin/parts/digits.gin'\n", "method"),
    ("not utf-8", b"\xff\xfe\x00EPOCHS", "gin"),
    ("binary", bytes(range(256)), "gin"),
    ("python", "import os\nprint(os.getcwd())\n", "gin"),
    ("yaml", "training:\n  epochs: 3\n", "cannot be read"),
    ("includes itself", "include 'SHELF/gin/itself.gin'\n", "itself"),
    ("includes nothing", "include 'gin/parts/no_such.gin'\n", "no_such.gin"),
    (
        "a room without its lines",
        "training.train.data = @data.image_folder\n",
        "from tfrobust import",
    ),
    ("a macro without value", "include 'gin/adv.gin'\ntraining.train.epochs = %NOPE\n", "NOPE"),
]


@pytest.mark.parametrize(
    ("name", "text", "word"), GIN_FILES, ids=[name for name, _, _ in GIN_FILES]
)
def test_gin_files(refused, shelf, name, text, word):
    path = shelf / "gin" / f"{name.replace(' ', '_').removeprefix('includes_')}.gin"
    path.parent.mkdir(exist_ok=True)
    if isinstance(text, str):
        lines = "" if name == "nothing" else HEAD
        if "train." in text and "include" in text:
            lines += "from tfrobust import training\n"
        text = (lines + text.replace("SHELF", str(shelf))).encode()
    path.write_bytes(text)
    refused("train", [f"--gin_file={path}", "--workdir=run"], word)


WORKDIRS = [
    ("SHELF/file", "file"),
    ("SHELF/file/run", "not a folder"),
    ("n" * 300, "name too long"),
    ("/".join(["n" * 200] * 30), "name too long"),
    ("/proc/run", "cannot be"),
    ("/dev/null", "/dev/null"),
    ("/dev/null/run", "not a folder"),
    ("SHELF/full", "thesis.tex"),
    ("SHELF/dangling", "dangling"),
]


@pytest.mark.parametrize(("workdir", "word"), WORKDIRS, ids=[w[:40] for w, _ in WORKDIRS])
@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_workdirs(refused, name, workdir, word):
    flags = {
        "train": ["--gin_file=gin/adv.gin"],
        "evaluate": ["--model=SHELF/good.keras", "--data=digits", "--epsilon=0.1", "--checks=none"],
    }[name]
    refused(name, [*flags, f"--workdir={workdir}"], word)


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_full_disk(refused, name, monkeypatch):
    import shutil

    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr("tfrobust.runs.writable.shutil.disk_usage", lambda path: usage)
    flags = {
        "train": ["--gin_file=gin/adv.gin"],
        "evaluate": ["--model=SHELF/good.keras", "--data=digits", "--epsilon=0.1", "--checks=none"],
    }[name]
    refused(name, [*flags, "--workdir=run"], "1000 bytes left")


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_read_only_folder(refused, name, monkeypatch):
    # Whoever runs the tests as root may write everywhere.
    monkeypatch.setattr("tfrobust.runs.writable.os.access", lambda *_: False)
    flags = {
        "train": ["--gin_file=gin/adv.gin"],
        "evaluate": ["--model=SHELF/good.keras", "--data=digits", "--epsilon=0.1", "--checks=none"],
    }[name]
    refused(name, [*flags, "--workdir=run"], "read-only")


ON_DIGITS = ["--data=digits", "--epsilon=0.1", "--checks=none", "--examples=8", "--workdir=out"]
MODELS = [
    (["--model=SHELF/flipped.keras"], "flipped.keras"),
    (["--model=SHELF/cut.keras"], "cut.keras"),
    (["--model=SHELF/text.keras"], "not a model"),
    (["--model=SHELF/empty.keras"], "not a model"),
    (["--model=SHELF/zip.keras"], "zip.keras"),
    (["--model=SHELF/huge.keras"], "huge.keras"),
    (["--model=SHELF/lambda.keras"], "lambda.keras"),
    (["--model=SHELF/foreign.keras"], "foreign.keras"),
    (["--model=SHELF/scalar.keras"], "logits"),
    (["--model=SHELF/two_outputs.keras"], "output"),
    (["--model=SHELF/other_shape.keras"], "28, 28, 3"),
    (["--model=SHELF/probabilities.keras"], "softmax"),
    (["--model=SHELF/plain.npz"], "plain.npz"),
    (["--model=SHELF/empty"], "not a model"),
    (["--model=SHELF/saved_empty"], "saved_empty"),
    (["--model=SHELF/saved_cut"], "saved_cut"),
    (["--model=SHELF/saved_no_variables"], "saved_no_variables"),
    (["--model=SHELF/saved_scalar"], "logits"),
    (["--model=SHELF/saved_batch_of_one"], "batch"),
    (["--model=SHELF/saved_no_signature"], "signature"),
    (["--model=SHELF/unfinished"], "not been finished"),
    (["--model=SHELF/run_without_export"], "export/ is gone"),
    (["--model=SHELF/good.keras", "--surrogate=no_such.keras", "--suite=rat_blackbox"], "no_such"),
    (["--model=SHELF/good.keras", "--suite=nope"], "'nope'"),
    (["--model=SHELF/good.keras", "--suite=rat_blackbox"], "surrogates"),
    (["--model=SHELF/good.keras", "--epsilon=8"], "'8/255'"),
    (["--model=SHELF/good.keras", "--epsilon=x"], "epsilon"),
    (["--model=SHELF/good.keras", "--epsilon=-1"], "epsilon"),
    (["--model=SHELF/good.keras", "--norm=L1", "--epsilon=3", "--suite=atlas_pgd20"], "Linf"),
    (["--model=SHELF/good.keras", "--data=SHELF/no_such.npz"], "no_such.npz"),
    (["--model=SHELF/good.keras", "--data=SHELF/plain.npz"], "plain.npz"),
    (["--model=SHELF/good.keras", "--data=SHELF/cut.npz"], "cut.npz"),
    (["--model=SHELF/good.keras", "--data=SHELF/claims.npz"], "claims.npz"),
    (["--model=SHELF/good.keras", "--data=SHELF/keys.npz"], "x_test"),
    (["--model=SHELF/good.keras", "--data=SHELF/range.npz"], "255"),
    (["--model=SHELF/good.keras", "--data=SHELF/classes.npz"], "label"),
    (["--model=SHELF/good.keras", "--data=SHELF/sizes.npz", "--split=train"], "shape"),
    (["--model=SHELF/good.keras", "--data=no_such_set"], "no_such_set"),
    (["--model=SHELF/good.keras", "--data=mnist", "--data_dir=nowhere"], "nowhere"),
    (["--model=SHELF/good.keras", "--data=../digits"], "digits"),
    (["--model=SHELF/good.keras", "--shard=3"], "shard"),
    (["--model=SHELF/good.keras", "--shard=2/2"], "shard"),
    (["--model=SHELF/good.keras", "--shard=-1/2"], "shard"),
    (["--model=SHELF/good.keras", "--shard=0/0"], "shard"),
    (["--model=SHELF/good.keras", "--shard=a/b"], "shard"),
    (["--model=SHELF/good.keras", "--shard=9/10"], "examples"),
    (["--model=SHELF/good.keras", "--shard=0/2", "--merge=a,b"], "--merge"),
    (["--model=SHELF/good.keras", "--merge=no_such_shard"], "no_such_shard"),
    (["--model=SHELF/good.keras", "--merge=SHELF/empty"], "empty"),
    (["--model=SHELF/good.keras", "--merge=,"], "--merge"),
    (["--model=SHELF/good.keras", "--resume=must"], "resume"),
    (["--model=SHELF/good.keras", "--slots=1000000000000"], "slots"),
    (["--model=SHELF/good.keras", "--seed=99999999999999999999999999"], "seed"),
    (["--model=SHELF/good.keras", "--gin_bindings=EPSILON = 3"], "--gin_file"),
    (["--model=SHELF/good.keras", "--gin_file=gin/adv.gin"], "custom"),
    (["--model=SHELF/good.keras", "--gin_file=gin/no_such.gin"], "no_such.gin"),
    (
        [
            "--model=SHELF/good.keras",
            "--gin_file=gin/evaluation/several_losses.gin",
            "--gin_bindings=STEPS = -1",
        ],
        "steps",
    ),
    (
        [
            "--model=SHELF/good.keras",
            "--gin_file=gin/evaluation/several_losses.gin",
            "--gin_bindings=STEPZ = 1",
        ],
        "STEPZ",
    ),
    (
        [
            "--model=SHELF/good.keras",
            "--gin_file=gin/evaluation/several_losses.gin",
            "--gin_bindings=evaluation.custom.attacks = 3",
        ],
        "attacks",
    ),
]


# A layer for which there is no memory takes ten seconds to be refused.
DEAR = ["--model=SHELF/huge.keras"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [pytest.param(*row, marks=pytest.mark.slow) if row[0] == DEAR else row for row in MODELS],
    ids=[" ".join(a).replace("SHELF/", "")[:70] for a, _ in MODELS],
)
def test_models_suites_and_shards(refused, arguments, word):
    given = {argument.split("=")[0] for argument in arguments}
    rest = [argument for argument in ON_DIGITS if argument.split("=")[0] not in given]
    refused("evaluate", [*arguments, *rest], word)


def test_there_are_enough_of_them():
    rows = len(FLAGS) + len(BINDINGS) + len(DATA) + len(GIN_FILES) + 2 * len(WORKDIRS) + len(MODELS)
    assert rows >= 200
