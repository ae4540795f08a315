"""The order of the looks of an APGD run: starts of stages, steps and checkpoints."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def plan_looks(
    stages: Sequence[tuple[int, int]], windows: Callable[[int], list[int]], look: tf.Tensor
) -> dict[str, tf.Tensor]:
    """What the given looks of a run are for: a dictionary of tensors (b,).

    Args:
        stages: pairs of a factor of the radius and a number of steps.
        windows: function from the number of steps of a stage to the length of the window that ends with
            each step, 0 where none does.
        look: numbers of the looks, int32 (b,), from 0.

    Returns:
        "starts": whether a stage begins with it; "steps": made by then; "window": of the checkpoint
        after it, 0 if none; "factor": of the radius.
    """
    rows = [
        (step == 0, window, factor)
        for factor, steps in stages
        for step, window in enumerate([0, *windows(steps)])
    ]
    starts, ends, factors = map(np.array, zip(*rows, strict=True))
    table = np.stack([starts, np.cumsum(~starts), ends, factors], axis=1).astype(np.int32)
    # Rows that were done before are past the end.
    found = tf.unstack(tf.gather(table, tf.minimum(look, len(rows) - 1)), axis=1)
    starts, made, window, factor = found
    return {"starts": tf.equal(starts, 1), "steps": made, "window": window, "factor": factor}
