"""Random noise, a baseline that no attack may be weaker than."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered
from tfrobust.attacks.case import Case, make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.starts import Corner, Uniform
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, misclassified
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.linf import Linf


@register
@dataclasses.dataclass(frozen=True)
class RandomNoise(IterativeAttack):
    """Looks at random points of the threat model until one is misclassified.

    Linf: corners of the cube, radius * s with s = -1 or 1, and points drawn uniformly from it in turn,
    a corner first. Any other norm: points on the sphere. All are cut to the pixel box.

    Use it as a baseline: an attack that breaks fewer examples than noise is not working.
    It uses nothing but the predicted class. A call returns the first misclassified point, or the
    clean image. It costs `samples` forward passes at most, and one at the clean image.

    Args:
        threat_model: `Linf`, `L2` or `L1`.
        samples: points for each example, at least 1. Carlini et al. ask for at least 10,000 on about a
            hundred examples.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> found = tfrobust.attacks.RandomNoise(tfrobust.Linf(0.1), samples=20)(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

    Reference: Carlini et al., "On Evaluating Adversarial Robustness", 2019.
    """

    needs_gradient = False
    needs_scores = False

    threat_model: ThreatModel
    samples: int = 100

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        integer(self.samples, "samples", 1)

    @property
    def num_steps(self) -> int:
        return self.samples

    def passes(self, num_classes: int) -> tuple[int, int]:
        return self.samples, 0

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        return {**make_state(case), "best": case.x}

    def advance(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        candidate = self.draw(case.x, case.radius, case.keys, state["index"])
        logits = forward(candidate)
        seen = {**state, **record_unanswered(state, candidate, all_finite(logits))}
        catch = record_success(seen, candidate, misclassified(case.y, logits))
        index = state["index"] + 1
        return {
            **seen,
            **catch,
            "index": index,
            "done": catch["broken"] | (index >= self.samples),
            "forwards": state["forwards"] + 1,
        }

    def draw(
        self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys, index: tf.Tensor
    ) -> tf.Tensor:
        """The point number `index`, (b,), of every ball around `x`, (b, h, w, c)."""
        keys = keys.fold_in(index)
        if isinstance(self.threat_model, Linf):
            corner = Corner(1.0)(self.threat_model, x, radius, keys)
            inner = Uniform()(self.threat_model, x, radius, keys)
            even = tf.equal(index % 2, 0)
            point = tf.where(norms.expand(even, x), corner, inner)
        else:
            point = self.threat_model.random_surface_point(x, radius, keys)
        return tf.ensure_shape(self.threat_model.project(point, x, radius), x.shape)
