"""Measures the robust accuracy of a classifier, and checks whether the number can be trusted.

    python bin/evaluate.py --model=runs/trades_mer
    python bin/evaluate.py --model=model.keras --data=cifar10 --epsilon=8/255
    python bin/evaluate.py --model=served/1 --data=test.npz --norm=L2 --epsilon=0.5 --suite=pgd_20
    python bin/evaluate.py --model=runs/photos --data=more_photos

The first is AutoAttack on the test split and in the threat model of the run. Several processes can share
the work, each with --shard=0/2, --shard=1/2 ...; --merge=FOLDER,FOLDER ... then makes one report of them.

The folder of the evaluation holds report.json, report.md, report.html and examples.csv. Give the same
command again to continue one that was stopped or killed.

Exit status: 0 done; 2 something in the request cannot work; 75 stopped by SIGTERM or SIGINT, the state is
saved; with --strict also 4, a check found a reason not to trust the number.
"""

import contextlib

from absl import flags

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.parts.judged import check_flags, define_flags
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import DOUBTFUL, Command, use_data_dir
from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.exported import find_classifier


def _define(values):
    given = {"flag_values": values}
    define_flags(values, ["Linf", "L2", "L1"], "evaluation")
    flags.DEFINE_string(
        "suite", "autoattack", "Name of the suite; --suite=help lists them.", **given
    )
    flags.DEFINE_multi_string(
        "gin_file",
        [],
        "Files that bind evaluation.custom.attacks, in place of --suite.",
        **given,
    )
    flags.DEFINE_multi_string("gin_bindings", [], "Lines of gin that override the files.", **given)
    flags.DEFINE_multi_string("surrogate", [], "A run or .keras file to transfer from.", **given)
    flags.DEFINE_enum(
        "checks",
        "auto",
        ["auto", "full", "contract", "none"],
        "contract: no checks with attacks of their own; auto: contract after one short attack, else full.",
        **given,
    )
    flags.DEFINE_list(
        "thresholds",
        [],
        "Settings of checks, such as C8.share=0.03,C36.share=1; docs/checks.md lists them.",
        **given,
    )
    flags.DEFINE_enum(
        "nan_counts",
        "broken",
        ["broken", "robust"],
        "How to count an example that no attack broke and for which the classifier gives NaN or infinity.",
        **given,
    )
    flags.DEFINE_string(
        "certified",
        None,
        "Folder of tfrobust certify, for the same model: the report then has both bounds.",
        **given,
    )
    flags.DEFINE_bool(
        "skip_certified", False, "Don't attack what is certified; needs --certified.", **given
    )
    flags.DEFINE_string(
        "statement",
        "",
        "What the defence does and which adaptive attack was tried, for the report.",
        **given,
    )
    flags.DEFINE_bool(
        "strict", False, "Exit with 4 if a check found a reason not to trust the number.", **given
    )
    flags.DEFINE_bool(
        "force", False, "Continue where a check before the attacks found an error.", **given
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Run code outside tfrobust that gin files or the SavedModel name. Read it first.",
        **given,
    )
    flags.DEFINE_bool("images", False, "Keep the adversarial images, in adversarial*.npz.", **given)
    flags.DEFINE_integer(
        "slots",
        None,
        "The largest batch size, of all streams. Default: at most 256 a stream, by a short measurement.",
        1,
        2**20,
        **given,
    )
    flags.DEFINE_string(
        "streams",
        "auto",
        "Threads of one core each that share the attacks: a number, or auto, which measures what is faster.",
        **given,
    )
    flags.DEFINE_integer(
        "chunk", None, "The most examples held at once. Default: what takes 256 MiB.", 1, **given
    )
    flags.DEFINE_enum("strategy", "none", ["none", "mirrored"], "mirrored: use all GPUs.", **given)
    flags.DEFINE_bool("jit_compile", False, "Compile the attacks with XLA.", **given)


def _check(values):
    if values.suite == "help":
        return
    parts.parse_streams(values.streams)
    parts.parse_thresholds(values.thresholds)
    if values.certified:
        first_look.check_certified(values.certified)
    elif values.skip_certified:
        raise UserError("--skip_certified needs --certified=FOLDER, a folder of tfrobust certify.")
    for path in values.surrogate:
        find_classifier(path)
    is_run = check_flags(values, kinds.EVALUATION)
    if parts.has_own_suite(values):
        first_look.check_configuration(values.gin_file, values.gin_bindings, values.trust)
    else:
        norm = values.norm or ("Linf" if values.epsilon is not None or not is_run else None)
        first_look.check_suite(values.suite, norm, values.surrogate)


def _run(values):
    if values.suite == "help":
        print("\n".join(f"{name:24} {text}" for name, text in first_look.list_suites().items()))
        return 0
    import tensorflow as tf

    from tfrobust import evaluation
    from tfrobust.evaluation.folder import choose_folder
    from tfrobust.evaluation.reports.headline import find_doubts
    from tfrobust.runs.bar import fold
    from tfrobust.runs.signals import StopRequest

    strategy = tf.distribute.MirroredStrategy() if values.strategy == "mirrored" else None
    with strategy.scope() if strategy else contextlib.nullcontext():
        subject = evaluation.Subject.of(values.model, values.trust)
    with use_data_dir(values.data_dir):
        data, threat_model = parts.choose_setting(values, subject.folder)
        examples, shard = parts.load_examples(values, data, subject.origin)
    suite = parts.make_suite(values, threat_model)
    workdir = values.workdir or choose_folder(values.model, subject.folder, suite.name, shard)
    with StopRequest() as stop:
        result = evaluation.evaluate(
            subject,
            examples,
            suite,
            seed=values.seed,
            workdir=workdir,
            resume=values.resume,
            merge=values.merge,
            checks=values.checks,
            thresholds=parts.parse_thresholds(values.thresholds),
            certified=values.certified,
            skip_certified=values.skip_certified,
            statement=values.statement,
            force=values.force,
            keep_images=values.images,
            nan_counts=values.nan_counts,
            slots=values.slots or "auto",
            streams=parts.parse_streams(values.streams),
            chunk=values.chunk or "auto",
            strategy=strategy,
            jit_compile=values.jit_compile,
            bar=evaluation.Bar(),
            stop=stop,
        )
    print(fold(evaluation.headline(result)))
    if subject.folder is not None and values.shard is None:
        parts.write_card(subject.folder / "export", [workdir])
    print(f"See {workdir}: report.html, report.md, report.json, examples.csv.")
    return DOUBTFUL if values.strict and find_doubts(result.findings) else 0


COMMAND = Command(
    "evaluate",
    __doc__,
    _define,
    _run,
    _check,
    may_be_empty=("statement",),
    needs_tensorflow=lambda values: values.suite != "help",
    usage="--model=RUN_OR_FILE [flags]",
)
