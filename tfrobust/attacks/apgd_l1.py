"""Auto-PGD's steps in L1: along the pixels with the largest gradient, as many as the best point needs."""

import tensorflow as tf

from tfrobust.ops import norms
from tfrobust.ops.random.keys import Keys
from tfrobust.threat_models.base import ThreatModel, to_box


class SparseSteps:
    """How an `APGD` in L1 moves, and what it does at its checkpoints.

        q <- project(q + eta s / |s|_1),  s = sign(g) where |g| is among its largest entries, else 0

    How many entries those are follows from the best point: two thirds of the pixels that it changes
    (of which there were a fifth of all at the beginning). Every 4 % of the steps that number is counted
    again. Where it fell by more than 5 %, eta is the radius again and the search goes on from the best
    point; elsewhere eta is divided by 1.5, down to a tenth of the radius. There is no momentum.

    With `larger_radii` the search is made three times: 30 % of the steps each with the threefold and
    the twofold radius, and the rest with the radius itself, each time from the best point of the
    former search, brought into the ball.

    Args:
        threat_model: `L1`.
        steps: gradient steps of one run.
        larger_radii: whether the search begins with larger radii; takes 5 steps at least.
    """

    def __init__(self, threat_model: ThreatModel, steps: int, larger_radii: bool):
        self.project = threat_model.project
        self.larger_radii = larger_radii
        part = -(-3 * steps // 10)
        self.stages: tuple[tuple[int, int], ...] = ((1, steps),)
        if larger_radii:
            self.stages = ((3, part), (2, part), (1, steps - 2 * part))

    def windows(self, steps: int) -> list[int]:
        """For each step of a stage: the length of the window that ends with it, or 0."""
        window = max(steps // 25, 1)
        return [0 if made % window else window for made in range(1, steps + 1)]

    def start(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """Normal noise of the size of the whole pixel range, brought into the set."""
        noise = keys.normal(tf.shape(x), x.dtype)
        return to_box(self.project(x + tf.ensure_shape(noise, x.shape), x, radius))

    def memory(self, x: tf.Tensor, y: tf.Tensor, radius: tf.Tensor | float) -> dict[str, tf.Tensor]:
        """What the steps remember beside the points, at the beginning.

        "changed": how many pixels the best point changes; "smaller": how many entries of the gradient
        a step leaves out, the smallest ones.
        """
        size = x.shape[1:].num_elements()
        return {
            "step_size": tf.zeros_like(y, x.dtype) + radius,
            "changed": tf.fill(tf.shape(y), size),
            "smaller": tf.fill(tf.shape(y), 4 * size // 5),
        }

    def move(self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor]) -> tf.Tensor:
        """The points after a step, within the set."""
        slope = norms.flat(s["gradient"])
        size = tf.abs(slope)
        least = tf.gather(tf.sort(size, axis=1), s["smaller"], batch_dims=1)
        sign = tf.where(size >= least[:, None], tf.sign(slope), tf.zeros_like(slope))
        length = s["step_size"] / (tf.reduce_sum(tf.abs(sign), axis=1) + 1e-10)
        step = tf.reshape(sign * length[:, None], tf.shape(x))
        return self.project(s["current"] + step, x, radius)

    def observe(
        self,
        x: tf.Tensor,
        radius: tf.Tensor | float,
        former: dict[str, tf.Tensor],
        s: dict[str, tf.Tensor],
        first: tf.Tensor,
        loss: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """`s` after a look at `s["current"]`: a stage begins with steps of its radius."""
        s = {**s, "step_size": tf.where(first, tf.zeros_like(loss) + radius, s["step_size"])}
        # A start that was not drawn for this radius shows how sparse the steps should be.
        return self._count(x, s, first) if self.larger_radii else s

    def pass_checkpoint(
        self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor], window: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Counts the pixels again, and goes back to the best points or shortens the steps.

        Args:
            window: steps since the last checkpoint, int32 (b,); 0 where there is no checkpoint.
        """
        here, former = window > 0, s["changed"]
        s = self._count(x, s, here)
        # In whole numbers, so that no rounding decides: fewer than 95 %.
        fewer = here & (20 * s["changed"] < 19 * former)
        shorter = tf.maximum(s["step_size"] / 1.5, radius / 10.0)
        size = tf.where(here, shorter, s["step_size"])
        image = norms.expand(fewer, x)
        return {
            **s,
            "step_size": tf.where(fewer, tf.zeros_like(size) + radius, size),
            "current": tf.where(image, s["best"], s["current"]),
            "gradient": tf.where(image, s["best_gradient"], s["gradient"]),
        }

    def _count(self, x, s, where):
        """`s` with "changed" and "smaller" as the best points have them, in some rows."""
        moved = norms.flat(tf.cast(tf.not_equal(s["best"], x), tf.int32))
        changed, size = tf.reduce_sum(moved, axis=1), x.shape[1:].num_elements()
        smaller = tf.minimum((3 * size - 2 * changed) // 3, size - 1)
        return {
            **s,
            "changed": tf.where(where, changed, s["changed"]),
            "smaller": tf.where(where, smaller, s["smaller"]),
        }
