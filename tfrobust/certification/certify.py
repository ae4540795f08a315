"""From a classifier to the share of examples of which robustness is proven."""

import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.certification.certificate import Certificate, Proven
from tfrobust.certification.certification import Certification, Proof
from tfrobust.certification.folder import check_shards, claim_folder
from tfrobust.certification.journal import ProofJournal
from tfrobust.certification.report import write_reports
from tfrobust.certification.suites import as_certificates
from tfrobust.errors import Interrupted
from tfrobust.evaluation.admission import count_classes, get_seen
from tfrobust.evaluation.examples import AnyExamples, as_examples
from tfrobust.evaluation.fingerprint import hash_images, identify
from tfrobust.evaluation.subject import Subject
from tfrobust.ops.random.seeds import check_seed
from tfrobust.runs import kinds
from tfrobust.runs.bar import Bar
from tfrobust.runs.record import describe_environment
from tfrobust.runs.writable import check_writable
from tfrobust.threat_models.base import ThreatModel


def certify(
    model: keras.Model | Callable | str | os.PathLike | Subject,
    examples: AnyExamples | tuple | tf.data.Dataset | Any,
    suite: str | Certificate | Sequence = "bounds",
    threat_model: ThreatModel | None = None,
    *,
    seed: int = 0,
    workdir: str | os.PathLike | None = None,
    resume: str = "auto",
    merge: Sequence[str | os.PathLike] = (),
    trust: bool = False,
    save_seconds: float = 60,
    bar: Bar | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Certification:
    """Certified accuracy of a classifier: the share of examples that no image of the threat model breaks.

    Attacks give an upper bound of robust accuracy (`evaluate`), certificates a lower one. Certificates of
    a suite are tried one after the other, each on the examples that are not certified yet. The result
    depends neither on batches nor on having been interrupted.

    Args:
        model: a Keras model, a TensorFlow function from images to logits, the path of a run, of a
            `.keras` file or of a SavedModel, or a `Subject`. Bounds need a Keras model.
        examples: as for `evaluate`; they are held in memory.
        suite: name such as "bounds" or "smoothing" (`certification.suites.SUITES` has them all), a
            `Certificate`, or a sequence of (name, `Certificate`).
        threat_model: for suites by name: `Linf` for bounds, `L2` for smoothing.
        seed: whole number in [0, 2**62), of the noise.
        workdir: folder for the state and the reports, new, empty or of the same certification; nothing is
            written if None.
        resume: "auto" goes on with what is in the folder, "never" refuses it, "must" needs it.
        merge: folders of shards (`Examples.shard`), whose proofs are not made again; `workdir` must be
            another one.
        trust: also load a SavedModel that does more than calculate.
        save_seconds: at most so many seconds of work are lost by a kill.
        bar: `Bar`, or None for silence.
        stop: function that returns True to save and stop.

    Returns:
        `Certification`.

    Raises:
        UserError: an argument cannot work, or the classifier is of a kind that cannot be certified so.
        Interrupted: `stop` returned True; the state is saved.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1, -1]] * 4, "float32"), np.array([-2, 2], "float32")])
    >>> x, y = np.full((2, 2, 2, 1), 0.75, "float32"), np.array([0, 1])
    >>> found = tfrobust.certify(model, (x, y), "bounds", tfrobust.Linf(0.2))
    >>> found.clean.tolist(), found.certified.tolist()
    ([True, False], [True, False])
    """
    began = time.perf_counter()
    seed, chosen = check_seed(seed), as_certificates(suite, threat_model)
    bar = bar or Bar(None)
    if workdir is not None:
        check_writable(workdir)
        kinds.check_resume(workdir, kinds.CERTIFICATION, resume)
        check_shards(workdir, merge)
    held = as_examples(examples, "auto").load()
    subject = Subject.of(model, trust)
    num_classes = count_classes(get_seen(subject), held.x[:32], held.y)
    provers = [
        (name, one, one.prepare(subject, held.image_shape, num_classes, seed))
        for name, one in chosen.certificates
    ]
    identity = identify(subject, held.image_shape)
    fingerprint = {
        "model": identity.to_json(),
        "examples": held.digest(),
        "suite": chosen.hash,
        "rules": chosen.rules,
        "seed": seed,
    }
    with claim_folder(workdir, fingerprint, resume):
        journal = ProofJournal(workdir, fingerprint, held.ids, save_seconds, bar)
        if merge:
            journal.merge(merge)
        proofs: list[Proof] = []
        open_ones = np.ones(len(held), bool)
        for name, certificate, prover in provers:
            proof = _prove(name, certificate, prover, held, open_ones, journal, bar, stop)
            proofs.append(proof)
            open_ones &= proof.radii < certificate.threat_model.radius()
            certified = 100 * (1.0 - open_ones.mean())
            bar.end(name, f"certified accuracy >= {certified:.2f} %")
        journal.save()
        result = Certification(
            model=subject.description,
            data=held.name,
            suite=chosen.name,
            threat_model=chosen.threat_model,
            num_classes=num_classes,
            seed=seed,
            ids=held.ids,
            labels=np.asarray(held.y),
            images=hash_images(held.x),
            proofs=tuple(proofs),
            identity=identity,
            environment=describe_environment(),
            seconds=time.perf_counter() - began,
        )
        if workdir is not None:
            write_reports(result, pathlib.Path(workdir))
    return result


def _prove(name, certificate, prover, held, given, journal, bar, stop):
    proven, done, before = journal.read(name)
    began, left = time.perf_counter(), np.flatnonzero(given & ~done)
    total = max(1, int(given.sum()))
    bar.begin(name, 1.0 - len(left) / total)

    def spend():
        return before + time.perf_counter() - began

    def look():
        if stop():
            journal.write(name, proven, done, spend())
            journal.save()
            raise Interrupted("Stopped on request; what was proven so far is saved.")

    for begin in range(0, len(left), prover.rows):
        places = left[begin : begin + prover.rows]
        look()
        found = prover(held.x[places], np.asarray(held.y)[places], held.ids[places], look)
        for whole, part in zip(proven, found, strict=True):
            whole[places] = part
        done[places] = True
        journal.write(name, proven, done, spend())
        certified = (proven.radii >= certificate.threat_model.radius()) & done
        share = 1.0 - (len(left) - begin - len(places)) / total
        bar.show(share, f"certified {certified.sum()} of {done.sum()}")
    return Proof(name, certificate, given.copy(), **Proven(*proven)._asdict(), seconds=spend())
