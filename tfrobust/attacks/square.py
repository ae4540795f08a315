"""The Square attack: random squares, kept where they lower the margin; no gradient."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrobust.attacks.answers import record_unanswered
from tfrobust.attacks.case import Case, keep_done, make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.square_l1 import L1Squares
from tfrobust.attacks.square_l2 import L2Squares
from tfrobust.attacks.square_linf import MOST_CHANNELS, LinfSquares
from tfrobust.errors import UserError
from tfrobust.losses.margin import margin
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, misclassified
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.ops.random.keys import by_example
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

LAWS = {Linf: LinfSquares, L2: L2Squares, L1: L1Squares}
# Of ten thousand queries: from which on the share of pixels is halved once more.
_HALVINGS = (11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001)


@register
@dataclasses.dataclass(frozen=True)
class Square(IterativeAttack):
    """Random search, guided only by the label's lead over the other logits.

    v(q) = z_y - max over j != y of z_j;  q <- proposal where v(proposal) < v(q), until v(q) <= 0

    A proposal changes a square of side about sqrt(share * h * w) at a random place; the share begins
    with `initial_share` and is halved nine times. In Linf the square gets the colour +-epsilon in
    each channel, and the search begins with vertical stripes; in L2 and L1 the perturbation's mass is
    moved (see `square_mass`).

    Use it, in every evaluation, against models whose gradients mislead: it needs logits only.
    In Linf, queries whose answer is known are counted but not made: proposals that do not change the
    image, and those that were rejected since the last change. The result is the same. A model with noise
    has no known answers: five passes over clean images, before the search, show whether it has noise, and
    then every query is made.

    Args:
        threat_model: `Linf`, or `L2` or `L1` for images of at least 5 by 5; of at most 22 channels.
        queries: proposals, at least 1; AutoAttack has 5000.
        restarts: runs from new starts, at least 1.
        initial_share: of the pixels, in (0, 1]; 0.8 in AutoAttack.
        rescale_schedule: whether the halvings are placed at the same fractions of `queries` as otherwise of
            10000; AutoAttack does not rescale them.

    Raises:
        UserError: for settings outside these ranges.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> found = tfrobust.Square(tfrobust.Linf(0.1), queries=20)(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

    Reference: Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack
    via random search", 2020, in AutoAttack's version; in L1 Croce, Hein, "Mind the box", 2021. There
    one place and one colour serve the whole batch; here each example has its own, so that its result
    does not depend on the others.
    """

    threat_model: ThreatModel
    queries: int = 5000
    restarts: int = 1
    initial_share: float = 0.8
    rescale_schedule: bool = False

    needs_gradient = False
    trusts_answers = True
    measures = ("queries",)

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        if type(self.threat_model) not in LAWS:
            raise UserError(
                f"Square searches Linf, L2 and L1. Received: threat_model={self.threat_model!r}."
            )
        integer(self.queries, "queries", 1)
        integer(self.restarts, "restarts", 1)
        self.store(initial_share=parse_number(self.initial_share, "initial_share", 1e-6, 1.0))

    def runs(self, num_classes: int) -> int:
        return self.restarts

    @property
    def num_steps(self) -> int:
        return self.queries

    def passes(self, num_classes: int) -> tuple[int, int]:
        return self.runs(num_classes) * (self.queries + 1), 0

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        law = self._law(case.x)
        seeds = by_example(case.keys, tf.shape(case.y)[0])
        state = make_state(case)
        start = law.start(case.x, case.radius, seeds)
        return {
            **state,
            # Proposals answered; the start is the one before the first.
            "index": state["index"] - 1,
            "queries": tf.zeros_like(case.y, case.x.dtype),
            # The next query, where there is one.
            "candidate": start,
            "asks": tf.ones_like(state["done"]),
            # The clean image and its value, until a start is answered.
            "best": case.x,
            "value": tf.cast(-margin(case.y, case.logits), case.logits.dtype),
            "lost": case.x,
            "seeds": seeds.seeds,
            **law.memory(case.x),
        }

    def step(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        rest = self._fused("rest", self._rest)
        is_random = tf.convert_to_tensor(case.is_random)
        state = {name: value for name, value in state.items() if name != "adversarial"}
        logits = forward(state["candidate"])
        new = rest(case.x, case.y, case.radius, is_random, state, logits)
        # The best image is the one that broke the example, if one has.
        broken = norms.expand(new["broken"], new["best"])
        return {**new, "adversarial": tf.where(broken, new["best"], new["lost"])}

    def _rest(self, x, y, radius, is_random, state, logits):
        return keep_done(state, self._update(x, y, radius, is_random, state, logits))

    def _update(self, x, y, radius, is_random, state, logits):
        """The state after the answer, with the next proposal."""
        s, law = state, self._law(x)
        value = -margin(y, logits)
        is_answer = all_finite(logits)
        noted = record_unanswered(
            {**s, "adversarial": s["lost"]}, s["candidate"], is_answer | ~s["asks"]
        )
        wrong = s["asks"] & misclassified(y, logits)
        better = is_answer & ((s["index"] < 0) | (value < s["value"]) | wrong)
        taken, refused = s["asks"] & better, s["asks"] & ~better
        known = s["index"] + tf.cast(s["asks"], tf.int32)
        s = {
            **s,
            "broken": s["broken"] | (wrong & ~s["done"]),
            "unanswered": noted["unanswered"],
            "lost": noted["adversarial"],
            **law.remember(s, taken, refused),
            "index": known,
            "best": tf.where(norms.expand(taken, x), s["candidate"], s["best"]),
            "value": tf.where(taken, value, s["value"]),
            "forwards": s["forwards"] + tf.cast(s["asks"], tf.int32),
        }
        proposal = law.propose(x, radius, s, asks_all=is_random)
        over = s["broken"] | (s["value"] <= 0.0)
        index = tf.where(over, known, proposal.index)
        return {
            **s,
            **proposal.memory,
            "candidate": proposal.image,
            "asks": proposal.found,
            "index": index,
            "queries": tf.cast(index + 1, s["queries"].dtype),
            "done": over | (index >= self.queries),
        }

    def _law(self, x):
        law = LAWS[type(self.threat_model)]
        shape = tuple(x.shape[1:])
        if len(shape) != 3 or None in shape:
            raise UserError(f"Square needs images (h, w, c) of a known size. Received: {shape}.")
        if shape[2] > MOST_CHANNELS:
            raise UserError(
                f"Square colours images of at most {MOST_CHANNELS} channels. Received: {shape}."
            )
        return law(shape, self.shares())

    def shares(self) -> np.ndarray:
        """The share of the pixels that a square covers, for every query, (queries,)."""
        numbers = np.arange(self.queries)
        if self.rescale_schedule:
            numbers = numbers * 10000 // self.queries
        return self.initial_share / 2.0 ** np.searchsorted(_HALVINGS, numbers, side="right")
