"""What an evaluation asks of a classifier beside the attacks: clean logits, and second looks."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.compiled.classifier import Classifier
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.compiled.functions import KeptFunctions
from tfrobust.evaluation.compiled.sameness import describe_value
from tfrobust.evaluation.engine.gate import VERDICTS, SecondLook, judge_claims, look_again
from tfrobust.ops.logits import REPEATS, correct, disagree
from tfrobust.threat_models.base import ThreatModel


class Passes:
    """Passes of a classifier in batches of one shape, by functions that are kept.

    Args:
        subject: `Classifier`.
        devices: `Devices`.
        rows: of a batch.
    """

    def __init__(self, subject: Classifier, devices: Devices, rows: int):
        self.subject, self.devices, self.rows = subject, devices, rows
        self._functions: dict[tuple[int, ...], KeptFunctions] = {}

    def keep(self, x: np.ndarray) -> KeptFunctions:
        """The compiled functions of this classifier for images such as `x`."""
        shape = x.shape[1:]
        if shape not in self._functions:
            self._functions[shape] = KeptFunctions.of(self.subject, shape, self.devices)
        return self._functions[shape]

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits at images, float32 (n, k)."""
        return self._map(self.keep(x).compile("logits", lambda forward: forward), x)

    def classify(self, x: np.ndarray, y: np.ndarray, votes: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits at images, the mean of all votes, and what counts as the predicted classes."""
        answers = [self.logits(x) for _ in range(votes)]
        is_right = np.sum([correct(y, tf.constant(z)) for z in answers], axis=0) * 2 > votes
        mean = np.mean(np.stack(answers), axis=0, dtype=np.float32)
        logits = answers[0] if votes == 1 else np.asarray(mean)
        # Of the other classes, where the label is not predicted, the likeliest.
        others = np.where(np.eye(logits.shape[1], dtype=bool)[y], -np.inf, logits)
        return logits, np.where(is_right, y, np.argmax(others, axis=1))

    def look_again(
        self, threat_model: ThreatModel, votes: int, found: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> SecondLook:
        """The fields of a `SecondLook` at adversarial images, boolean arrays (m,) each."""

        def make(forward):
            return lambda *batch: tuple(look_again(forward, threat_model, *batch, passes=votes))

        key = "second look", describe_value(threat_model), votes
        return SecondLook(*self._map(self.keep(x).compile(key, make), found, x, y))

    def verify(
        self,
        threat_model: ThreatModel,
        votes: int,
        found: Mapping[str, np.ndarray],
        x: np.ndarray,
        y: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """What a second look says of the examples that were broken, or not answered: `VERDICTS` -> (m,).

        Args:
            threat_model: of the attack.
            votes: passes of the second look.
            found: what `SlotSchedule` returns of m examples.
            x: their clean images, (m, h, w, c).
            y: their labels, (m,).
        """
        broken = found["broken"]
        claimed = broken | (found["lost_run"] >= 0)
        verdicts = {name: np.zeros_like(broken) for name in VERDICTS}
        if claimed.any():
            arrays = [array[claimed] for array in (found["images"], x, y)]
            seen = self.look_again(threat_model, votes, *arrays)
            for name, flags in judge_claims(broken[claimed], seen, votes).items():
                verdicts[name][claimed] = flags
        return verdicts

    def sees_noise(self, x: np.ndarray) -> bool:
        """Whether passes over the same images disagree."""
        first = self.logits(x)
        again = (self.logits(x) for _ in range(REPEATS))
        return any(bool(disagree(tf.constant(first), tf.constant(z))) for z in again)

    def _map(self, function: Callable, *arrays):
        return self.devices.map_batches(function, arrays, self.rows)
