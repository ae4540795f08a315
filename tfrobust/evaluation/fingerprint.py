"""What tells one evaluation from another."""

import hashlib

import numpy as np
import tensorflow as tf

from tfrobust.attacks.surrogates import load_surrogate
from tfrobust.evaluation.compiled.classifier import Classifier
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.examples import AnyExamples
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import Suite
from tfrobust.runs.reports.identity import Identity


def compute_fingerprint(
    evaluator: Evaluator, examples: AnyExamples, suite: Suite, rows: int = 0
) -> dict:
    """A dict of JSON values: hashes of the model, of the examples and of the suite, the seed, and votes.

    `rows` is the size of chunks, 0 where there is one.

    Example:
    >>> from tfrobust.evaluation import Evaluator, Examples, Subject, suite
    >>> from tfrobust.evaluation.fingerprint import compute_fingerprint
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> examples = Examples.of(np.zeros((4, 2, 2, 1)), np.arange(4) % 3)
    >>> short = suite("pgd_20", tfrobust.Linf("8/255"))
    >>> evaluator = Evaluator(Subject.of(model), short.attacks)
    >>> sorted(compute_fingerprint(evaluator, examples, short))
    ['examples', 'model', 'seed', 'suite']
    """
    # Of these, a suite's hash sees the path alone.
    surrogates = [
        identify(Subject.of(load_surrogate(model)), examples.image_shape).to_json()
        for model in suite.source_models
    ]
    votes = {"votes": evaluator.votes} if evaluator.votes > 1 else {}
    return {
        "model": identify(evaluator.subject, examples.image_shape).to_json(),
        "examples": examples.digest(),
        "suite": suite.hash,
        "seed": evaluator.seed,
        **votes,
        **({"surrogates": surrogates} if surrogates else {}),
        **({"chunk": rows} if rows else {}),
        **({"spared": _digest(evaluator.spared)} if len(evaluator.spared) else {}),
    }


def identify(subject: Classifier, image_shape: tuple[int, ...]) -> Identity:
    """What tells a classifier from others: a hash of its weights, and its logits for four images of noise.

    Args:
        subject: `Subject`, or another `Classifier`.
        image_shape: (h, w, c), of the noise.

    Example:
    >>> from tfrobust.evaluation import Subject
    >>> from tfrobust.evaluation.fingerprint import identify
    >>> flat, dense = keras.layers.Flatten(), keras.layers.Dense(3)
    >>> one, other = (
    ...     keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(scale), flat, dense])
    ...     for scale in (1.0, 2.0)
    ... )
    >>> one, other = (identify(Subject.of(model), (2, 2, 1)) for model in (one, other))
    >>> one.weights == other.weights, one.is_same(other)
    (True, False)
    """
    model = subject.model
    # No integers: such is the state of the random numbers of Dropout, a new one at each loading.
    variables = [v for v in getattr(model, "variables", ()) if tf.as_dtype(v.dtype).is_floating]
    noise = np.random.default_rng(0).random((4, *image_shape), np.float32)
    # Each image twice: a classifier that draws random numbers answers otherwise.
    logits = subject.forward(tf.constant(np.concatenate([noise, noise]))).numpy()
    once, again = np.split(logits.astype(np.float64), 2)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], once.shape[1])
    identity = Identity("", tuple(image_shape), tuple((once @ signs).tolist()))
    if not identity.is_same(identity._replace(logits=tuple((again @ signs).tolist()))):
        identity = Identity("" if variables else _digest(logits))
    if variables:
        identity = identity._replace(weights=_digest(*(np.asarray(v) for v in variables)))
    return identity


def hash_images(x: np.ndarray) -> np.ndarray:
    """For each image 16 hexadecimal digits that tell it from others, text (n,).

    Args:
        x: float32 (n, h, w, c).

    Example:
    >>> from tfrobust.evaluation.fingerprint import hash_images
    >>> first, second, third = hash_images(np.array([0, 0, 1], "float32").reshape(3, 1, 1, 1))
    >>> first == second, first == third
    (True, False)
    """
    images = np.ascontiguousarray(x, np.float32)
    found = [hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest() for image in images]
    return np.array(found, dtype=str)


def _digest(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
