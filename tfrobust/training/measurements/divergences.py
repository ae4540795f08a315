"""The divergence that TRADES minimises and the one that FAIT does, after each epoch."""

import functools

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Gaussian
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.objectives import ToClean
from tfrobust.ops.logits import inference
from tfrobust.ops.random.keys import content_keys, seed_pair
from tfrobust.spec import check_kind
from tfrobust.threat_models.base import ThreatModel
from tfrobust.training.measurements.base import Measurement


class RecordDivergences(Measurement):
    """Logs R and R' on fixed training examples, "divergence_one_piece" and "divergence_two_pieces".

        R  = mean KL(p(x) || p(x'))        R' = mean [ KL(p(x) || p(x*)) + KL(p(x*) || p(x')) ]

    with x' the last iterate of a KL attack of ten steps, and x* an early iterate of the same run. R' <= R
    where p(x*) lies on the segment between p(x) and p(x'): for two classes always if p moves one way.

    Args:
        threat_model: of the attack. None: that of the training's attack, or of its validation's.
        iterate: number of steps to x*, in 1..9.
        examples, data: see `Measurement`.

    Raises:
        UserError: an iterate outside of this range.

    Example:
        >>> record = tfrobust.training.RecordDivergences(tfrobust.Linf("8/255"), examples=100)
        >>> record.attack.steps, record.attack.keep
        (10, (2,))

    Reference: FAIT, arXiv:2208.12511, figure 4.
    """

    def __init__(
        self,
        threat_model: ThreatModel | None = None,
        iterate: int = 2,
        examples: int = 1000,
        data: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        super().__init__(examples, data)
        if not 1 <= iterate <= 9:
            raise UserError(
                f"`iterate` must be in 1..9, before the last step. Received: {iterate!r}."
            )
        check_kind("threat_model", threat_model, ThreatModel, optional=True)
        self.threat_model = threat_model
        self.iterate = iterate

    @functools.cached_property
    def attack(self) -> Attack:
        """Ten steps on the divergence from the clean prediction."""
        threat_model = self.threat_model or self.find_attack().threat_model
        start = Gaussian(0.001)
        return PGD(threat_model, ToClean(), start=start, steps=10, keep=(self.iterate,))

    def measure(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        forward, divergence = inference(self.model.classifier), Bregman()
        found = self.attack(self.model.classifier, x, y, seed=content_keys(seed_pair(0), x))
        (early,) = found.path
        clean, middle, last = (forward(images) for images in (x, early, found.x))
        one = divergence(clean, last)
        two = divergence(clean, middle) + divergence(middle, last)
        return {"divergence_one_piece": one, "divergence_two_pieces": two}
