"""Attacks of a suite, one after the other, on the examples that no attack has broken yet."""

import functools
import time
from collections.abc import Callable, Sequence

import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.compiled.classifier import Classifier, check_needs
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.compiled.sameness import is_plain
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.look import make_look
from tfrobust.evaluation.engine.outcome import Outcome, make_outcome
from tfrobust.evaluation.engine.passes import Passes
from tfrobust.evaluation.engine.scheduling.ahead import Ahead
from tfrobust.evaluation.engine.scheduling.pace import MOST_SLOTS, Pace, choose_pace, choose_rows
from tfrobust.evaluation.engine.scheduling.pool import ProgramPool, count_rows
from tfrobust.evaluation.engine.scheduling.program import Program, program_key
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.evaluation.engine.shards import Shards
from tfrobust.ops.random.seeds import check_seed
from tfrobust.runs.bar import Bar


class Evaluator:
    """Runs attacks on one classifier; each is traced once for all classifiers of one architecture.

    Use `evaluate` for one evaluation with its checks and reports; this class for the attacks alone.

    Args:
        subject: `Subject`, or another `Classifier`.
        attacks: sequence of (name, `Attack`), with different names. Noise is keyed by the name.
        seed: whole number in [0, 2**62).
        individual: give every attack all examples that are right at the clean image, instead of
            those that the attacks before it did not break.
        slots: the most rows that are computed at once, "auto" for 256 in each stream, of which every attack
            gets as many as it is fastest with. There are fewer as examples fall, where that saves twice what
            another trace costs.
        streams: threads of one core each that share the rows, on a CPU, for Keras models and attacks that
            read nothing but the weights; "auto" measures whether they are faster than one stream of all
            cores. The results are the same.
        spared: ids of examples that no attack is given, since they are proven to be robust.
        reserve: examples for which programs are made at least, so that models that are judged one after
            the other share them, whatever they leave.
        devices: `Devices`.
        jit_compile: compile the attacks' steps with XLA.
        votes: passes in which images are judged, clean ones and what was found; several for models with
            noise. An image is right if its label wins more than half of them.

    Raises:
        UserError: attacks that need more than the subject gives, or names that repeat.

    Example:
    >>> from tfrobust.evaluation import Evaluator, Subject
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=2)
    >>> evaluator = Evaluator(Subject.of(model), [("pgd-2", attack)])
    >>> predictions, outcomes, images = evaluator(
    ...     np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1]), np.arange(4))
    >>> predictions.shape, outcomes[0].name, images.shape
    ((4,), 'pgd-2', (4, 2, 2, 1))
    """

    def __init__(
        self,
        subject: Classifier,
        attacks: Sequence[tuple[str, Attack]],
        *,
        seed: int = 0,
        individual: bool = False,
        slots: int | str = "auto",
        streams: int | str = "auto",
        devices: Devices | None = None,
        jit_compile: bool = False,
        votes: int = 1,
        reserve: int = 0,
        spared: Sequence[int] | np.ndarray = (),
    ):
        self.subject, self.attacks, self.seed = subject, tuple(attacks), check_seed(seed)
        self.individual, self.jit_compile, self._is_random = individual, jit_compile, False
        self.devices, self.votes, self.reserve = devices or Devices(), votes, reserve
        self.spared = np.asarray(spared, np.int64)
        # Examples by which rows are planned at least: of chunks of unequal size, the largest.
        self.planned = 0
        self.pools: dict[tuple[str, bool, bool], ProgramPool] = {}
        for name, value in (("slots", slots), ("streams", streams)):
            if value != "auto" and (not isinstance(value, int) or value < 1):
                raise UserError(
                    f"`{name}` must be 'auto' or a whole number of at least 1. Received: {name}={value!r}."
                )
        check_needs(subject, self.attacks)
        self._streams, self._most = streams, None if slots == "auto" else int(slots)
        self._pace, self._choose_rows = Pace(), functools.partial(choose_rows)
        self._passes = Passes(subject, self.devices, self._most or MOST_SLOTS)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Computes logits at clean images, float32 (n, k), in batches of one shape."""
        return self._passes.logits(x)

    def __call__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        ids: np.ndarray,
        journal: Journal | Shards | None = None,
        bar: Bar | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> tuple[np.ndarray, tuple[Outcome, ...], np.ndarray]:
        """Attacks the examples.

        Args:
            x: clean images, float32 (n, h, w, c) in [0, 1].
            y: labels, int (n,).
            ids: int (n,); noise is keyed by them.
            journal: `Journal` that saves the state, `Shards` to read finished attacks from, or None.
            bar: `Bar`; silent if None.
            stop: function that returns True to save and stop.

        Returns:
            Predictions at the clean images, int (n,); a tuple of `Outcome`; and images (n, h, w, c), by
            the first attack that broke each example; where none did, the first that was outvoted, or
            the clean one.

        Raises:
            Interrupted: `stop` returned True; the state is saved.
        """
        bar = bar or Bar(None)
        asks = any(attack.trusts_answers for _, attack in self.attacks)
        self._is_random = asks and self._passes.sees_noise(x[:MOST_SLOTS])
        y = np.asarray(y, np.int32)
        logits, predictions = self._passes.classify(x, y, self.votes)
        attacks = [attack for _, attack in self.attacks]
        self._pace = choose_pace(
            self._passes.keep(x),
            attacks,
            x,
            y,
            logits.shape[1],
            self._streams,
            self._most,
            self.jit_compile,
        )
        self._choose_rows = functools.partial(
            choose_rows,
            self._pace,
            num_classes=logits.shape[1],
            planned=max(len(y), self.planned),
            most=self._most,
            reserve=self.reserve,
        )
        right = predictions == y
        standing, adversarial, outcomes = right.copy(), x.copy(), []
        is_clean = np.ones(len(y), bool)
        with Ahead() as ahead:
            for place, (name, attack) in enumerate(self.attacks):
                given = self._spare(right if self.individual else standing, ids)
                kept = journal.finished(place, attack) if journal else None
                if kept is None:
                    for later in self.attacks[place + 1 :]:
                        prepare = functools.partial(self._prepare, *later, x, y, logits, given)
                        ahead.begin(later[0], prepare)
                    look = make_look(journal, bar, stop, standing, self.individual)
                    kept = self._attack(
                        name, attack, x, y, logits, ids, given, journal, bar, look, ahead
                    )
                    if journal:
                        journal.add(*kept)
                outcome, images = kept
                # An outvoted image stays until an attack breaks its example.
                first = (outcome.broken & standing) | (outcome.outvoted & standing & is_clean)
                adversarial[first] = images[first[outcome.held]]
                is_clean &= ~first
                standing &= ~outcome.broken
                outcomes.append(outcome)
                bar.end(name, f"robust accuracy <= {100 * standing.mean():.2f} %")
        return predictions, tuple(outcomes), adversarial

    def _spare(self, given, ids):
        return given & ~np.isin(ids, self.spared) if len(self.spared) else given

    def _prepare(self, name, attack, x, y, logits, given):
        """Traces an attack that comes later, where streams say that passes are short."""
        streams, examples = self._count_streams(attack), int(given.sum())
        if streams == 1 or not examples:
            return
        pool = self._pool(name, attack, x, streams)
        if not pool.is_empty:
            return
        rows = self._choose_rows(attack=attack, examples=examples, streams=streams)
        pool.choose(rows).prepare(x, y, logits)

    def _attack(self, name, attack, x, y, logits, ids, given, journal, bar, look, ahead):
        began = time.perf_counter()
        ahead.wait(name)
        waited = time.perf_counter() - began
        places = np.flatnonzero(given)
        streams = self._count_streams(attack)
        pool = self._pool(name, attack, x, streams)
        tracing_seconds = pool.tracing_seconds - waited
        seeds = derive_seeds(self.seed, name, ids[places])
        work = Work(x[places], y[places], logits[places], seeds)
        saved = journal.current() if journal else None
        rows = self._choose_rows(attack=attack, examples=len(places), streams=streams)
        if saved is not None:
            runs = len(places) * attack.runs(logits.shape[1])
            rows = -(-count_rows(saved, runs, rows * streams) // streams)
        program = pool.choose(rows)
        schedule = SlotSchedule(program, work, logits.shape[1], pool=pool, streams=streams)
        if saved is not None:
            schedule.restore(saved)
        bar.begin(name, schedule.share)
        found = schedule(look)
        verdicts = self._passes.verify(attack.threat_model, self.votes, found, work.x, work.y)
        outcome = make_outcome(
            name,
            attack,
            given,
            found,
            verdicts,
            traces=pool.tell_traces(),
            seconds=time.perf_counter() - began,
            tracing_seconds=pool.tracing_seconds - tracing_seconds,
            streams=streams,
            slots=program.rows * streams,
        )
        return outcome, found["images"][verdicts["broken"] | verdicts["outvoted"]]

    def _count_streams(self, attack):
        return self._pace.streams if is_plain(attack) and not self._is_random else 1

    def _pool(self, name, attack, x, streams):
        which = name, self._is_random, streams > 1
        if which not in self.pools:
            functions, options = self._passes.keep(x), (self.jit_compile, *which[1:])
            key = program_key(attack, *options)
            # Passes were timed in streams.
            pace = self._pace if streams > 1 else Pace()
            kept = {whole[1] for whole in functions.keys() if key and whole[0] == key}
            self.pools[which] = ProgramPool(
                lambda rows: Program(functions, attack, rows, None, *options),
                self.devices.count,
                {rows for rows in kept if rows * streams <= (self._most or MOST_SLOTS * streams)},
                pace.estimate,
            )
        return self.pools[which]
