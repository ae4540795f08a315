"""Recipes that spend about as much as natural training: one step, or a shared one."""

from collections.abc import Sequence
from typing import Unpack

import keras

from tfrobust.attacks import PGD, Clean, Corner
from tfrobust.methods import ADV, GAT, Free
from tfrobust.recipes.common import add_defaults, add_regularizer, get_threat_model
from tfrobust.recipes.options import (
    AnyADVOptions,
    FreeOptions,
    GATOptions,
    NormOrThreatModel,
    Radius,
    Weight,
)
from tfrobust.regularizers import GradientAlignment, gradient_alignment_weight


def grad_align(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    weight: Weight | None = None,
    **options: Unpack[AnyADVOptions],
) -> ADV:
    """GradAlign: one-step adversarial training with input gradients that agree all over the ball.

    mean over examples of CE(x') + weight * (1 - cos(grad CE(x), grad CE(x + eta))), eta uniform

    Use it against catastrophic overfitting of one-step training at the full radius.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        weight: at least 0, or a `Schedule`; by default the rule for CIFAR-10 in Linf,
            `gradient_alignment_weight(epsilon)`.
        **options: of `methods.ADV`.

    Returns:
        A `methods.ADV` with a `regularizers.GradientAlignment`; the attack is one step of 1.25 radii from
        the clean image, which the ball cuts to FGSM.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.grad_align(models.digits_cnn(), "Linf", "8/255")
    >>> round(method.regularizers[0].weight, 6)
    0.2

    Reference: Andriushchenko, Flammarion, "Understanding and Improving Fast Adversarial Training", 2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = PGD(threat_model, steps=1, relative_step_size=1.25, start=Clean())
    if weight is None:
        weight = gradient_alignment_weight(threat_model.epsilon)
    alignment = GradientAlignment(
        weight, threat_model=threat_model, scale=options.get("scale", 1.0)
    )
    settings = add_regularizer(alignment, add_defaults(threat_model, options))
    return ADV(classifier, attack, **settings)


def gat(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    beta: Weight = 10.0,
    size: float = 0.5,
    **options: Unpack[GATOptions],
) -> GAT:
    """GAT, guided adversarial training: one step from a random corner, guided by the clean prediction.

    mean over examples of CE(x) + beta * SE(p(x), p(x')), SE the squared error of probabilities

    Use it where one step must do and GradAlign's second derivatives cost too much.

    Args:
        classifier, threat_model, epsilon: as for `grad_align`.
        beta: weight of the squared error, at least 0, or a `Schedule`: 10 on CIFAR-10, four times that from
            epoch 86 of 100; 15 on MNIST.
        size: length of the random start's pixels in radii; 0.5, on MNIST 1.
        **options: of `methods.GAT`.

    Returns:
        A `methods.GAT`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.gat(models.digits_cnn(), "Linf", "8/255").attack.start
    Corner(size=0.5)

    Reference: Sriramanan et al., "Guided Adversarial Attack for Evaluating and Enhancing Adversarial
    Defenses", 2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = PGD(threat_model, steps=1, relative_step_size=1.0, start=Corner(size))
    return GAT(classifier, attack, beta=beta, **add_defaults(threat_model, options))


def free(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    batch_shape: Sequence[int],
    replays: int = 8,
    clip_to_box: bool = True,
    **options: Unpack[FreeOptions],
) -> Free:
    """Free adversarial training: each batch is replayed, and every pass moves weights and perturbation.

    mean over examples of CE(x + delta), delta carried from replay to replay and batch to batch

    Use it where an attack is not affordable; give it a `replays`-th of the epochs.

    Args:
        classifier, threat_model, epsilon: as for `grad_align`.
        batch_shape: (b, h, w, c) of the global batches, which must all have it.
        replays: m, at least 1; 8 on CIFAR, 4 on ImageNet.
        clip_to_box: cut x + delta to [0, 1] in delta too, as the code for CIFAR; the code for ImageNet does
            not.
        **options: of `methods.Free`.

    Returns:
        A `methods.Free`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.free(models.digits_cnn(), "Linf", 0.15, batch_shape=(64, 8, 8, 1)).replays
    8

    Reference: Shafahi et al., "Adversarial Training for Free!", 2019.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    return Free(
        classifier,
        threat_model,  # type: ignore[arg-type]  # others than Linf are refused
        batch_shape=batch_shape,
        replays=replays,
        clip_to_box=clip_to_box,
        **add_defaults(threat_model, options),
    )
