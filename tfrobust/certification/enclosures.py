"""Certificates by bounds of the logits over all images of the threat model: IBP and CROWN."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.bounds import Interval, Tightening, bound_margins, read_network
from tfrobust.bounds.arithmetic import PROOF
from tfrobust.bounds.compiled import CompiledOnce
from tfrobust.bounds.rules import VERSION
from tfrobust.certification.certificate import Certificate, Proven, Prover
from tfrobust.errors import UserError
from tfrobust.evaluation.subject import Subject
from tfrobust.ops.numbers import integer
from tfrobust.spec import register
from tfrobust.threat_models import Linf

_BOX_PASSES = 3


@dataclasses.dataclass(frozen=True)
class Enclosure(Certificate):
    """Base of certificates by bounds. An example is certified if all its margins are bounded above 0.

    The box of images is a little wider than epsilon: as much as `ThreatModel.contains` forgives, so that
    whatever an evaluation accepts as an adversarial image lies inside.

    Args:
        threat_model: `Linf`.
        bisections: how often to halve the interval in which the largest provable radius lies, between 0
            and twice epsilon; 0 for a verdict at epsilon alone, whose radius is epsilon or 0. Each
            costs as much as the verdict.
    """

    bisections: int = 0

    rules = f"bounds {VERSION}"
    # Linear bounds down to the images, and also in front of every activation.
    to_images = False
    is_tightened = False
    # Examples at once.
    rows = 256

    def check(self) -> None:
        if not isinstance(self.threat_model, Linf):
            raise UserError(
                f"{type(self).__name__} certifies Linf only. Received: {self.threat_model!r}. For L2 use "
                "Smoothing (suite='smoothing')."
            )
        self.store(bisections=integer(self.bisections, "bisections", 0, 30))

    @property
    def reach(self) -> float:
        return (2.0 if self.bisections else 1.0) * self.threat_model.radius()

    def prepare(self, subject: Subject, image_shape: tuple, num_classes: int, seed: int) -> Prover:
        if not isinstance(subject.model, keras.Model):
            raise UserError(
                f"{type(self).__name__} reads the layers of a Keras model; the {subject.description} shows "
                "none. Give the run, the .keras file or the model, or use Smoothing (suite='smoothing')."
            )
        return _Prover(self, subject.model, subject.forward)


class _Prover:
    def __init__(self, certificate, model, forward):
        self.rows, self._certificate = certificate.rows, certificate
        network = read_network(model)
        self._forward = CompiledOnce(forward)
        self._tightening = Tightening(network) if certificate.is_tightened else None
        self._to_images = to_images = certificate.to_images

        def bound(boxes, errors, y):
            return bound_margins(network, boxes, errors, y, PROOF, to_images)

        def bound_box(lower, upper, y):
            boxes, errors = network.propagate(Interval(lower, upper), PROOF)
            found = bound(boxes, errors, y)
            # Joined last layers are no better than boxes where nothing can be joined.
            return tf.maximum(found, bound_margins(network, boxes, errors, y, PROOF, False))

        self._bound, self._bound_box = CompiledOnce(bound), CompiledOnce(bound_box)

    def __call__(self, x, y, ids, look: Callable[[], None]) -> Proven:
        threat_model, count = self._certificate.threat_model, len(y)
        predictions = np.argmax(self._forward(tf.constant(x)), axis=1)
        epsilon, right = float(threat_model.radius()), predictions == y
        margins = np.full(count, np.nan)
        passes = np.ones(count, int)
        margins[right], made = self._prove(x[right], y[right], np.full(right.sum(), epsilon), look)
        passes[right] += made
        # A NaN certifies nothing.
        holds = margins > 0.0
        radii = np.where(holds, epsilon, 0.0)
        low, high = radii.copy(), np.where(holds, 2.0 * epsilon, epsilon)
        for _ in range(self._certificate.bisections):
            middle = (low + high) / 2.0
            proven = np.zeros(count, bool)
            found, made = self._prove(x[right], y[right], middle[right], look)
            proven[right] = found > 0.0
            passes[right] += made
            low, high = np.where(proven, middle, low), np.where(proven, high, middle)
        return Proven(predictions, np.where(right, low, 0.0), margins, passes)

    def _prove(self, x, y, radii, look):
        """Lower bounds of the smallest margin, and the passes that they took, (b,) each."""
        if not len(y):
            return np.zeros(0), np.zeros(0, int)
        # As far as `threat_models.base.is_within` forgives, and a little for its own rounding.
        room = (radii * (1.0 + 2e-6) + 2e-7)[:, None, None, None]
        exact = x.astype(np.float64)
        lower, upper = np.maximum(exact - room, 0.0), np.minimum(exact + room, 1.0)
        box = Interval(tf.constant(lower), tf.constant(upper))
        y = tf.constant(y, tf.int32)
        look()
        found = self._bound_box(*box, y)
        num_classes = found.shape[1]
        # Three for the boxes: centers, radii, and the sizes by which rounding is bounded.
        passes = np.full(len(y), _BOX_PASSES + (num_classes if self._to_images else 0))
        if self._tightening is not None:
            tighter, made = self._tighten(box, y, found, look)
            found, passes = tf.maximum(found, tighter), passes + made
        return _take_smallest(found, y), passes

    def _tighten(self, box, y, found, look):
        """Margins from tightened boxes, for those that are not certified yet, and the passes."""
        smallest = _take_smallest(found, y)
        places = np.flatnonzero(~(smallest > 0.0)).astype(np.int32)
        result, passes = found.numpy().copy(), np.zeros(len(y), int)
        if len(places):
            boxes, errors = self._tightening(box.take(tf.constant(places)), look)
            result[places] = self._bound(boxes, errors, tf.gather(y, places)).numpy()
            passes[places] = self._tightening.made + _BOX_PASSES + result.shape[1]
        return result, passes


def _take_smallest(margins, y):
    margins = np.array(margins)
    margins[np.arange(len(margins)), np.asarray(y)] = np.inf
    return margins.min(axis=1)


@register
@dataclasses.dataclass(frozen=True)
class IBP(Enclosure):
    """Interval bound propagation: a box around the outputs of each layer.

    Use it for networks that were trained with it: it costs about three forward passes and proves next to
    nothing of others. The last layers without an activation between them are joined into one.

        center' = W center + b,  radius' = |W| radius

    Args:
        threat_model: `Linf`.
        bisections: for radii, see `Enclosure`.

    Example:
    >>> from tfrobust.certification import IBP, certify
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1, -1]] * 4, "float32"), np.array([-2, 2], "float32")])
    >>> x, y = np.full((1, 2, 2, 1), 0.75, "float32"), np.array([0])
    >>> [certify(model, (x, y), IBP(tfrobust.Linf(r))).certified.tolist() for r in (0.24, 0.26)]
    [[True], [False]]

    Reference: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably
        Robust Models", 2018.
    """


@register
@dataclasses.dataclass(frozen=True)
class CROWNIBP(Enclosure):
    """Linear bounds of the margins down to the images, over boxes by IBP; the better of both.

    Use it between `IBP` and `CROWN`, in cost and in what it proves.

    Args:
        threat_model: `Linf`.
        bisections: for radii, see `Enclosure`.

    Example:
    >>> tfrobust.certification.CROWNIBP(tfrobust.Linf(0.1)).to_images
    True

    Reference: Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust Neural Networks",
        2019.
    """

    to_images = True


@register
@dataclasses.dataclass(frozen=True)
class CROWN(Enclosure):
    """Linear bounds down to the images, of the margins and of every number in front of an activation.

    Use it for small networks of any training. It costs as many passes back to the images as there are
    numbers in front of activations that may have either sign. Examples that boxes certify alone
    are not looked at again, and the better bound counts.

    Args:
        threat_model: `Linf`.
        bisections: for radii, see `Enclosure`.

    Example:
    >>> tfrobust.certification.CROWN(tfrobust.Linf(0.1), bisections=4).bisections
    4

    Reference: Zhang et al., "Efficient Neural Network Robustness Certification with General Activation
        Functions", 2018. Its lower line of ReLU is 0 or x, as here; lines are not optimised.
    """

    to_images = True
    is_tightened = True
    rows = 32
