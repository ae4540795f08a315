"""Proves robustness, example by example: a lower bound, where attacks give an upper one.

    python bin/certify.py --model=runs/trades_mer
    python bin/certify.py --model=model.keras --data=digits --epsilon=0.05 --suite=radii
    python bin/certify.py --model=runs/noise --norm=L2 --epsilon=0.25 --suite=smoothing

The first is IBP, CROWN-IBP and CROWN on the test split and in the threat model of the run (Linf).
Several processes can share the work, each with --shard=0/2, --shard=1/2 ...; --merge=FOLDER,FOLDER ...
then makes one report of them. `python bin/evaluate.py --certified=FOLDER` shows both bounds in one report.

The folder holds report.json, report.md, report.html and certified.csv; the model card of a run has the
numbers, too.
Give the same command again to continue one that was stopped or killed.

Exit status: 0 done; 2 something in the request cannot work; 75 stopped by SIGTERM or SIGINT, the state is
saved.
"""

from absl import flags

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.parts.judged import check_flags, define_flags
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import Command, require_flag, use_data_dir
from tfrobust.errors import UserError
from tfrobust.runs import kinds

SUITE_NAMES = ("bounds", "ibp", "crown_ibp", "crown", "radii", "smoothing")


def _define(values):
    given = {"flag_values": values}
    define_flags(values, ["Linf", "L2"], "certification")
    flags.DEFINE_enum(
        "suite", "bounds", SUITE_NAMES, "Certificates; all are for Linf but smoothing.", **given
    )
    flags.DEFINE_string(
        "sigma", None, "Noise of smoothing, in pixels of [0, 1]. Default: epsilon.", **given
    )
    flags.DEFINE_integer("samples", 10_000, "Noisy images for each example.", 1, **given)
    flags.DEFINE_integer("selection", 100, "Noisy images that choose the class.", 1, **given)
    flags.DEFINE_float(
        "alpha", 0.001, "Allowed probability of an error, for each example.", 1e-15, 0.5, **given
    )
    flags.DEFINE_enum(
        "early_stop",
        "none",
        ["none", "sequential"],
        "Whether smoothing stops when it is sure.",
        **given,
    )
    flags.DEFINE_bool(
        "trust", False, "Load a SavedModel that does more than calculate. Read it first.", **given
    )


def _check(values):
    require_flag(values, "model")
    _check_smoothing(values)
    check_flags(values, kinds.CERTIFICATION)


def _check_smoothing(values):
    smooths = values.suite == "smoothing"
    if smooths and values.norm != "L2":
        raise UserError(
            "--suite=smoothing certifies L2: give --norm=L2 and --epsilon. For Linf take --suite=bounds."
        )
    if not smooths and values.norm == "L2":
        raise UserError(f"--suite={values.suite} certifies Linf. For L2 take --suite=smoothing.")
    first_look.check_radius(values.sigma, "L2")
    for name in ("sigma", "samples", "selection", "alpha", "early_stop"):
        if not smooths and values[name].value != values[name].default:
            raise UserError(
                f"--{name} belongs to --suite=smoothing, not to --suite={values.suite}."
            )


def _run(values):
    from tfrobust import certification, evaluation
    from tfrobust.certification.folder import choose_folder
    from tfrobust.certification.report import headline
    from tfrobust.runs.bar import fold
    from tfrobust.runs.signals import StopRequest

    subject = evaluation.Subject.of(values.model, values.trust)
    with use_data_dir(values.data_dir):
        data, threat_model = parts.choose_setting(values, subject.folder)
        examples, shard = parts.load_examples(values, data, subject.origin)
    suite = values.suite
    if suite == "smoothing":
        certificate = certification.Smoothing(
            threat_model,
            sigma=values.sigma or threat_model.radius(),
            samples=values.samples,
            selection=values.selection,
            alpha=values.alpha,
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
    print(fold(headline(result)))
    if subject.folder is not None and values.shard is None:
        parts.write_card(subject.folder / "export", certifications=[workdir])
    print(f"See {workdir}: report.html, report.md, report.json, certified.csv.")
    return 0


COMMAND = Command("certify", __doc__, _define, _run, _check, usage="--model=RUN_OR_FILE [flags]")
