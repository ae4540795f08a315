"""Randomised smoothing: a certificate for any classifier, of its vote under Gaussian noise."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfrobust.certification.certificate import Certificate, Proven, Prover
from tfrobust.certification.counts import (
    VERSION,
    bound_probability,
    find_probability,
    find_radius,
)
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.evaluation.subject import Subject
from tfrobust.ops.logits import all_finite
from tfrobust.ops.numbers import integer, number
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.spec import register
from tfrobust.threat_models import L2

EARLY_STOPS = ("none", "sequential")
_FIRST_LOOK = 200


@register
@dataclasses.dataclass(frozen=True)
class Smoothing(Certificate):
    """Certifies the smoothed classifier g(x) = the likeliest class of f(x + sigma * N(0, I)).

    Use it for L2 and any classifier, of which it needs labels only; best for one that was trained on such
    noise (`recipes.smooth_adv`, `recipes.gaussian_noise`). What is certified is g, not f: it costs a few
    hundred passes to ask, and its accuracy is what counts as clean here.

        1. the class that wins most of `selection` noisy images;
        2. a lower bound p of its probability, at level alpha, from `samples` others;
        3. radius sigma * Phi^-1(p) if p > 1/2; otherwise g abstains, which counts as an error.

    With probability 1 - alpha for each example, no image within the radius is classified otherwise by g.
    Noisy pixels are not cut to [0, 1]. A noisy image without finite logits is a vote for no class. Noise
    belongs to (seed, example, sample): batches don't change it.

    Args:
        threat_model: `L2`; a radius that reaches its epsilon counts as certified.
        sigma: standard deviation of the noise, in pixels of [0, 1].
        selection: noisy images that choose the class (n0).
        samples: noisy images that bound its probability (n).
        alpha: allowed probability of an error, for each example.
        early_stop: "none" draws all samples. "sequential" looks after 200, 400, 800, ... samples and
            stops once the example is certified at epsilon, or cannot become so; alpha is divided among
            the looks, so that the stated confidence holds. Radii are then those of the last look.
        rows: noisy images at once.

    Example:
    >>> from tfrobust.certification import Smoothing, certify
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1, -1]] * 4, "float32"), np.array([-2, 2], "float32")])
    >>> x, y = np.full((1, 2, 2, 1), 0.75, "float32"), np.array([0])
    >>> found = certify(model, (x, y), Smoothing(tfrobust.L2(0.25), sigma=0.25, samples=1000))
    >>> bool(found.certified[0]), bool(found.radii[0] < 0.5)  # the exact radius is 0.5
    (True, True)

    Reference: Cohen, Rosenfeld and Kolter, "Certified Adversarial Robustness via Randomized
        Smoothing", 2019. The sequential test is ours.
    """

    sigma: float = 0.25
    selection: int = 100
    samples: int = 10_000
    alpha: float = 0.001
    early_stop: str = "none"
    rows: int = 1000

    is_certain: ClassVar[bool] = False
    rules: ClassVar[str] = f"smoothing {VERSION}"

    def check(self) -> None:
        if not isinstance(self.threat_model, L2):
            raise UserError(
                f"Smoothing with Gaussian noise certifies L2 only. Received: {self.threat_model!r}. For Linf "
                "use CROWN or IBP (suite='bounds')."
            )
        if self.early_stop not in EARLY_STOPS:
            raise UserError(
                f"`early_stop` must be one of {EARLY_STOPS}. Received: early_stop={self.early_stop!r}."
            )
        self.store(
            sigma=number(self.sigma, "sigma", 1e-6),
            selection=integer(self.selection, "selection", 1),
            samples=integer(self.samples, "samples", 1),
            alpha=number(self.alpha, "alpha", 1e-15, 0.5),
            rows=integer(self.rows, "rows", 1),
        )

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many samples the probability is bounded.

        Example:
        >>> tfrobust.certification.Smoothing(tfrobust.L2(1.0), samples=1000, early_stop="sequential").looks
        (200, 400, 800, 1000)
        """
        if self.early_stop == "none":
            return (self.samples,)
        looks, next_look = [], _FIRST_LOOK
        while next_look < self.samples:
            looks.append(next_look)
            next_look *= 2
        return (*looks, self.samples)

    @property
    def reach(self) -> float:
        return float("inf") if self.early_stop == "none" else self.threat_model.radius()

    def prepare(self, subject: Subject, image_shape: tuple, num_classes: int, seed: int) -> Prover:
        return _Prover(self, subject.forward, image_shape, num_classes, seed)


class _Prover:
    # One after the other: the noise of one image fills the device.
    rows = 8

    def __init__(self, certificate, forward, image_shape, num_classes, seed):
        self._certificate, self._seed = certificate, seed

        def count(image, seeds, first, last):
            """Votes of the samples number first, ..., last - 1; rows beyond are computed, but not counted."""
            numbers = first + tf.range(certificate.rows)
            keys = ExampleKeys(tf.repeat(seeds[None], certificate.rows, axis=0)).fold_in(numbers)
            noise = keys.normal((certificate.rows, *image_shape))
            logits = forward(image[None] + certificate.sigma * noise)
            counts = (numbers < last) & all_finite(logits)
            votes = tf.one_hot(tf.argmax(logits, axis=1), num_classes, dtype=tf.int32)
            return tf.reduce_sum(tf.where(counts[:, None], votes, 0), axis=0)

        self._count = tf.function(count, autograph=False, jit_compile=False)

    def __call__(self, x, y, ids, look: Callable[[], None]) -> Proven:
        seeds = derive_seeds(self._seed, "smoothing", ids)
        found = [
            self._certify(tf.constant(image), tf.constant(pair), int(label), look)
            for image, pair, label in zip(x, seeds, y, strict=True)
        ]
        predictions, radii, margins, passes = map(np.array, zip(*found, strict=True))
        return Proven(predictions, radii.astype(np.float64), margins.astype(np.float64), passes)

    def _certify(self, image, seeds, label, look):
        certificate = self._certificate
        begin = certificate.selection
        chosen = int(np.argmax(self._vote(image, seeds, 0, begin, look)))
        looks, votes, done = certificate.looks, 0, 0
        needed = find_probability(certificate.threat_model.radius(), certificate.sigma)
        alpha = certificate.alpha / len(looks)
        for total in looks:
            counts = self._vote(image, seeds, begin + done, begin + total, look)
            votes, done = votes + int(counts[chosen]), total
            low, rest = bound_probability(np.array([votes, total - votes]), total, alpha)
            if low >= needed or 1.0 - rest < needed:
                break
        radius = float(find_radius(np.array([low]), certificate.sigma)[0])
        prediction = chosen if radius > 0.0 else -1
        return prediction, radius if prediction == label else 0.0, low - 0.5, begin + done

    def _vote(self, image, seeds, first, last, look):
        rows, counts = self._certificate.rows, 0
        for begin in range(first, last, rows):
            look()
            counts = (
                counts + self._count(image, seeds, tf.constant(begin), tf.constant(last)).numpy()
            )
        return counts
