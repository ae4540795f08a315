"""Attacks on examples that do not fit into memory: chunk after chunk, with the results of all at once."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfrobust import contract
from tfrobust.evaluation.engine.evaluation import find_first
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.journals import Journals
from tfrobust.evaluation.engine.merge import merge_outcomes
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.evaluation.examples import AnyExamples
from tfrobust.runs.bar import Bar


class Found(NamedTuple):
    """What the attacks of a suite found.

    Attributes:
        ids, labels, predictions: int (n,), of all examples.
        outcomes: `Outcome`s on all examples, in order.
        adversarial: images (m, h, w, c), as `Evaluator` returns them, of the first m examples.
    """

    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    outcomes: tuple[Outcome, ...]
    adversarial: np.ndarray

    @property
    def first_broken_by(self) -> np.ndarray:
        """Int (n,): which attack in the order of the suite broke it first; -1 where none did."""
        return find_first(self.outcomes, len(self.ids))


def attack_examples(
    evaluator: Evaluator,
    examples: AnyExamples,
    journals: Journals,
    *,
    rows: int | None,
    num_classes: int,
    kept: int = 0,
    on_chunk: Callable[[int, Found], None] | None = None,
    bar: Bar | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Attacks the examples of one chunk after the other; noise is keyed by ids, so that all stays the same.

    Args:
        evaluator: `Evaluator`.
        examples: whose chunks are read when their turn comes.
        journals: `Journals`.
        rows: the most examples of a chunk, or None for all at once, whose images are all kept.
        num_classes: labels are below it.
        kept: how many of the first examples' adversarial images are kept.
        on_chunk: function that is called with the number of a chunk and what was found in it, before
            its images are gone; or None.
        bar: counts all examples; silent if None.
        stop: function that returns True to save and stop.

    Returns:
        `Found`.

    Raises:
        Interrupted: `stop` returned True; the state is saved.
        UserError: a label is not below `num_classes`.
    """
    if rows is None:
        held = examples.load()
        given = held.x, held.y, held.ids, journals.whole, bar, stop
        return Found(held.ids, held.y, *evaluator(*given))
    parts: list[Found] = []
    whole = ChunkBar(bar or Bar(None), len(evaluator.attacks), len(examples))
    evaluator.planned = rows
    for chunk in examples.chunks(rows):
        journal = journals.open_chunk(chunk)
        part = _read_closed(journal, evaluator, chunk)
        whole.enter(len(chunk.ids))
        if part is None:
            x, y = chunk.read()
            contract.check_labels(y, "labels", num_classes)
            predictions, outcomes, adversarial = evaluator(x, y, chunk.ids, journal, whole, stop)
            part = Found(chunk.ids, np.asarray(y), predictions, outcomes, adversarial)
            if on_chunk is not None:
                on_chunk(chunk.number, part)
            # Of later chunks no image is kept, and what is not there is NaN.
            few = adversarial[: kept if chunk.number == 0 else 0]
            whole_ones = np.isfinite(few).all(axis=(1, 2, 3))
            few = few[: np.argmin([*whole_ones, False])].copy()
            part = part._replace(adversarial=few)
            if isinstance(journal, Journal):
                journal.close(
                    {"labels": part.labels, "predictions": predictions, "adversarial": few}
                )
        whole.leave(part)
        parts.append(part)
    whole.finish(evaluator.attacks)
    return join_found(parts)


def join_found(parts: list[Found]) -> Found:
    """What was found in several chunks, as one.

    Args:
        parts: in order.
    """
    ids, labels, predictions = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("ids", "labels", "predictions")
    )
    outcomes = []
    for several in zip(*(part.outcomes for part in parts), strict=True):
        joined = merge_outcomes(several, np.arange(len(ids)))
        traces = sum(outcome.traces for outcome in several)
        outcomes.append(dataclasses.replace(joined, traces=traces))
    return Found(ids, labels, predictions, tuple(outcomes), parts[0].adversarial)


def _read_closed(journal, evaluator, chunk):
    if not isinstance(journal, Journal) or not journal.closed:
        return None
    outcomes = [
        journal.finished(place, attack)[0] for place, (_, attack) in enumerate(evaluator.attacks)
    ]
    return Found(chunk.ids, outcomes=tuple(outcomes), **journal.closed)


class ChunkBar(Bar):
    """A bar of all examples, for attacks that see one chunk of them.

    Args:
        bar: that is shown.
        count: number of attacks.
        total: number of examples, or 0 if it is not known.
    """

    def __init__(self, bar: Bar, count: int, total: int):
        super().__init__(None)
        self._shown, self._count, self._total = bar, count, total
        self._before = self._size = self._place = self._right = 0
        self._standing = np.zeros(count, int)
        bar.begin("examples")

    def enter(self, size: int) -> None:
        """A chunk of so many examples begins."""
        self._size, self._place = size, 0

    def begin(self, title: str, share: float = 0.0) -> None:
        self.title = title

    def show(self, share: float, note: str) -> None:
        done = self._before + self._size * (self._place + share) / self._count
        told = f"{self.title}, {self._tell(self._before)}"
        self._shown.show(done / self._total if self._total else 0.0, told)

    def end(self, title: str, note: str) -> None:
        self._place += 1

    def leave(self, part: Found) -> None:
        """The chunk is over, or was before."""
        self._before += self._size
        standing = part.predictions == part.labels
        for place, outcome in enumerate(part.outcomes):
            standing = standing & ~outcome.broken
            self._standing[place] += standing.sum()
        robust = self._standing[-1] / self._before
        self._shown.write(f"{self._tell(self._before)}  robust accuracy <= {100 * robust:.2f} %")

    def finish(self, attacks: tuple) -> None:
        """All chunks are over: says of every attack what was left."""
        for (name, _), standing in zip(attacks, self._standing, strict=True):
            share = standing / max(1, self._before)
            self._shown.end(name, f"robust accuracy <= {100 * share:.2f} %")

    def _tell(self, done):
        return f"{done:,} of {self._total:,} examples" if self._total else f"{done:,} examples"
