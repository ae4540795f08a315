"""From a classifier to a number that a reviewer would believe."""

import dataclasses
import hashlib
import pathlib
import time

import keras
import numpy as np

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.evaluation.checks import (
    check_behaviour,
    check_contract,
    check_suite,
    check_training_log,
    read_limits,
)
from tfrobust.evaluation.checks.after.noise import PASSES
from tfrobust.evaluation.checks.before.consistency import is_random
from tfrobust.evaluation.checks.beside.budget import COST, FEWEST, Budget, grant_passes
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.outcome import Evaluation
from tfrobust.evaluation.engine.shards import Shards
from tfrobust.evaluation.epsilon_curve import EpsilonCurve
from tfrobust.evaluation.examples import as_examples
from tfrobust.evaluation.folder import check_folder, claim_folder
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import as_suite
from tfrobust.runs.record import describe_environment
from tfrobust.runs.signals import AskedToStop
from tfrobust.runs.writable import check_writable

JOURNAL = "state"
CHECKS = ("full", "contract", "none")
NAN_COUNTS = ("broken", "robust")


def evaluate(
    model,
    examples,
    suite="autoattack",
    threat_model=None,
    *,
    seed=0,
    workdir=None,
    resume="auto",
    merge=(),
    checks="full",
    thresholds=None,
    statement="",
    force=False,
    trust=False,
    keep_images=False,
    nan_counts="broken",
    slots="auto",
    strategy=None,
    jit_compile=False,
    save_seconds=60,
    bar=None,
    stop=lambda: False,
):
    """Robust accuracy of a classifier under a suite of attacks, checked.

    An example counts as robust if it is classified right and no attack of the suite found an image
    of the threat model that is not. Everything found is looked at once more in float32. The result
    does not depend on the order of the examples, the number of slots or devices, or on having been
    interrupted.

    A classifier with noise, which C5 finds, or which the suite says by attacks that average passes, is
    judged by a vote: an image counts as misclassified if it is so in at least half of
    20 passes (C22's `passes`), a clean one like one that was found.

    Args:
        model: a Keras model, a TensorFlow function from images to logits, the path of a run, of a
            `.keras` file or of a SavedModel, or a `Subject` (see `Subject.of_numpy` for functions
            outside TensorFlow).
        examples: `Examples`; a pair of images (n, h, w, c), uint8 or float in [0, 1], and integer labels
            (n,); or a batched `tf.data.Dataset` of such pairs.
        suite: name such as "autoattack" (`evaluation.suites.SUITES` has them all), a `Suite`, an
            `Attack`, or a sequence of (name, `Attack`).
        threat_model: for suites by name, such as `Linf("8/255")`.
        seed: whole number; names every random number.
        workdir: folder for the state and the reports, new, empty or of the same evaluation; nothing is
            written if None.
            `evaluation.write_page(workdir)` makes report.html of them.
        resume: "auto" goes on with what is in the folder, "never" refuses it, "must" needs it.
        merge: folders of shards that are finished, whose attacks are not run again; `workdir` is none of
            them.
        checks: "full", "contract" (before the attacks and after them, but no further attacks), or
            "none".
        thresholds: settings of checks that are not the default, by the check's id, such as
            `{"C8": {"share": 0.01}}`; `docs/checks.md` lists them all. The report names them.
        statement: what the defence does, and which adaptive attack was tried, for the report.
        force: go on where a check before the attacks found an error.
        trust: load the path of a SavedModel that does more than calculate, too.
        keep_images: keep the adversarial images in the result, and in `adversarial.npz`.
        nan_counts: "broken" or "robust": what an example counts as that no attack broke and for which
            the classifier gives NaN or infinity at an image of the threat model.
        slots: the most rows of a batch, or "auto" for 256.
        strategy: `tf.distribute.MirroredStrategy` under whose scope the model was made, or None.
        jit_compile: compile the attacks with XLA; on CPUs it was slower for convolutional networks.
        save_seconds: at most so many seconds of work are lost by a kill.
        bar: `Bar`, or None for silence.
        stop: function that says whether to save and stop, or `runs.signals.StopRequest`, which ends the
            checks at once.

    Returns:
        `Evaluation`.

    Raises:
        UserError: something cannot work, or the classifier breaks the contract that evaluations
            rest on.
        Interrupted: `stop` said so; the state is saved.
    """
    began = time.perf_counter()
    if checks not in CHECKS:
        raise UserError(f"`checks` must be one of {CHECKS}. Received: {checks!r}.")
    if nan_counts not in NAN_COUNTS:
        raise UserError(f"`nan_counts` must be one of {NAN_COUNTS}. Received: {nan_counts!r}.")
    limits = read_limits(thresholds)
    stop = stop if isinstance(stop, AskedToStop) else AskedToStop(stop)
    folder = None if workdir is None else pathlib.Path(workdir)
    if folder is not None:
        check_writable(folder)
    check_folder(folder, resume, merge)
    examples = as_examples(examples)
    subject, chosen = Subject.of(model, trust), as_suite(suite, threat_model)
    evaluator = Evaluator(
        subject,
        chosen.attacks,
        seed=seed,
        individual=chosen.individual,
        slots=slots,
        devices=Devices(strategy),
        jit_compile=jit_compile,
    )
    threat_model = chosen.threat_model
    num_classes = _num_classes(subject, examples, force)
    # Of a Keras model the checks see the precision of its layers too.
    seen = subject.model if isinstance(subject.model, keras.layers.Layer) else subject.forward
    given = (seen, examples.x, examples.y, threat_model, num_classes, limits)
    flags = {
        "ids": examples.ids,
        "has_gradient": subject.has_gradient,
        "has_scores": subject.has_scores,
    }
    attacks = [attack for _, attack in chosen.attacks]
    findings = ()
    if checks != "none":
        with stop.at_once():
            findings = check_contract(*given, **flags, attacks=attacks)
    _stop_at_errors(findings, force)
    noisy = is_random(findings, attacks)
    evaluator.votes = limits[PASSES].passes if noisy else 1
    fingerprint = _fingerprint(evaluator, examples, chosen) if folder or merge else None
    # Shards are only read: they are refused before the folder is made.
    shards = _shards(merge, fingerprint, examples.ids, chosen.attacks)
    with claim_folder(folder, fingerprint, resume, merge) as begin:
        journal = shards
        if journal is None and folder is not None:
            journal = Journal(folder / JOURNAL, fingerprint, examples.ids, resume, save_seconds)
            _tell_skipped(journal, bar)
        begin()
        found = evaluator(examples.x, examples.y, examples.ids, journal, bar, lambda: bool(stop))
        predictions, outcomes, adversarial = found
        curve = None
        if checks == "full":
            made, reserved = sum(sum(outcome.passes) for outcome in outcomes), 0
            if folder is not None and subject.has_gradient:
                budget = Budget(limits[COST].share * made / 4)
                curve = EpsilonCurve(examples=budget.count_examples(EpsilonCurve().cost, 256))
                reserved = curve.examples * curve.cost
            passes = grant_passes(made, reserved, limits)
            with stop.at_once():
                findings += check_behaviour(*given, **flags, is_random=noisy, passes=passes)
        evaluation = Evaluation(
            model=subject.description,
            data=examples.name,
            suite=chosen.name,
            suite_hash=chosen.hash,
            threat_model=threat_model,
            num_classes=num_classes,
            seed=seed,
            individual=chosen.individual,
            ids=examples.ids,
            labels=examples.y,
            predictions=predictions,
            outcomes=outcomes,
            adversarial=adversarial,
            environment=describe_environment(),
            seconds=time.perf_counter() - began,
            nan_counts=nan_counts,
            votes=evaluator.votes,
            thresholds=limits.changes,
        )
        if checks != "none":
            with stop.at_once():
                findings += check_training_log(subject.folder, limits)
                findings += check_suite(
                    evaluation, limits, model=subject.forward, statement=statement
                )
        evaluation = dataclasses.replace(evaluation, findings=tuple(findings))
        if folder is not None:
            points = None
            if curve is not None and curve.examples >= FEWEST:
                with stop.at_once():
                    points = curve(subject.forward, examples.x, examples.y, threat_model)
            write_reports(evaluation, examples.x, folder, keep_images, points)
    return evaluation


def _num_classes(subject, examples, force):
    """The number of logits, after a look at what the classifier gives for some of the images."""
    model = subject.model if isinstance(subject.model, keras.layers.Layer) else subject.forward
    contract.check_model(model, probabilities=force)
    few = contract.as_images_of(model, examples.x[:32])
    logits = contract.check_on_images(model, few, probabilities=force)
    contract.check_labels(examples.y, "labels", logits.shape[1])
    return logits.shape[1]


def _stop_at_errors(findings, force):
    errors = [finding for finding in findings if finding.level == "error"]
    if errors and not force:
        told = " ".join(f"{finding.id}: {finding.text}" for finding in errors)
        raise UserError(
            f"{told} Nothing was attacked; force it to see what comes out all the same."
        )


def _fingerprint(evaluator, examples, suite):
    votes = {"votes": evaluator.votes} if evaluator.votes > 1 else {}
    return {
        "model": _digest(*_weights(evaluator, examples.x.shape[1:])),
        "examples": _digest(examples.x, examples.y, examples.ids),
        "suite": suite.hash,
        "seed": evaluator.seed,
        **votes,
    }


def _shards(folders, fingerprint, ids, attacks):
    if not folders:
        return None
    # Each shard has begun with other examples.
    return Shards([pathlib.Path(part, JOURNAL) for part in folders], fingerprint, ids, attacks)


def _tell_skipped(journal, bar):
    for reason in journal.skipped if bar is not None else ():
        bar.write(f"Skipped a saved state that is not what was written: {reason}")
    if journal.skipped and not journal.has_begun and bar is not None:
        bar.write("No saved state is left: the evaluation begins again.")


def _weights(evaluator, image_shape):
    """What names a classifier: its weights, or its logits for some noise if it has none to see."""
    variables = getattr(evaluator.subject.model, "variables", None)
    if variables:
        return [np.asarray(variable) for variable in variables]
    noise = np.random.default_rng(0).random((8, *image_shape), np.float32)
    return [evaluator.logits(noise)]


def _digest(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
