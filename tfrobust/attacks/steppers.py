"""How a search moves along a gradient."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.numbers import integer, parse_number, parse_numbers
from tfrobust.spec import Spec, register
from tfrobust.threat_models.base import ThreatModel


@dataclasses.dataclass(frozen=True)
class Stepper(Spec):
    """Turns gradients into moves.

    Example:
    >>> isinstance(tfrobust.attacks.Adam(), tfrobust.attacks.Stepper)
    True
    """

    def initial_state(self, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """What the stepper remembers between steps: a tuple of tensors."""
        return ()

    def __call__(
        self,
        threat_model: ThreatModel,
        gradient: tf.Tensor,
        step_size: tf.Tensor | float,
        index: tf.Tensor,
        state: tuple[tf.Tensor, ...],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """The move, shape of `gradient`, and the new state.

        Args:
            threat_model: whose norm defines the steepest direction.
            gradient: of the objective with respect to the images, (b, h, w, c).
            step_size: length of a step, a float scalar.
            index: number of the step, int32, from 0: a scalar, or one for each image, (b,).
            state: what the last call returned.
        """
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class Steepest(Stepper):
    """step_size times the steepest direction: the sign for Linf, the normalised gradient for L2.

    For L1 it is the pixel with the largest |gradient|, see `L1`.

    Example:
    >>> gradient = tf.constant([[[[3.0, -4.0]]]])
    >>> step, state = tfrobust.attacks.Steepest()(tfrobust.L2(1.0), gradient, 0.5, tf.constant(0), ())
    >>> print(step.numpy().round(3))
    [[[[ 0.3 -0.4]]]]
    """

    def __call__(
        self,
        threat_model: ThreatModel,
        gradient: tf.Tensor,
        step_size: tf.Tensor | float,
        index: tf.Tensor,
        state: tuple[tf.Tensor, ...],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        return step_size * threat_model.steepest(gradient), state


@register
@dataclasses.dataclass(frozen=True)
class Adam(Stepper):
    """Adam's ascent on the perturbation; the step size is its learning rate.

    m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; move = rate * m_hat / (sqrt(v_hat) + epsilon)

    Args:
        beta_1, beta_2, epsilon: Adam's constants; the defaults are those of the LLR and IBP codes.
        milestones: 0-based steps from which the rate is multiplied by the factor of the same place.
        factors: of the rate, relative to the start; for LLR's evaluation milestones (100, 150) and
            factors (0.1, 0.01).

    Example:
    >>> gradient = tf.constant([[[[3.0, -4.0]]]])
    >>> adam = tfrobust.attacks.Adam()
    >>> step, state = adam(tfrobust.Linf(1.0), gradient, 0.5, tf.constant(0), adam.initial_state(gradient))
    >>> print(step.numpy().round(3))
    [[[[ 0.5 -0.5]]]]
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-9
    milestones: tuple = ()
    factors: tuple = ()

    def check(self) -> None:
        betas = {n: parse_number(getattr(self, n), n, 0.0, 1.0) for n in ("beta_1", "beta_2")}
        for name, beta in betas.items():
            if beta == 1.0:
                raise UserError(f"`{name}` must be below 1. Received: {name}=1.")
        factors = parse_numbers(self.factors, "factors", 0.0)
        epsilon = parse_number(self.epsilon, "epsilon", 1e-30)
        self.store(**betas, epsilon=epsilon, factors=factors)
        milestones = [integer(milestone, "milestones", 0) for milestone in self.milestones]
        if len(milestones) != len(factors) or milestones != sorted(milestones):
            raise UserError(
                "`milestones` must grow and have one of the `factors` each. "
                f"Received: milestones={self.milestones}, factors={self.factors}."
            )

    def initial_state(self, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.zeros_like(x), tf.zeros_like(x)

    def __call__(
        self,
        threat_model: ThreatModel,
        gradient: tf.Tensor,
        step_size: tf.Tensor | float,
        index: tf.Tensor,
        state: tuple[tf.Tensor, ...],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        dtype = gradient.dtype
        beta_1, beta_2 = self.beta_1, self.beta_2
        first = beta_1 * state[0] + (1.0 - beta_1) * gradient
        second = beta_2 * state[1] + (1.0 - beta_2) * tf.square(gradient)
        # In float32 1 - 0.999 would be wrong in the fifth digit.
        count = tf.cast(index + 1, tf.float64)
        shares = (1.0 - tf.pow(tf.constant(beta, tf.float64), count) for beta in (beta_1, beta_2))
        first_share, second_share = (_beside(tf.cast(share, dtype), gradient) for share in shares)
        first_hat, second_hat = first / first_share, second / second_share
        factors = [1.0, *self.factors]
        reached = index[..., None] >= tf.constant(self.milestones, tf.int32)
        passed = tf.reduce_sum(tf.cast(reached, tf.int32), axis=-1)
        rate = step_size * _beside(tf.gather(tf.constant(factors, dtype), passed), gradient)
        move = rate * first_hat / (tf.sqrt(second_hat) + self.epsilon)
        return move, (first, second)


def _beside(value, x):
    """A scalar, or numbers per image shaped to multiply `x`."""
    return norms.expand(value, x) if value.shape.rank else value
