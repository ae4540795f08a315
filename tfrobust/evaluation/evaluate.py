"""From a classifier to a number that a reviewer would believe."""

import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.admission import (
    check_choices,
    check_merge,
    count_classes,
    count_sample,
    get_seen,
    stop_at_errors,
)
from tfrobust.evaluation.certified import LowerBound
from tfrobust.evaluation.checks import (
    check_behaviour,
    check_contract,
    check_suite,
    check_training_log,
    read_limits,
)
from tfrobust.evaluation.checks.after.noise import PASSES
from tfrobust.evaluation.checks.before.consistency import is_random
from tfrobust.evaluation.checks.beside.budget import COST
from tfrobust.evaluation.checks.beside.grant import explain_short, is_short
from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.chunks import attack_examples
from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.journals import Journals
from tfrobust.evaluation.epsilon_curve import share_passes, skip_curve
from tfrobust.evaluation.examples import AnyExamples, Source, as_examples
from tfrobust.evaluation.examples.chunk import count_rows
from tfrobust.evaluation.fingerprint import compute_fingerprint, identify
from tfrobust.evaluation.folder import check_folder, claim_folder
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.evaluation.reports.report_files import save_chunks_in
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import Suite, as_suite
from tfrobust.runs.bar import Bar
from tfrobust.runs.record import describe_environment
from tfrobust.runs.signals import AskedToStop
from tfrobust.threat_models.base import ThreatModel


def evaluate(
    model: keras.Model | Callable | str | os.PathLike | Subject,
    examples: AnyExamples | tuple | tf.data.Dataset | Source,
    suite: str | Suite | Attack | Sequence = "autoattack",
    threat_model: ThreatModel | None = None,
    *,
    seed: int = 0,
    workdir: str | os.PathLike | None = None,
    resume: str = "auto",
    merge: Sequence[str | os.PathLike] = (),
    checks: str = "auto",
    thresholds: dict[str, dict] | None = None,
    certified: Any = None,
    skip_certified: bool = False,
    statement: str = "",
    force: bool = False,
    trust: bool = False,
    keep_images: bool = False,
    nan_counts: str = "broken",
    slots: int | str = "auto",
    streams: int | str = "auto",
    chunk: int | str = "auto",
    strategy: tf.distribute.Strategy | None = None,
    jit_compile: bool = False,
    save_seconds: float = 60,
    bar: Bar | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Robust accuracy of a classifier under a suite of attacks, checked.

    An example counts as robust if it is classified right and no attack of the suite found an image
    of the threat model that is not. Everything found is looked at once more in float32. The result
    does not depend on the order of the examples, the number of slots or devices, or on having been
    interrupted.

    A classifier with noise is judged by a vote of 20 passes (C22's `passes`): an image, clean or found,
    counts as misclassified if at least half of them misclassify it. Check C5 finds noise; a suite whose
    attacks average passes expects it.

    Args:
        model: a Keras model, a TensorFlow function from images to logits, the path of a run, of a
            `.keras` file or of a SavedModel, or a `Subject` (see `Subject.of_numpy` for functions
            outside TensorFlow).
        examples: `Examples`; a pair of images (n, h, w, c), uint8 or float in [0, 1], and integer labels
            (n,); a batched `tf.data.Dataset` of such pairs; or a `data.StoredSplit`, or another object
            with `__len__` and `read(places)` that returns such a pair.
        suite: name such as "autoattack" (`evaluation.suites.SUITES` has them all), a `Suite`, an
            `Attack`, or a sequence of (name, `Attack`).
        threat_model: for suites by name, such as `Linf("8/255")`.
        seed: whole number in [0, 2**62); the same seed gives the same result.
        workdir: folder for state and reports, new, empty or of the same evaluation; None writes nothing.
        resume: "auto" goes on with what is in the folder, "never" refuses it, "must" needs it.
        merge: folders of finished shards, whose attacks are not run again; `workdir` must be another one.
        checks: "full", "contract" (no attacks other than those of the suite), "none", or "auto": "contract"
            after a suite of one short attack, "full" otherwise, at a quarter of the attacks' cost at most.
        thresholds: settings of checks that are not the default, by the check's id, such as
            `{"C8": {"share": 0.01}}`; `docs/checks.md` lists them all. The report names them.
        certified: a `Certification` of this classifier, or its folder: the report has both bounds then.
        skip_certified: don't attack what is certified; otherwise a broken one is an error (C43).
        statement: what the defence does, and which adaptive attack was tried, for the report.
        force: continue where a check before the attacks found an error.
        trust: also load a SavedModel that does more than calculate.
        keep_images: write the adversarial images to `adversarial.npz`; of several chunks to
            `adversarial-00000.npz` and so on.
        nan_counts: "broken" or "robust": what an example counts as that no attack broke and for which
            the classifier gives NaN or infinity at an image of the threat model.
        slots: the most rows that are computed at once, or "auto", see `Evaluator`.
        streams: threads that share them, or "auto", which measures how many, see `Evaluator`.
        chunk: the most examples that are held at once, or "auto" for as many as take 256 MiB in float32,
            a seventh of what the evaluation then takes. Of more only C36's `examples` keep their images.
        strategy: `tf.distribute.MirroredStrategy` under whose scope the model was made, or None.
        jit_compile: compile the attacks with XLA; on CPUs it was slower for convolutional networks.
        save_seconds: at most so many seconds of work are lost by a kill.
        bar: `Bar`, or None for silence.
        stop: function that returns True to save and stop, or `runs.signals.StopRequest`, which ends the
            checks at once.

    Returns:
        `Evaluation`.

    Raises:
        UserError: an argument cannot work, or the classifier breaks the contract (see `tfrobust.contract`).
        Interrupted: `stop` returned True; the state is saved.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> x, y = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=2)
    >>> result = tfrobust.evaluate(model, (x, y), attack, checks="none")
    >>> int(result.clean.sum()), result.robust.shape
    (2, (4,))
    """
    began = time.perf_counter()
    check_choices(checks=checks, nan_counts=nan_counts)
    limits = read_limits(thresholds)
    asked = stop if isinstance(stop, AskedToStop) else AskedToStop(stop)
    folder = None if workdir is None else pathlib.Path(workdir)
    check_folder(folder, resume, merge)
    examples = as_examples(examples, chunk)
    rows = count_rows(examples.image_shape, chunk)
    # What fits is evaluated at once, in memory.
    whole = examples.load() if examples.fits(rows) else None
    examples = whole or examples
    check_merge(merge, examples, keep_images and whole is None)
    subject, chosen = Subject.of(model, trust), as_suite(suite, threat_model)
    identify_now = functools.partial(identify, subject, examples.image_shape)
    bound = LowerBound(certified, skip_certified, chosen.threat_model, identify_now)
    evaluator = Evaluator(
        subject,
        chosen.attacks,
        seed=seed,
        individual=chosen.individual,
        slots=slots,
        streams=streams,
        devices=Devices(strategy),
        jit_compile=jit_compile,
        spared=bound.spared,
    )
    seen = get_seen(subject)
    head = examples.head(limits[COST].examples)
    bound.check_examples(whole or head)
    labels = head.y if examples.labels is None else examples.labels
    num_classes = count_classes(seen, head.x[:32], labels, force)
    traced = TracedModel(seen, examples.image_shape)
    given = (traced, head.x, labels, chosen.threat_model, num_classes, limits)
    flags: dict[str, Any] = {"ids": head.ids, **subject.traits}
    attacks = [attack for _, attack in chosen.attacks]
    findings: tuple = ()
    if checks != "none":
        with asked.at_once():
            findings = check_contract(*given, **flags, attacks=attacks)
    stop_at_errors(findings, force)
    noisy = is_random(findings, attacks)
    evaluator.votes = limits[PASSES].passes if noisy else 1
    fingerprint = {}
    if folder or merge:
        fingerprint = compute_fingerprint(evaluator, examples, chosen, rows if whole is None else 0)
    journals = Journals(folder, fingerprint, resume, save_seconds, bar)
    if merge:
        # Shards are only read: they are refused before the folder is made.
        journals.read_shards(merge, examples.ids, chosen.attacks)
    with claim_folder(folder, fingerprint, resume, merge) as begin:
        journals.open_whole(None if whole is None else whole.ids)
        begin()
        found = attack_examples(
            evaluator,
            examples,
            journals,
            rows=rows if whole is None else None,
            num_classes=num_classes,
            kept=len(head),
            on_chunk=save_chunks_in(folder, keep_images, bound.find_certified),
            bar=bar,
            stop=lambda: bool(asked),
        )
        if examples.labels is None:
            findings = count_sample(findings, found.labels, num_classes, limits)
        curve: Callable = skip_curve
        if checks == "auto" and is_short(attacks, num_classes, limits):
            findings += (explain_short(limits),)
        elif checks in ("auto", "full"):
            wanted = folder is not None and subject.has_gradient
            curve, granted = share_passes(found.outcomes, limits, checks == "full", wanted)
            with asked.at_once():
                findings += check_behaviour(
                    *given, **flags, is_random=noisy, passes=granted, outcomes=found.outcomes
                )
        evaluation = Evaluation(
            model=subject.description,
            data=examples.name,
            suite=chosen.name,
            suite_hash=chosen.hash,
            threat_model=chosen.threat_model,
            num_classes=num_classes,
            seed=seed,
            individual=chosen.individual,
            **found._asdict(),
            environment=describe_environment(),
            seconds=time.perf_counter() - began,
            nan_counts=nan_counts,
            votes=evaluator.votes,
            thresholds=limits.changes,
            **bound.find_fields(found.ids),
        )
        if checks != "none":
            with asked.at_once():
                findings += check_training_log(subject.folder, limits)
                findings += check_suite(evaluation, limits, model=traced, statement=statement)
        evaluation = dataclasses.replace(evaluation, findings=tuple(findings))
        if folder is not None:
            with asked.at_once():
                points = curve(traced.forward, head.x, head.y, chosen.threat_model)
            keep = keep_images and whole is not None
            write_reports(evaluation, head.x, folder, keep, points, traced)
    return evaluation
