"""What tells one evaluation from another."""

import hashlib

import keras
import numpy as np

from tfrobust.evaluation.compiled.classifier import Classifier
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.examples import AnyExamples
from tfrobust.evaluation.suites import Suite


def compute_fingerprint(
    evaluator: Evaluator, examples: AnyExamples, suite: Suite, rows: int = 0
) -> dict:
    """A dict of JSON values: hashes of the model, of the examples and of the suite, the seed, and votes.

    A classifier is known by its weights, or by its logits for some noise if it shows none. `rows` is the
    size of chunks, 0 where there is one.

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
    votes = {"votes": evaluator.votes} if evaluator.votes > 1 else {}
    return {
        "model": hash_model(evaluator.subject, examples.image_shape),
        "examples": examples.digest(),
        "suite": suite.hash,
        "seed": evaluator.seed,
        **votes,
        **({"chunk": rows} if rows else {}),
        **({"spared": _digest(evaluator.spared)} if len(evaluator.spared) else {}),
    }


def hash_model(subject: Classifier, image_shape: tuple[int, ...]) -> str:
    """16 hexadecimal digits that tell a classifier from others: of its weights, or else of some logits.

    Args:
        subject: `Subject`, or another `Classifier`.
        image_shape: (h, w, c), of the noise for which logits are taken.

    Example:
    >>> from tfrobust.evaluation import Subject
    >>> from tfrobust.evaluation.fingerprint import hash_model
    >>> len(hash_model(Subject.of(tfrobust.models.digits_cnn()), (8, 8, 1)))
    16
    """
    model = subject.model
    # Not its variables: the states of Dropout's random numbers are among them, new ones at each loading.
    is_keras = isinstance(model, keras.layers.Layer)
    variables = model.weights if is_keras else getattr(model, "variables", None)
    if variables:
        return _digest(*(np.asarray(variable) for variable in variables))
    noise = np.random.default_rng(0).random((8, *image_shape), np.float32)
    return _digest(subject.forward(noise).numpy())


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
