"""Checks that the same image always gives the same logits: C4, C5, C6."""

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import chosen, percent
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.ops.logits import correct

_NEIGHBOURHOODS = 8
_REPEATS = 5


def is_random(findings, attacks):
    """Whether the model is one with noise: C5 found it so, or an attack is made for such models."""
    seen = any(f.id == "C5" and f.made and f.level != "passed" for f in findings)
    return seen or any(attack.eot > 1 for attack in attacks)


def averages(attacks):
    """Whether there are attacks, and all average several passes in each step."""
    return bool(attacks) and all(attack.eot > 1 for attack in attacks)


def determinism(probe, limits, attacks=()):
    """C5: five passes of the same images agree. A remark where all attacks are made for models with noise."""
    title, limit = "determinism", limits.random_difference
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
        ids = chosen(probe.ids, apart > limit)
        if averages(attacks):
            text = (
                f"{_REPEATS} passes of the same images give different logits: the model is random. All "
                "attacks average gradients, and images are judged by a vote of many passes."
            )
            return Finding("C5", title, "info", worst, limit, text, ids)
        text = (
            f"{_REPEATS} passes of the same images give different logits: the model is random. "
            "One lucky pass "
            "decides nothing: average gradients (suite autoattack-rand, `eot=20`) and judge each image by "
            "many passes; Square and FAB are unreliable."
        )
        return Finding("C5", title, "warning", worst, limit, text, ids)
    text = f"{_REPEATS} passes of the same images give the same logits."
    return Finding("C5", title, "passed", worst, limit, text)


def batch_independence(probe, operations, limits):
    """C4: neither the neighbours in the batch nor the order matter, and no weight moves."""
    title = "inference mode"
    low = "low precision" in operations
    limit = limits.low_precision_difference if low else limits.batch_difference
    variables = probe.graph.variables
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
        ids = chosen(probe.ids, relative > limit)
        return Finding("C4", title, "error", worst, limit, text, ids)
    text = "The logits of an image do not depend on its batch, and no weight moves."
    return Finding("C4", title, "passed", worst, limit, text)


def parity(probe, limits, xla=False):
    """C6: the same logits and slopes eagerly, in a graph and, if asked for, under XLA."""
    title, limit = "eager and graph", limits.parity_difference
    x, y = probe.x[: limits.eager_examples], probe.y[: limits.eager_examples]
    ways = {"eager": probe.slopes_in_graph}
    if xla:
        ways["XLA"] = probe.compiled(probe.slopes_in_graph, jit_compile=True)
    base, slopes = probe.slopes(x) if probe.has_gradient else (probe.logits(x), {})
    worst, agree = 0.0, 1.0
    for way in ways.values():
        if probe.has_gradient:
            logits, there = way(tf.constant(x), tf.constant(y))
        else:
            logits, there = probe.forward(tf.constant(x)), {}
        worst = max(worst, float(np.abs(logits - base).max() / (1e-6 + np.abs(base).max())))
        if "margin" in slopes and "margin" in there:
            cosine = _cosine(slopes["margin"], there["margin"].numpy())
            agree = min(agree, float((cosine >= limits.parity_cosine).mean()))
    names = " and ".join(ways)
    if worst > limit or agree < limits.parity_share:
        text = (
            f"{names} and graph execution differ: logits by {worst:.2g} relative to the largest, and "
            f"{percent(1 - agree)} of the gradients point elsewhere. Does the model hold Python "
            "code that runs "
            "once? The attacks run in graphs."
        )
        return Finding("C6", title, "warning", worst, limit, text)
    text = f"{names} and graph execution agree on logits and gradients."
    return Finding("C6", title, "passed", worst, limit, text)


def _cosine(a, b):
    """Cosines between the rows of two arrays; 1 where both are zero, or both not finite."""
    a, b = (slope.reshape(len(slope), -1).astype(np.float64) for slope in (a, b))
    finite = np.isfinite(a).all(axis=1), np.isfinite(b).all(axis=1)
    a, b = (np.where(np.isfinite(slope), slope, 0.0) for slope in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    alike = (a.any(axis=1) == b.any(axis=1)) & (finite[0] == finite[1])
    return np.where(lengths > 0, (a * b).sum(axis=1) / np.maximum(lengths, 1e-300), alike)
