"""Taylor terms of the randomised divergence in weight space (RAT)."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.squared_difference import HalfSquaredDifference
from tfrobust.ops.layers import half_precision_layer, kinked_layer
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.ops.schedules import Schedule, check_schedule
from tfrobust.ops.weight_noise import check_weight_noise, draw_shifts
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import register

_FORMS = ("exact", "finite", "one_sided")
# Below this, differences of float32 logits are rounding.
_SMALLEST_SIGMA = 1e-4


@register
@dataclasses.dataclass(frozen=True)
class TaylorTerms(Regularizer):
    """RAT: what weight noise does to the logits must be alike at clean and adversarial images.

    weight * (T1 + T2 / 2),  T_n = mean over draws of u of L(a_n(x), a_n(x'))

    with a_1 = J u and a_2 = u^T H u the first and second derivatives of the logits along
    u ~ N(0, sigma^2) in weight space, L the divergence of their softmaxes, and T2 only with order
    2. Gradients flow through both arguments; u and x' are constant. The terms are expanded around
    the weights of the loss, w + v under AWP, whose v is searched without them.

    Use it as `regularizers=[TaylorTerms()]` with `attack_weights=WeightNoise()` on ADV or TRADES,
    with or without AWP. T1 grows as sigma^2 and T2 as sigma^4, so weight and sigma go together.

    Args:
        weight: eta, at least 0: 0.3 for order 1, 0.2 for order 2.
        order: 1, or 2 for T2 as well.
        form: "exact", derivatives by forward mode, nested for order 2, for smooth activations.
            "finite", a_1 = (z+ - z-) / 2 and a_2 = z+ + z- - 2 z with z+- the logits at w +- u:
            the odd and the even part of the randomised network, also where ReLU has its kinks; the
            choice for order 2 with ReLU, for XLA and for Keras's own BatchNormalization.
            "one_sided", a_1 = z+ - z, at half the passes of "finite" and with an error of order
            sigma (a_2 / 2), order 1 only: where time counts.
        sigma, noise, parameters, distribution: the noise, as in `weights.WeightNoise`; give both the
            same, and the first draw is the attack's.
        draws: of u in a step; more cost more and change no expectation.
        divergence: L, a `Bregman` (of softmaxes), or `HalfSquaredDifference()` for closed forms:
            E T1 = sigma^2 / 2 ||J(x) - J(x')||^2.
        points: the two points, in the order of L's arguments.

    Raises:
        UserError: for settings outside their ranges, and for a sigma whose differences float32
            cannot resolve. It warns of order 2 in exact form on a network with ReLU, whose second
            derivative misses the kinks, and of differences of logits in half precision.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.TaylorTerms(0.3, order=1)
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['taylor']

    Reference: Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023, its Eq. 8.
    Its code does something else, for which see `GapLabels`. Passes at w +- u are in training mode
    and move no running statistics; clean and adversarial images are separate passes; the
    divergence is Kullback-Leibler's, since a cross-entropy would also inflate the derivatives.
    """

    weight: float | Schedule = 0.3
    order: int = 1
    form: str = "exact"
    sigma: float = 0.01
    noise: str = "absolute"
    parameters: str = "kernels"
    draws: int = 1
    divergence: Bregman | HalfSquaredDifference = Bregman()
    points: tuple = ("clean", "adversarial")
    distribution: Callable[[tf.Tensor], Any] | None = None

    seen_by_weight_perturbation = False

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0)
        self.store(sigma=parse_number(self.sigma, "sigma", 0.0))
        check_weight_noise(self.sigma, self.noise, self.parameters, self.distribution)
        integer(self.draws, "draws", 1)
        if self.form not in _FORMS:
            raise UserError(f"`form` must be one of {_FORMS}. Received: form={self.form!r}.")
        if self.order not in (1, 2) or isinstance(self.order, bool):
            raise UserError(f"`order` must be 1 or 2. Received: order={self.order!r}.")
        if self.form == "one_sided" and self.order == 2:
            raise UserError("form='one_sided' has no second order. Use form='finite'.")
        if self.form != "exact" and 0.0 < self.sigma < _SMALLEST_SIGMA:
            raise UserError(
                f"With form={self.form!r} differences of float32 logits need sigma of at least "
                f"{_SMALLEST_SIGMA:g}. Received: sigma={self.sigma!r}; or use form='exact'."
            )
        if not isinstance(self.divergence, (Bregman, HalfSquaredDifference)):
            raise UserError(
                "`divergence` must be of kind Bregman or HalfSquaredDifference. "
                f"Received: divergence={self.divergence!r}."
            )
        if len(self.points) != 2 or not all(isinstance(name, str) for name in self.points):
            raise UserError(f"`points` must be two names. Received: points={self.points!r}.")

    def check_classifier(self, classifier: keras.Model) -> None:
        kinked, half = kinked_layer(classifier), half_precision_layer(classifier)
        if self.form == "exact" and self.order == 2 and kinked:
            warnings.warn(
                f"Layer {kinked!r} is piecewise linear, and the exact second derivative misses its kinks: "
                "it is off by about 100 %. Use form='finite', or a smooth activation.",
                stacklevel=5,
            )
        if self.form != "exact" and half:
            warnings.warn(
                f"Layer {half!r} computes in half precision, in which differences of logits are mostly "
                "rounding. Use form='exact', or float32.",
                stacklevel=5,
            )

    @property
    def name(self) -> str:
        return "taylor"

    @property
    def parts(self) -> tuple[str, ...]:
        return ("taylor_first", "taylor_second")[: self.order]

    @property
    def differentiates_twice(self) -> bool | str:
        return self.form == "exact"

    def prepare(self, context: TermContext) -> None:
        direction = self._draw(context, 0) if self.form == "exact" else None
        for name in self.points:
            context.expect(name, direction, self.order)

    def __call__(self, context: TermContext) -> tf.Tensor:
        values: list[list[tf.Tensor]] = [[] for _ in range(self.order)]
        for index in range(self.draws):
            shifts = self._draw(context, index)
            pairs = (self._derivatives(context, name, shifts) for name in self.points)
            for found, (a, b) in zip(values, zip(*pairs, strict=True), strict=True):
                found.append(self.divergence(a, b))
        means = [tf.add_n(found) / self.draws for found in values]
        for name, mean in zip(self.parts, means, strict=True):
            context.record(name, mean)
        return means[0] if self.order == 1 else means[0] + 0.5 * means[1]

    def _derivatives(self, context, name, shifts):
        if self.form == "exact":
            return context.derivatives(name, shifts, self.order)
        plus = context.logits_aside(name, shifts)
        if self.form == "one_sided":
            return (plus - context.logits_aside(name),)
        minus = context.logits_aside(name, [None if u is None else -u for u in shifts])
        first = 0.5 * (plus - minus)
        if self.order == 1:
            return (first,)
        return first, plus + minus - 2.0 * context.logits_aside(name)

    def _draw(self, context, index):
        """The same for all terms of a step; the first is that of `weights.WeightNoise`."""

        def draw():
            keys = context.step.weight_keys
            weights = [tf.convert_to_tensor(v.value) for v in context.point.variables]
            return draw_shifts(weights, keys if index == 0 else keys.fold_in(index), *settings)

        settings = self.sigma, self.noise, self.parameters, self.distribution
        return context.once(("weight noise", *settings, index), draw)
