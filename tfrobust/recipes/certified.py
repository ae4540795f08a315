"""Recipes of which robustness can be proven."""

from typing import Unpack

import keras

from tfrobust.methods import CertifiedTraining
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import LinearRamp
from tfrobust.recipes.common import add_defaults, get_threat_model
from tfrobust.recipes.options import CertifiedOptions, NormOrThreatModel, Radius


def ibp(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    warm_up: float = 1.0,
    ramp_epochs: float = 30,
    kappa: float = 0.5,
    **options: Unpack[CertifiedOptions],
) -> CertifiedTraining:
    """IBP: the cross-entropy at the clean images and at the worst logits of interval bounds.

    Use it for a classifier that `certify(..., "ibp")` can prove something of, for three passes a step.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k), best without
            BatchNormalization; see `bounds.read_network` for the layers.
        threat_model: "Linf", or `Linf`.
        epsilon: radius in pixel units of [0, 1], such as "8/255". The paper trains with a larger radius than
            it certifies: 0.4 for 0.3 on MNIST.
        warm_up: epochs at radius 0.
        ramp_epochs: epochs in which the radius grows to epsilon and the clean loss's share falls to `kappa`.
        kappa: weight of the clean loss at the end, in [0, 1].
        **options: of `methods.CertifiedTraining`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.CertifiedTraining`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.ibp(models.digits_cnn(batch_normalization=False), "Linf", 0.1, ramp_epochs=20)
    >>> method.kappa
    LinearRamp(epochs=20.0, begin=1.0, end=0.5, after=1.0)

    Reference: Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably
    Robust Models", 2018: on MNIST kappa from 1 to 1/2; there ramps count steps.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    settings = add_defaults(threat_model, options)
    settings.setdefault("scale", _make_ramp(ramp_epochs, warm_up, 0.0, 1.0))
    kappa = number(kappa, "kappa", 0.0, 1.0)
    kappa = _make_ramp(ramp_epochs, warm_up, 1.0, kappa)
    return CertifiedTraining(classifier, threat_model, kappa=kappa, **settings)


def crown_ibp(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    warm_up: float = 1.0,
    ramp_epochs: float = 30,
    kappa: float = 0.0,
    **options: Unpack[CertifiedOptions],
) -> CertifiedTraining:
    """CROWN-IBP: as `ibp`, with linear bounds of the margins while the radius grows.

    Use it where IBP alone does not learn: linear bounds are tighter at first, and cost k passes more.

    Args:
        classifier, threat_model, epsilon, warm_up, ramp_epochs: as for `ibp`; in the ramp the share of linear
            bounds falls from 1 to 0.
        kappa: as for `ibp`; 0 at the end, as in the paper.
        **options: of `methods.CertifiedTraining`; `crown=1.0` keeps linear bounds to the end.

    Returns:
        A `methods.CertifiedTraining`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.crown_ibp(models.digits_cnn(batch_normalization=False), "Linf", 0.1, ramp_epochs=20)
    >>> method.crown
    LinearRamp(epochs=20.0, begin=1.0, end=0.0, after=1.0)

    Reference: Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust Neural Networks",
    2019.
    """
    options.setdefault("crown", _make_ramp(ramp_epochs, warm_up, 1.0, 0.0))
    return ibp(
        classifier,
        threat_model,
        epsilon,
        warm_up=warm_up,
        ramp_epochs=ramp_epochs,
        kappa=kappa,
        **options,
    )


def _make_ramp(ramp_epochs, warm_up, begin, end):
    warm_up = number(warm_up, "warm_up", 0.0)
    ramp_epochs = number(ramp_epochs, "ramp_epochs", 0.0)
    return LinearRamp(ramp_epochs, begin, end, warm_up) if ramp_epochs else end
