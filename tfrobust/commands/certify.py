"""Proves that a classifier is robust, example by example: a lower bound, where attacks give an upper one.

    python bin/certify.py --model=runs/trades_mer
    python bin/certify.py --model=model.keras --data=digits --epsilon=0.05 --suite=radii
    python bin/certify.py --model=runs/noise --norm=L2 --epsilon=0.25 --suite=smoothing

The first is IBP, CROWN-IBP and CROWN on the test split and in the threat model of the run (Linf).
Several processes can share the work, each with --shard=0/2, --shard=1/2 ...; --merge=FOLDER,FOLDER ...
then makes one report of them. `python bin/evaluate.py --certified=FOLDER` shows both bounds in one report.

The folder holds report.json, report.md and certified.csv. Give the same command again to continue one that
was stopped or killed.

Exit status: 0 done; 2 something in the request cannot work; 75 stopped by SIGTERM or SIGINT, the state is
saved.
"""

from absl import flags

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import Command, require_flag, use_data_dir
from tfrobust.errors import UserError
from tfrobust.ops.random.seeds import SEED_LIMIT
from tfrobust.runs import kinds
from tfrobust.runs.exported import find_classifier

_SUITES = ("bounds", "ibp", "crown_ibp", "crown", "radii", "smoothing")


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_string(
        "model", None, "Folder of a run, .keras file, or folder of a SavedModel.", **given
    )
    flags.DEFINE_enum(
        "suite", "bounds", _SUITES, "Certificates; all are for Linf but smoothing.", **given
    )
    flags.DEFINE_enum(
        "norm",
        None,
        ["Linf", "L2"],
        "Norm of the threat model. Default: the run's, or Linf.",
        **given,
    )
    flags.DEFINE_string(
        "epsilon", None, "Radius in pixels of [0, 1], such as 8/255. Default: the run's.", **given
    )
    flags.DEFINE_string(
        "sigma", None, "Noise of smoothing, in pixels of [0, 1]. Default: epsilon.", **given
    )
    flags.DEFINE_integer("samples", 10_000, "Noisy images for each example.", 1, **given)
    flags.DEFINE_enum(
        "early_stop",
        "none",
        ["none", "sequential"],
        "Whether smoothing stops when it is sure.",
        **given,
    )
    flags.DEFINE_string(
        "data", None, "digits, a TFDS name, or an .npz file. Default: the run's.", **given
    )
    flags.DEFINE_string(
        "data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.", **given
    )
    flags.DEFINE_enum(
        "split", "test", ["test", "validation", "train"], "The part of the data.", **given
    )
    flags.DEFINE_integer(
        "examples", None, "Certify only so many examples, the first ones.", lower_bound=1, **given
    )
    flags.DEFINE_integer("seed", 0, "Seed of the noise.", 0, SEED_LIMIT - 1, **given)
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the reports. Default: certification/SUITE in the run, or runs/evaluation/NAME/SUITE.",
        **given,
    )
    flags.DEFINE_enum(
        "resume",
        "auto",
        ["auto", "never", "must"],
        "auto continues what is in the folder, never refuses it, must needs it.",
        **given,
    )
    flags.DEFINE_string(
        "shard", None, "i/n: certify every n-th example, from number i (counted from 0).", **given
    )
    flags.DEFINE_list("merge", [], "Folders of all shards, to make one report of them.", **given)
    flags.DEFINE_bool(
        "trust", False, "Load a SavedModel that does more than calculate. Read it first.", **given
    )


def _check(values):
    run = find_classifier(require_flag(values, "model")).run
    if values.shard is not None:
        parts.parse_shard(values.shard)
    if values.shard is not None and values.merge:
        raise UserError(
            "--shard makes a part and --merge joins the parts. Give one of the two, not both."
        )
    if "" in values.merge:
        raise UserError("--merge holds an empty name. Give folders with a comma between two.")
    first_look.check_parts(values.merge, kinds.CERTIFICATION)
    first_look.check_radius(values.epsilon, values.norm)
    first_look.check_data(values.data, values.data_dir)
    _check_smoothing(values)
    if run is None or (values.data is not None and parts.has_threat_model(values)):
        require_flag(values, "data")
    if run is None or values.norm is not None:
        require_flag(values, "epsilon")
    if values.workdir:
        first_look.check_workdir(values.workdir, kinds.CERTIFICATION, values.resume)
    else:
        first_look.check_writable(run or "runs")


def _check_smoothing(values):
    smooths = values.suite == "smoothing"
    if smooths and values.norm != "L2":
        raise UserError(
            "--suite=smoothing certifies L2: give --norm=L2 and --epsilon. For Linf take --suite=bounds."
        )
    if not smooths and values.norm == "L2":
        raise UserError(f"--suite={values.suite} certifies Linf. For L2 take --suite=smoothing.")
    first_look.check_radius(values.sigma, "L2")
    for name, default in (("sigma", None), ("samples", 10_000), ("early_stop", "none")):
        if not smooths and values[name].value != default:
            raise UserError(
                f"--{name} belongs to --suite=smoothing, not to --suite={values.suite}."
            )


def _run(values):
    from tfrobust import certification, evaluation
    from tfrobust.certification.folder import choose_folder
    from tfrobust.certification.report import headline
    from tfrobust.runs.signals import StopRequest

    subject = evaluation.Subject.of(values.model, values.trust)
    with use_data_dir(values.data_dir):
        data, threat_model = parts.choose_setting(values, subject.folder)
        examples, shard = parts.load_examples(values, data)
    suite = values.suite
    if suite == "smoothing":
        certificate = certification.Smoothing(
            threat_model,
            sigma=values.sigma or threat_model.radius(),
            samples=values.samples,
            early_stop=values.early_stop,
        )
        suite = [("smoothing", certificate)]
    workdir = values.workdir or choose_folder(values.model, subject.folder, values.suite, shard)
    with StopRequest() as stop:
        result = certification.certify(
            subject,
            examples,
            suite,
            threat_model,
            seed=values.seed,
            workdir=workdir,
            resume=values.resume,
            merge=values.merge,
            bar=evaluation.Bar(),
            stop=lambda: bool(stop),
        )
    print(headline(result))
    print(f"See {workdir}: report.md, report.json, certified.csv.")
    return 0


COMMAND = Command("certify", __doc__, _define, _run, _check)
