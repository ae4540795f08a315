"""Attacks of a suite, one after the other, on all examples that stand."""

import time
import zlib

import numpy as np
import tensorflow as tf

from tfrobust.errors import Interrupted, UserError
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.evaluation.engine.gate import look_again
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.evaluation.engine.pool import ProgramPool
from tfrobust.evaluation.engine.program import Program
from tfrobust.evaluation.engine.slots import SlotSchedule, Work, count_rows
from tfrobust.ops.logits import REPEATS, correct, disagree
from tfrobust.ops.random import ExampleKeys, seed_pair
from tfrobust.ops.seeds import check_seed
from tfrobust.runs.bar import Bar

MOST_SLOTS = 256


class Evaluator:
    """Runs attacks on one classifier; each is traced once, however often it is called.

    Use `evaluate` for one evaluation with its checks and reports; this class for many models of one
    architecture, whose weights are put into one Keras model.

    Args:
        subject: `Subject`.
        attacks: sequence of (name, `Attack`), with different names. Noise is keyed by the name.
        seed: whole number.
        individual: give every attack all examples that are right at the clean image, instead of
            those that stood before the attacks before it.
        slots: the most rows of a batch, "auto" for 256. There are as few unused ones as possible, and fewer
            rows as examples fall, where idle rows would cost more than another trace.
        reserve: examples for which programs are made at least, so that models that are judged one after
            the other share them, whatever they leave.
        devices: `Devices`.
        jit_compile: compile the attacks' steps with XLA.
        votes: passes in which images are judged, clean ones and what was found; several for models with
            noise. An image is right if its label wins more than half of them.

    Raises:
        UserError: attacks that the subject cannot be attacked with, or names that repeat.
    """

    def __init__(
        self,
        subject,
        attacks,
        *,
        seed=0,
        individual=False,
        slots="auto",
        devices=None,
        jit_compile=False,
        votes=1,
        reserve=0,
    ):
        self.subject, self.attacks, self.seed = subject, tuple(attacks), check_seed(seed)
        self.individual, self.slots, self.jit_compile = individual, slots, jit_compile
        self.devices, self.votes, self.reserve = devices or Devices(), votes, reserve
        self.pools, self._is_random = {}, False
        self._forward = self.devices.function(subject.forward)
        self._second = self.devices.function(self._looked_again)
        self._check()

    def _check(self):
        names = [name for name, _ in self.attacks]
        if len(set(names)) < len(names):
            raise UserError(f"Attacks of a suite need different names. Received: {names}.")
        if self.slots != "auto" and (not isinstance(self.slots, int) or self.slots < 1):
            raise UserError(
                f"`slots` must be 'auto' or a whole number of at least 1. Received: {self.slots!r}."
            )
        for name, attack in self.attacks:
            lacks = attack.needs_gradient and not self.subject.has_gradient
            if lacks or (attack.needs_scores and not self.subject.has_scores):
                raise UserError(
                    f"The attack {name} needs {'gradients' if lacks else 'scores'}, which the "
                    f"{self.subject.description} does not give. Choose attacks that need less, such as "
                    f"{'square or rays' if self.subject.has_scores else 'rays'}."
                )

    def logits(self, x):
        """Logits at clean images, float32 (n, k), in batches of one shape."""
        return self._batched(lambda batch: self._forward(batch), x)

    def __call__(self, x, y, ids, journal=None, bar=None, stop=lambda: False):
        """Attacks the examples.

        Args:
            x: clean images, float32 (n, h, w, c) in [0, 1].
            y: labels, int (n,).
            ids: int (n,); noise is keyed by them.
            journal: `Journal` for what must not be lost, or None.
            bar: `Bar`; silent if None.
            stop: function that says whether to save and stop.

        Returns:
            Predictions at the clean images, int (n,); a tuple of `Outcome`; and images (n, h, w, c), by
            the first attack that broke each example; where none did, the first that was outvoted, or
            the clean one.

        Raises:
            Interrupted: `stop` said so; the state is saved.
        """
        bar = bar or Bar(None)
        self._is_random = self._answers_anew(x)
        y = np.asarray(y, np.int32)
        logits, predictions = self._classified(x, y)
        right = predictions == y
        standing, adversarial, outcomes = right.copy(), x.copy(), []
        is_clean = np.ones(len(y), bool)
        for place, (name, attack) in enumerate(self.attacks):
            given = right if self.individual else standing
            kept = journal.finished(place, attack) if journal else None
            if kept is None:
                look = self._looker(journal, bar, stop, standing)
                kept = self._attacked(name, attack, x, y, logits, ids, given, journal, bar, look)
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

    def _classified(self, x, y):
        """Logits at clean images, the mean of all votes, and what counts as the predicted classes."""
        answers = [self.logits(x) for _ in range(self.votes)]
        is_right = np.sum([correct(y, tf.constant(z)) for z in answers], axis=0) * 2 > self.votes
        logits = answers[0] if self.votes == 1 else np.mean(answers, axis=0, dtype=np.float32)
        # Of the other classes, where the label is not predicted, the likeliest.
        others = np.where(np.eye(logits.shape[1], dtype=bool)[y], -np.inf, logits)
        return logits, np.where(is_right, y, np.argmax(others, axis=1))

    def _looker(self, journal, bar, stop, standing):
        def look(schedule):
            size = len(standing)
            left = standing.sum() - (0 if self.individual else schedule.host["broken"].sum())
            bar.show(schedule.share, f"robust accuracy <= {100 * left / size:.2f} %")
            asked = stop()
            if journal and (asked or journal.due()):
                journal.save(schedule.snapshot())
            if asked:
                raise Interrupted("Stopped on request; the evaluation is saved as far as it got.")

        return look

    def _attacked(self, name, attack, x, y, logits, ids, given, journal, bar, look):
        began = time.perf_counter()
        places = np.flatnonzero(given)
        pool = self._pool(name, attack)
        traces, tracing_seconds = pool.traces, pool.tracing_seconds
        work = Work(x[places], y[places], logits[places], self._seeds(name, ids[places]))
        saved = journal.current() if journal else None
        items = len(places) * attack.runs(logits.shape[1])
        rows = self._rows(items)
        if saved is not None:
            rows = count_rows(saved, items, rows)
        schedule = SlotSchedule(pool.choose(rows), work, logits.shape[1], pool=pool)
        if saved is not None:
            schedule.restore(saved)
        bar.begin(name, schedule.share)
        found = schedule(look)
        verdicts = self._kept(attack, found, work)
        broken = verdicts["broken"]
        size = len(given)

        def spread(values, rest):
            whole = np.full(size, rest, values.dtype)
            whole[places] = values
            return whole

        counts = found["counts"]
        return Outcome(
            name=name,
            attack=attack,
            attempted=given.copy(),
            **{name: spread(flags, False) for name, flags in verdicts.items()},
            run=spread(np.where(broken, found["broken_run"], -1), -1),
            step=spread(np.where(broken, found["step"], -1), -1),
            forwards=spread(found["forwards"], 0),
            backwards=spread(found["backwards"], 0),
            measures={
                # An infinite distance was not found.
                name: spread(np.where(np.isfinite(found[name]), found[name], np.nan), np.nan)
                for name in attack.measures
            },
            passes=(int(counts[2]), int(counts[3])),
            busy=float(counts[0] / counts[1]) if counts[1] else 1.0,
            traces=pool.traces - traces,
            seconds=time.perf_counter() - began,
            tracing_seconds=pool.tracing_seconds - tracing_seconds,
        ), found["images"][broken | verdicts["outvoted"]]

    def _kept(self, attack, found, work):
        """What a second look says of the examples that were broken, or not answered: flags by name."""
        broken = found["broken"]
        claimed = broken | (found["lost_run"] >= 0)
        names = ("broken", "rejected", "outvoted", "unanswered")
        verdicts = {name: np.zeros_like(broken) for name in names}
        if not claimed.any():
            return verdicts
        right, inside, finite, is_answer = self._batched(
            lambda *batch: self._second(attack.threat_model, *batch),
            *(array[claimed] for array in (found["images"], work.x, work.y)),
        )
        mine, valid = broken[claimed], inside & finite
        stands = mine & valid & is_answer & ~right
        lost = valid & ~is_answer
        outvoted = mine & valid & is_answer & right & (self.votes > 1)
        rejected = mine & ~stands & ~lost & ~outvoted
        for name, flags in zip(names, (stands, rejected, outvoted, lost), strict=True):
            verdicts[name][claimed] = flags
        return verdicts

    def _looked_again(self, threat_model, found, x, y):
        forward = self.subject.forward
        return tuple(look_again(forward, threat_model, found, x, y, passes=self.votes))

    def _seeds(self, name, ids):
        if not len(ids):
            return np.zeros((0, 2), np.int32)
        seeds = tf.tile(seed_pair(self.seed)[None], [len(ids), 1])
        keys = ExampleKeys(seeds).fold_in(zlib.crc32(name.encode()))
        return keys.fold_in(tf.constant(ids, tf.int64)).seeds.numpy()

    def _pool(self, name, attack):
        which = name, self._is_random
        if which not in self.pools:
            forward, options = self.subject.forward, (self.devices, self.jit_compile, which[1])
            self.pools[which] = ProgramPool(
                lambda rows: Program(forward, attack, rows, *options), self.devices.count
            )
        return self.pools[which]

    def _answers_anew(self, x):
        """Whether passes over the first images disagree; not looked for where no attack asks."""
        if not any(attack.trusts_answers for _, attack in self.attacks):
            return False
        x = x[:MOST_SLOTS]
        first = self.logits(x)
        again = (self.logits(x) for _ in range(REPEATS))
        return any(bool(disagree(tf.constant(first), tf.constant(z))) for z in again)

    def _rows(self, items):
        # As many in each wave, so that the last one is as full as the others.
        waves = max(1, -(-items // self._most))
        rows = max(1, -(-items // waves), min(self.reserve, self._most))
        return -(-rows // self.devices.count) * self.devices.count

    @property
    def _most(self):
        return MOST_SLOTS if self.slots == "auto" else self.slots

    def _batched(self, function, *arrays):
        """`function` of all rows, in batches of one shape: the last one is filled up with its first row."""
        size, rows = len(arrays[0]), self._rows(self._most)
        results = []
        for start in range(0, size, rows):
            places = np.arange(start, start + rows)
            places[places >= size] = start
            batch = self.devices.split(tuple(array[places] for array in arrays))
            joined = self.devices.join(function(*batch))
            results.append(tf.nest.map_structure(lambda v, n=size - start: v[:n], joined))
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *results)
