"""Auto-PGD's steps in Linf and L2: with momentum, and a step size that is halved where the loss stalls."""

import tensorflow as tf

from tfrobust.ops import norms
from tfrobust.ops.random.keys import Keys
from tfrobust.threat_models.base import ThreatModel


class MomentumSteps:
    """How an `APGD` moves, and what it does at its checkpoints.

    Args:
        threat_model: `Linf` or `L2`.
        steps: gradient steps of one run.
        rho: fraction of steps in which the loss must grow.
    """

    def __init__(self, threat_model: ThreatModel, steps: int, rho: float):
        self.project, self.steepest = threat_model.project, threat_model.steepest
        self.random_start = threat_model.random_surface_point
        self.rho = rho
        # One search, with the radius as it is.
        self.stages = ((1, steps),)

    def windows(self, steps: int) -> list[int]:
        """For each step of a stage: the length of the window that ends with it, or 0."""
        return checkpoint_windows(steps)

    def start(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """A random point on the ball's surface, cut to the box."""
        return tf.clip_by_value(self.random_start(x, radius, keys), 0.0, 1.0)

    def memory(self, x: tf.Tensor, y: tf.Tensor, radius: tf.Tensor | float) -> dict[str, tf.Tensor]:
        """What the steps remember beside the points, at the beginning."""
        zeros = tf.zeros_like(y, x.dtype)
        return {
            "former_loss": zeros,
            "checked_loss": zeros,
            "step_size": zeros + 2.0 * radius,
            "halved": tf.ones_like(y, tf.bool),
            "grown": tf.zeros_like(y),
        }

    def move(self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor]) -> tf.Tensor:
        """The points after a step, within the set.

        Args:
            s: state after a look, with its "gradient", and "former", where the search was before it.
        """
        current = s["current"]
        share = norms.expand(tf.cast(tf.where(tf.equal(s["index"], 0), 1.0, 0.75), x.dtype), x)
        size = norms.expand(s["step_size"], x)
        ahead = self.project(current + size * self.steepest(s["gradient"]), x, radius)
        momentum = current - s["former"]
        return self.project(
            current + share * (ahead - current) + (1.0 - share) * momentum, x, radius
        )

    def observe(
        self,
        x: tf.Tensor,
        radius: tf.Tensor | float,
        former: dict[str, tf.Tensor],
        s: dict[str, tf.Tensor],
        first: tf.Tensor,
        loss: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """`s` after a look at `s["current"]`; `former` is the state before it."""
        return {
            **s,
            "former": former["current"],
            # The code compares the loss after the first step with 0, not with the start's.
            "former_loss": tf.where(first, tf.zeros_like(loss), loss),
            "grown": s["grown"] + tf.cast(~first & (loss > former["former_loss"]), tf.int32),
            "checked_loss": tf.where(first, loss, s["checked_loss"]),
        }

    def pass_checkpoint(
        self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor], window: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Halves step sizes and goes back to the best points, where a checkpoint finds no progress.

        Args:
            window: steps since the last checkpoint, int32 (b,); 0 where there is no checkpoint.
        """
        here = window > 0
        few = tf.cast(s["grown"], tf.float32) <= self.rho * tf.cast(window, tf.float32)
        stuck = ~s["halved"] & (s["checked_loss"] >= s["best_loss"])
        halve = here & (few | stuck)
        image = norms.expand(halve, s["current"])
        return {
            **s,
            "step_size": tf.where(halve, s["step_size"] / 2.0, s["step_size"]),
            "current": tf.where(image, s["best"], s["current"]),
            "gradient": tf.where(image, s["best_gradient"], s["gradient"]),
            "halved": tf.where(here, halve, s["halved"]),
            "checked_loss": tf.where(here, s["best_loss"], s["checked_loss"]),
            "grown": tf.where(here, tf.zeros_like(s["grown"]), s["grown"]),
        }


def checkpoint_windows(steps: int) -> list[int]:
    """For each step, made so far 1 to `steps`: the length of the window that ends with it, or 0.

    The first window has 22 % of the steps, each next one 3 % less, but never fewer than 6 %.
    """
    window, least, less = (max(int(part * steps), 1) for part in (0.22, 0.06, 0.03))
    ends, since = [], 0
    for _ in range(steps):
        since += 1
        ends.append(window if since == window else 0)
        if ends[-1]:
            since, window = 0, max(window - less, least)
    return ends
