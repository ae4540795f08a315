"""Random points of the balls of many examples, judged in large forward batches."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.noise import RandomNoise
from tfrobust.evaluation.checks.beside.budget import NotAfforded
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.ops.random.keys import ExampleKeys

# A batch has no more rows, and no more pixels than a million where these are over `_FEWEST` rows.
_MOST, _FEWEST, _PIXELS = 4096, 256, 2**20


class Noise:
    """Looks for misclassified points of the balls of a probe's examples; those that have one leave.

    A point is known by its example and its number, so that neither the size of a batch nor the other
    examples change it.

    Args:
        runs: `Runs`, whose budget pays.

    Attributes:
        broken: boolean (n,): examples for which a misclassified point was found.
        missing: passes that the calls so far could not afford.
    """

    def __init__(self, runs: Runs):
        self._probe, self._budget = runs.probe, runs.budget
        self._attack = RandomNoise(runs.probe.threat_model)
        self.broken = np.zeros(len(runs.probe.y), bool)
        self.missing = 0
        self._seeds = derive_seeds(0, "noise", runs.probe.ids)
        size = int(np.prod(runs.probe.x.shape[1:]))
        self._rows = int(np.clip(_PIXELS // size, _FEWEST, _MOST))

    def __call__(self, examples: np.ndarray, first: int, end: int) -> int:
        """Looks at the points number `first` to `end` - 1 of each example, as far as passes are left.

        Args:
            examples: int (m,), places of examples that are not broken.

        Returns:
            How many points of each were looked at, those before `first` included.

        Raises:
            NotAfforded: not one point of each can be paid.
        """
        number = first
        left = examples[~self.broken[examples]]
        while number < end and len(left):
            count = min(end - number, max(1, self._rows // len(left)))
            count = min(count, self._budget.count_examples(len(left), count))
            if not count:
                self.missing += len(left) * (end - number)
                if not number:
                    raise NotAfforded(self._budget.explain(self.missing))
                break
            self._budget.spend(len(left) * count)
            numbers = np.arange(number, number + count, dtype=np.int32)
            self._look(np.repeat(left, count), np.tile(numbers, len(left)))
            number += count
            left = left[~self.broken[left]]
        return number if len(left) else end

    def _look(self, places, numbers):
        probe = self._probe
        x, keys = tf.constant(probe.x[places]), ExampleKeys(tf.constant(self._seeds[places]))
        radius = tf.constant(probe.threat_model.radius(), tf.float32)
        points = self._attack.draw(x, radius, keys, tf.constant(numbers))
        logits = probe.logits(points)
        # What is not finite is C35's and C42's business.
        wrong = (np.argmax(logits, axis=1) != probe.y[places]) & np.isfinite(logits).all(axis=1)
        self.broken[places[wrong]] = True
