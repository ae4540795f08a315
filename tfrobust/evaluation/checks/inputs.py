"""Checks of what is given: pixels, radius, labels, number of examples."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.pgd import PGD
from tfrobust.evaluation.checks.answers import percent
from tfrobust.evaluation.checks.finding import Finding


def pixels(x, threat_model, limits):
    """C2: pixels in [0, 1], a radius that leaves something of the image."""
    title, limit = "pixels and radius", limits.box_slack
    low, high = float(np.min(x)), float(np.max(x))
    excess = max(high - 1.0, -low, 0.0)
    if not excess <= limit:
        guess = "is it not finite?"
        if np.isfinite(excess):
            guess = (
                "normalised data? Give pixels, and put the normalisation into the model."
                if low < -limit
                else "0..255 data? Divide by 255."
            )
        text = f"The pixels lie in [{low:.4g}, {high:.4g}], not in [0, 1]: {guess}"
        return Finding("C2", title, "error", excess, limit, text)
    # No image is farther from another one than the corners of the box.
    width = float(threat_model.distance(tf.ones_like(x[:1]), tf.zeros_like(x[:1]))[0])
    radius = threat_model.radius()
    if radius >= width:
        text = (
            f"The radius {threat_model.epsilon} reaches every image from every other one; nothing can be "
            "robust. Give it in units of [0, 1], such as '8/255'."
        )
        return Finding("C2", title, "error", radius, width, text)
    grey = np.asarray(x) * 255
    stored = "" if np.allclose(grey, np.round(grey), atol=1e-2) else " not"
    text = f"The pixels lie in [{low:.4g}, {high:.4g}] and are{stored} multiples of 1/255."
    return Finding("C2", title, "passed", excess, limit, text)


def labels(y, num_classes):
    """C3, first part: labels are class numbers. None if they are."""
    y = np.asarray(y)
    if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) and len(y):
        if y.min() >= 0 and y.max() < num_classes:
            return None
        seen = f"numbers from {y.min()} to {y.max()} for {num_classes} classes"
    else:
        seen = f"{y.dtype} of shape {y.shape}"
    text = (
        f"Labels must be whole numbers from 0 to {num_classes - 1}, one for each example; they are {seen}. "
        "Of one-hot rows take the argmax."
    )
    return Finding("C3", "labels", "error", None, None, text)


def accuracy(probe, num_classes, limits):
    """C3, second part: better than guessing at the clean images."""
    guessing, count = 1.0 / num_classes, len(probe.y)
    limit = guessing + limits.clean_sigmas * np.sqrt(guessing * (1 - guessing) / count)
    clean = float(probe.clean.mean())
    if clean < limit:
        text = (
            f"Only {percent(clean)} of {count} examples are right before any attack, no better than "
            "guessing: labels, order or preprocessing do not match the model."
        )
        return Finding("C3", "labels and clean accuracy", "warning", clean, limit, text)
    text = f"{percent(clean)} of the first {count} examples are right before any attack."
    return Finding("C3", "labels and clean accuracy", "passed", clean, limit, text)


def radius_zero(probe):
    """C3, third part: an attack of radius 0 changes nothing. None if so, or without gradients."""
    attack = PGD(probe.threat_model, steps=1)
    found = attack(probe.forward, probe.x, probe.y, seed=0, scale=0.0).x.numpy()
    moved = (found != probe.x).reshape(len(found), -1).any(axis=1)
    if not moved.any():
        return None
    text = (
        f"An attack of radius 0 changed {moved.sum()} images, of which it should change none: the threat "
        "model and the pixels do not fit together."
    )
    ids = probe.ids[moved]
    return Finding("C3", "radius 0", "error", float(moved.mean()), 0.0, text, tuple(ids))


def sample(y, num_classes, limits):
    """C28: enough examples, of all classes."""
    count = len(y)
    counts = np.bincount(np.asarray(y), minlength=num_classes)
    level, advice = "passed", ""
    if count < limits.few_examples:
        level, advice = "warning", " That is too few for any statement; take more."
    elif count < limits.some_examples:
        level = "info"
        advice = " Differences of a few points mean nothing; look at the interval."
    text = f"There are {count} examples; the classes have from {counts.min()} to {counts.max()}.{advice}"
    return Finding("C28", "number of examples", level, count, limits.some_examples, text)
