"""How a model that answers anew each time answers to the adversarial images: C22."""

import typing
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.before.consistency import average_gradients
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.ops.logits import correct

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.evaluation import Evaluation

_BATCH = 256

PASSES = Check(
    "C22",
    "many passes",
    measures="How often the adversarial images are classified right over many passes: on average and always.",
    why="A random model is right about the same image now and then; a vote hides how often.",
    advice="Report both beside robust accuracy, and average gradients in the attacks (suite "
    "`autoattack_rand`); Square and FAB are unreliable.",
    settings={
        "passes": Setting(20, "of each image; as many passes vote on every image of a random model")
    },
)


def check_passes(
    evaluation: "Evaluation", model: keras.Model | Callable | None, limits: Limits
) -> Finding:
    """C22: how often the adversarial images fool a model that answers anew each time.

    For an example that no attack broke it looks at the image that was found and outvoted, and where there
    is none at the clean image.
    """
    if model is None or evaluation.adversarial is None or not len(evaluation.ids):
        return PASSES.skip("it needs the model and the adversarial images.")
    forward = TracedModel.of(model, evaluation.adversarial.shape[1:])
    x = evaluation.adversarial
    y, ids = evaluation.labels[: len(x)].astype(np.int32), evaluation.ids[: len(x)]
    passes = limits[PASSES].passes
    each = "each" if len(x) == len(evaluation.ids) else f"each of {len(x)} examples'"
    right = np.stack([_classify(forward, x, y) for _ in range(passes)])
    changing = right.any(axis=0) != right.all(axis=0)
    mean, worst = float(right.mean()), float(right.all(axis=0).mean())
    if not changing.any():
        text = f"{passes} passes over the adversarial images give the same answers."
        return PASSES.finding("passed", mean - worst, 0.0, text)
    text = (
        f"Of {passes} passes over {each} adversarial image (an outvoted or the clean one where no attack "
        f"broke the example) {format_share(mean)} are right on average, and all of them for "
        f"{format_share(worst)} of the images. Report both "
    )
    shown = pick_ids(ids, changing)
    if evaluation.votes > 1 and average_gradients([o.attack for o in evaluation.outcomes]):
        text += f"beside robust accuracy, for which {evaluation.votes} passes vote."
        return PASSES.finding("info", mean - worst, 0.0, text, shown)
    text += (
        "instead of robust accuracy, and average gradients in the attacks (suite autoattack_rand); "
        "Square and FAB are unreliable here."
    )
    return PASSES.finding("warning", mean - worst, 0.0, text, shown)


def _classify(forward, x, y):
    """Which images one pass classifies as their labels, boolean (n,)."""
    batches = (slice(at, at + _BATCH) for at in range(0, len(y), _BATCH))
    return np.concatenate([correct(y[b], forward(tf.constant(x[b]))).numpy() for b in batches])
