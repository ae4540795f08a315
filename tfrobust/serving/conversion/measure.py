"""Accuracy of a converted classifier, clean and under attack."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfrobust.attacks import APGD, Square, Transfer
from tfrobust.evaluation import Subject, Suite, evaluate
from tfrobust.evaluation.examples import Examples
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.spec import as_config
from tfrobust.threat_models.base import ThreatModel


def measure_converted(
    classify: Callable[[np.ndarray], np.ndarray],
    original: keras.Model,
    examples: Examples,
    threat_model: ThreatModel,
    queries: int = 5000,
    seed: int = 0,
) -> dict[str, Any]:
    """Clean and robust accuracy of a classifier that has no gradient, but an original that has.

    An example counts as robust if it is classified right, an attack on the original finds no image
    that the converted classifier gets wrong, and Square, a search by scores, finds none on the
    converted classifier itself.

    Args:
        classify: converted classifier, from float32 pixels to logits.
        original: what it was made from.
        examples: `Examples`.
        threat_model: `ThreatModel`.
        queries: of Square, for each example.
        seed: of the attacks.

    Returns:
        Dict of JSON values: "clean" and "robust" as in reports, "agreement": on how many clean examples both
        give the same class, and what was asked.
    """
    transferred = APGD(threat_model)
    square = Square(threat_model, queries=queries)
    suite = Suite("custom", (("transfer", Transfer(transferred, (original,))), ("square", square)))
    classes = int(original.output_shape[-1])
    subject = Subject.of_numpy(classify, classes, description="converted classifier")
    result = evaluate(subject, examples, suite, seed=seed, checks="none")
    same = classify(examples.x).argmax(-1) == _classify(original, examples.x)
    return {
        "clean": _count(result.clean),
        "robust": _count(result.robust),
        "agreement": {"right": int(same.sum()), "total": len(same)},
        "data": examples.name,
        "norm": type(threat_model).__name__,
        "epsilon": as_config(threat_model.epsilon),
        "attacks": f"APGD of {transferred.steps} steps on the cross-entropy of the original, transferred; "
        f"Square with {queries} queries on the converted classifier; seed {seed}",
    }


def _classify(model, pixels, size=256):
    parts = [model(pixels[i : i + size], training=False) for i in range(0, len(pixels), size)]
    return np.concatenate(parts).argmax(-1)


def _count(flags):
    right, total = int(flags.sum()), len(flags)
    return {"right": right, "total": total, "interval": list(binomial_interval(right, total))}
