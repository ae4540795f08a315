"""Checks that the same image always gives the same logits: C4, C5, C6."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.ops.logits import correct

_NEIGHBOURHOODS = 8
_REPEATS = 5

DETERMINISM = Check(
    "C5",
    "determinism",
    measures="Whether five passes of the same images give the same logits.",
    why="A single pass of a random model proves nothing, and a single gradient is noise.",
    advice="Average gradients (suite `autoattack_rand`, `eot=20`); images are then judged by a vote (C22).",
    settings={"difference": Setting(1e-4, "between two vectors of logits, scaled to length 1")},
)
BATCH = Check(
    "C4",
    "inference mode",
    measures="Whether the logits of an image change with its neighbours in the batch, and whether weights "
    "move.",
    why="BatchNormalization in training mode makes both happen, and then attacks change each other's images.",
    advice="Call the model with `training=False`.",
    settings={
        "difference": Setting(1e-3, "of logits, relative to the largest"),
        "low_precision_difference": Setting(3e-2, "the same for models in half precision"),
    },
)
EXECUTION = Check(
    "C6",
    "eager and graph",
    measures="Whether logits and gradients are the same eagerly and in a graph.",
    why="The attacks run in graphs; Python code that runs only while tracing makes it another model.",
    advice="Write the model in TensorFlow operations.",
    settings={
        "difference": Setting(1e-3, "of logits, relative to the largest"),
        "cosine": Setting(0.999, "of two gradients that agree"),
        "share": Setting(0.95, "of gradients that must agree"),
        "examples": Setting(32, "how many examples are run eagerly"),
    },
)


def is_random(findings: Iterable[Finding], attacks: Sequence[Attack]) -> bool:
    """Whether the model is one with noise: C5 found it so, or an attack is made for such models."""
    seen = any(f.id == DETERMINISM.id and f.made and f.level != "passed" for f in findings)
    return seen or any(attack.eot > 1 for attack in attacks)


def average_gradients(attacks: Sequence[Attack]) -> bool:
    """Whether there are attacks, and all average several passes in each step."""
    return bool(attacks) and all(attack.eot > 1 for attack in attacks)


def check_determinism(probe: Probe, limits: Limits, attacks: Sequence[Attack] = ()) -> Finding:
    """C5: five passes of the same images agree. A note where all attacks are made for models with noise."""
    limit = limits[DETERMINISM].difference
    passes = [probe.logits(probe.x) for _ in range(_REPEATS)]
    right = {int(correct(probe.y, tf.constant(z)).numpy().sum()) for z in passes}
    directions = [z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-30) for z in passes]
    apart = np.max(
        [np.linalg.norm(a - b, axis=1) for i, a in enumerate(directions) for b in directions[:i]],
        axis=0,
    )
    # Not finite logits are C1's business.
    worst = float(np.max(apart, where=np.isfinite(apart), initial=0.0))
    if worst > limit or len(right) > 1:
        ids = pick_ids(probe.ids, apart > limit)
        if average_gradients(attacks):
            text = (
                f"{_REPEATS} passes of the same images give different logits: the model is random. All "
                "attacks average gradients, and images are judged by a vote of many passes."
            )
            return DETERMINISM.finding("info", worst, limit, text, ids)
        text = (
            f"{_REPEATS} passes of the same images give different logits: the model is random. "
            "One lucky pass decides "
            "nothing: average gradients (suite autoattack_rand, `eot=20`) and judge each image by "
            "many passes; Square and FAB are unreliable."
        )
        return DETERMINISM.finding("warning", worst, limit, text, ids)
    text = f"{_REPEATS} passes of the same images give the same logits."
    return DETERMINISM.finding("passed", worst, limit, text)


def check_batch(probe: Probe, operations: Mapping[str, Sequence[str]], limits: Limits) -> Finding:
    """C4: neither the neighbours in the batch nor the order matter, and no weight moves."""
    bounds = limits[BATCH]
    low = "low precision" in operations
    limit = bounds.low_precision_difference if low else bounds.difference
    variables = probe.traced.graph.variables
    before = [np.array(variable) for variable in variables]
    base = probe.logits(probe.x)
    difference = np.abs(probe.logits(probe.x[::-1])[::-1] - base).max(axis=1)
    count = len(probe.x)
    for place in range(min(_NEIGHBOURHOODS, count)):
        # Among copies of one other image statistics of the batch are as different as they can be.
        others = np.repeat(probe.x[[place - 1]], count, axis=0)
        others[place] = probe.x[place]
        moved = np.abs(probe.logits(others)[place] - base[place]).max()
        difference[place] = max(difference[place], moved)
    drift = any((np.array(v) != b).any() for v, b in zip(variables, before))
    relative = difference / (1e-6 + np.abs(base).max())
    worst = float(np.max(relative, where=np.isfinite(relative), initial=0.0))
    if drift or worst > limit:
        seen = "Weights or statistics of the model move when it is asked" if drift else ""
        if worst > limit:
            seen = "The logits of an image depend on the other images of its batch"
        text = f"{seen}: BatchNormalization in training mode? Call the model with training=False."
        ids = pick_ids(probe.ids, relative > limit)
        return BATCH.finding("error", worst, limit, text, ids)
    text = "The logits of an image do not depend on its batch, and no weight moves."
    return BATCH.finding("passed", worst, limit, text)


def check_execution(probe: Probe, limits: Limits) -> Finding:
    """C6: the same logits and slopes eagerly and in a graph."""
    bounds = limits[EXECUTION]
    x, y = probe.x[: bounds.examples], probe.y[: bounds.examples]
    agree = 1.0
    if probe.has_gradient:
        base, slopes = probe.slopes(x)
        logits, there = probe.traced.slopes_in_graph(tf.constant(x), tf.constant(y))
        if "margin" in slopes and "margin" in there:
            cosine = _cosine(slopes["margin"], there["margin"].numpy())
            agree = float((cosine >= bounds.cosine).mean())
    else:
        base, logits = probe.logits(x), probe.forward(tf.constant(x))
    worst = float(np.abs(logits - base).max() / (1e-6 + np.abs(base).max()))
    if worst > bounds.difference or agree < bounds.share:
        text = (
            f"Eager and graph execution differ: logits by {worst:.2g} relative to the largest, and "
            f"{format_share(1 - agree)} of the gradients point elsewhere. Does the model contain Python "
            "code that runs once? The attacks run in graphs."
        )
        return EXECUTION.finding("warning", worst, bounds.difference, text)
    text = "Eager and graph execution agree on logits and gradients."
    return EXECUTION.finding("passed", worst, bounds.difference, text)


def _cosine(a, b):
    """Cosines between the rows of two arrays; 1 where both are zero, or both not finite."""
    a, b = (slope.reshape(len(slope), -1).astype(np.float64) for slope in (a, b))
    finite = np.isfinite(a).all(axis=1), np.isfinite(b).all(axis=1)
    a, b = (np.where(np.isfinite(slope), slope, 0.0) for slope in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    alike = (a.any(axis=1) == b.any(axis=1)) & (finite[0] == finite[1])
    return np.where(lengths > 0, (a * b).sum(axis=1) / np.maximum(lengths, 1e-300), alike)
