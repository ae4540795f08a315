"""What the suite's own attacks say already, so that the checks run no attack of that kind again."""

import typing
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrobust.losses.objectives import CrossEntropy

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.outcome import Outcome


class Standing(NamedTuple):
    """Which examples the suite's attacks with gradients left, and what these attacks stand for.

    Attributes:
        robust: boolean (n,): right at the clean image, and broken by none of them.
        steps: of the longest of them; 0 where there is none.
        on_logits: whether one of them climbs margin, DLR or another loss that is no cross-entropy.
        targeted: whether one of them aims at classes.
    """

    robust: np.ndarray
    steps: int = 0
    on_logits: bool = False
    targeted: bool = False


def summarize_outcomes(clean: np.ndarray, outcomes: "Sequence[Outcome]", steps: int) -> Standing:
    """The `Standing` after the attacks of an evaluation.

    Args:
        clean: boolean (n,): right at the clean image.
        outcomes: `Outcome`s of these examples, and of others after them.
        steps: an attack of fewer stands for no other one.

    Example:
    >>> summarize_outcomes(np.array([True, False]), (), steps=50).robust.tolist()
    [True, False]
    """
    robust, longest = np.array(clean), 0
    on_logits = targeted = False
    for outcome in outcomes:
        attack = outcome.attack
        if not attack.needs_gradient:
            continue
        robust = robust & ~outcome.broken[: len(robust)]
        longest = max(longest, attack.num_steps or 0)
        if (attack.num_steps or 0) >= steps and attack.climbed_objective is not None:
            on_logits |= not isinstance(attack.climbed_objective, CrossEntropy)
            targeted |= attack.is_targeted
    return Standing(robust, longest, on_logits, targeted)
