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

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.parts.evaluation_flags import define_flags
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import DOUBTFUL, Command, require_flag, use_data_dir
from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.exported import find_classifier
from tfrobust.runs.origin import read_origin


def _check(values):
    if values.suite == "help":
        return
    parts.parse_streams(values.streams)
    found = find_classifier(require_flag(values, "model"))
    run = found.run
    if values.shard is not None:
        parts.parse_shard(values.shard)
    if values.shard is not None and values.merge:
        raise UserError(
            "--shard makes a part and --merge joins the parts. Give one of the two, not both."
        )
    if "" in values.merge:
        raise UserError("--merge holds an empty name. Give folders with a comma between two.")
    first_look.check_parts(values.merge)
    if values.certified:
        first_look.check_certified(values.certified)
    elif values.skip_certified:
        raise UserError("--skip_certified needs --certified=FOLDER, a folder of bin/certify.py.")
    for path in values.surrogate:
        find_classifier(path)
    first_look.check_radius(values.epsilon, values.norm)
    first_look.check_data(values.data, values.data_dir)
    if values.data is not None:
        with use_data_dir(values.data_dir):
            origin = parts.name_classes(values, read_origin(found))
            first_look.check_pictures(values.data, values.split, origin)
    if run is None or (values.data is not None and parts.has_threat_model(values)):
        require_flag(values, "data")
    if run is None or values.norm is not None:
        require_flag(values, "epsilon")
    if parts.has_own_suite(values):
        first_look.check_configuration(values.gin_file, values.gin_bindings, values.trust)
    else:
        norm = values.norm or ("Linf" if values.epsilon is not None or run is None else None)
        first_look.check_suite(values.suite, norm, values.surrogate)
    if values.workdir:
        first_look.check_workdir(values.workdir, kinds.EVALUATION, values.resume)
    else:
        first_look.check_writable(run or "runs")


def _run(values):
    if values.suite == "help":
        print("\n".join(f"{name:24} {text}" for name, text in first_look.list_suites().items()))
        return 0
    import tensorflow as tf

    from tfrobust import evaluation
    from tfrobust.evaluation.folder import choose_folder
    from tfrobust.evaluation.reports.headline import find_doubts
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
    page = evaluation.write_page(workdir)
    print(evaluation.headline(result))
    print(f"See {page.parent}: report.html, report.md, report.json, examples.csv.")
    return DOUBTFUL if values.strict and find_doubts(result.findings) else 0


COMMAND = Command(
    "evaluate",
    __doc__,
    define_flags,
    _run,
    _check,
    may_be_empty=("statement",),
    needs_tensorflow=lambda values: values.suite != "help",
    usage="--model=RUN_OR_FILE [flags]",
)
