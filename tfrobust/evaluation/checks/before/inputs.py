"""Checks of what is given: pixels, radius, labels, number of examples."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.starts import Uniform
from tfrobust.evaluation.checks.answers import format_share
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.ops.random.keys import BatchKeys, seed_pair
from tfrobust.threat_models.base import ThreatModel

PIXELS = Check(
    "C2",
    "pixels and radius",
    measures="The range of the pixels, and whether the radius reaches every image from every other one.",
    why="Attacks stay in [0, 1]; with other units the radius means something else.",
    advice="Give pixels in [0, 1], put the normalisation into the model (`tfrobust.adapt`), and write the "
    "radius as '8/255'.",
    settings={"slack": Setting(1e-6, "how far pixels may lie outside [0, 1]")},
)
LABELS = Check(
    "C3",
    "labels",
    measures="Whether the labels are integers from 0 to k - 1, one for each example.",
    why="Without them no accuracy can be computed.",
    advice="Give class numbers, for example the argmax of one-hot rows.",
)
CLEAN_ACCURACY = Check(
    "C37",
    "clean accuracy",
    measures="The accuracy at the clean images, against guessing.",
    why="If it only guesses, the labels, their order or the preprocessing do not match the classifier.",
    advice="Compare the accuracy with what the classifier had when it was trained.",
    settings={"sigmas": Setting(3.0, "standard deviations above guessing that it should reach")},
)
RADIUS_ZERO = Check(
    "C38",
    "radius 0",
    measures="Whether an attack of radius 0 leaves all images as they are.",
    why="If it moves one, projections are wrong, and no radius can be trusted.",
    advice="Check the threat model's `project`, and look for pixels outside [0, 1].",
)
SAMPLE = Check(
    "C28",
    "number of examples",
    measures="The number of examples, in all and of each class.",
    why="With few examples, a difference of a few points is chance.",
    advice="Take more examples, and report the interval (C40).",
    settings={
        "few": Setting(100, "examples; fewer are a warning"),
        "some": Setting(1000, "examples; fewer are worth a note"),
    },
)


def check_pixels(x: np.ndarray, threat_model: ThreatModel, limits: Limits) -> Finding:
    """C2: pixels in [0, 1], a radius that leaves something of the image."""
    limit = limits[PIXELS].slack
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
        return PIXELS.finding("error", excess, limit, text)
    # No image is farther from another one than the corners of the box.
    width = float(threat_model.distance(tf.ones_like(x[:1]), tf.zeros_like(x[:1]))[0])
    radius = threat_model.radius()
    if radius >= width:
        text = (
            f"The radius {threat_model.epsilon} reaches every image from every other one; nothing can be "
            "robust. Give it in units of [0, 1], such as '8/255'."
        )
        return PIXELS.finding("error", radius, width, text)
    grey = np.asarray(x) * 255
    stored = "" if np.allclose(grey, np.round(grey), atol=1e-2) else " not"
    text = f"The pixels lie in [{low:.4g}, {high:.4g}] and are{stored} multiples of 1/255."
    return PIXELS.finding("passed", excess, limit, text)


def check_labels(y: np.ndarray, num_classes: int) -> Finding:
    """C3: labels are class numbers."""
    y = np.asarray(y)
    if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) and len(y):
        if y.min() >= 0 and y.max() < num_classes:
            text = f"The labels are integers from {y.min()} to {y.max()} for {num_classes} classes."
            return LABELS.finding("passed", None, None, text)
        seen = f"numbers from {y.min()} to {y.max()} for {num_classes} classes"
    else:
        seen = f"{y.dtype} of shape {y.shape}"
    text = (
        f"Labels must be whole numbers from 0 to {num_classes - 1}, one for each example; they are {seen}. "
        "Take the argmax of one-hot rows."
    )
    return LABELS.finding("error", None, None, text)


def check_clean_accuracy(probe: Probe, num_classes: int, limits: Limits) -> Finding:
    """C37: better than guessing at the clean images."""
    guessing, count = 1.0 / num_classes, len(probe.y)
    limit = guessing + limits[CLEAN_ACCURACY].sigmas * np.sqrt(guessing * (1 - guessing) / count)
    clean = float(probe.clean.mean())
    if clean < limit:
        text = (
            f"Only {format_share(clean)} of {count} examples are right before any attack, no better than "
            "guessing: labels, order or preprocessing do not match the model."
        )
        return CLEAN_ACCURACY.finding("warning", clean, limit, text)
    text = f"{format_share(clean)} of the first {count} examples are right before any attack."
    return CLEAN_ACCURACY.finding("passed", clean, limit, text)


def check_radius_zero(probe: Probe) -> Finding:
    """C38: an attack of radius 0 changes nothing."""
    start = Uniform()(probe.threat_model, tf.constant(probe.x), 0.0, BatchKeys(seed_pair(0)))
    found = probe.step(probe.clean_slopes["cross-entropy"], start=start, radius=0.0).numpy()
    moved = (found != probe.x).reshape(len(found), -1).any(axis=1)
    share = float(moved.mean())
    if not moved.any():
        text = "An attack of radius 0 changes no image."
        return RADIUS_ZERO.finding("passed", share, 0.0, text)
    text = (
        f"An attack of radius 0 changed {moved.sum()} images and should change none: the threat model and "
        "the pixels do not fit together."
    )
    return RADIUS_ZERO.finding("error", share, 0.0, text, tuple(probe.ids[moved]))


def check_sample(y: np.ndarray, num_classes: int, limits: Limits) -> Finding:
    """C28: enough examples, of all classes."""
    count, sizes = len(y), limits[SAMPLE]
    counts = np.bincount(np.asarray(y), minlength=num_classes)
    level, advice = "passed", ""
    if count < sizes.few:
        level, advice = "warning", " That is too few for any statement; take more."
    elif count < sizes.some:
        level = "info"
        advice = " Differences of a few points mean nothing; look at the interval."
    text = f"There are {count} examples; the classes have from {counts.min()} to {counts.max()}.{advice}"
    return SAMPLE.finding(level, count, sizes.some, text)
