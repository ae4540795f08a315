"""The base of attacks that are written as steps, row by row."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case, Perturbation, keep_done
from tfrobust.ops import norms
from tfrobust.ops.logits import REPEATS, disagree, inference
from tfrobust.ops.random.keys import Keys


@dataclasses.dataclass(frozen=True)
class IterativeAttack(Attack):
    """An attack whose run is a number of steps.

    A subclass writes one run as `begin` and `advance`, in graph operations, row by row: no row may
    depend on another one, and every row has its own step counter, so that an evaluation can replace
    rows that are done while others go on. `runs` is the number of runs of an example. The state counts
    the passes of each row as "forwards" and "backwards".

    Example:
    >>> issubclass(tfrobust.PGD, tfrobust.attacks.IterativeAttack)
    True
    """

    counts_passes = True

    @property
    def judged_steps(self) -> int | None:
        """All of them, unless an attack says otherwise."""
        return self.num_steps

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `begin`.")

    def advance(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The state one step later.

        Sets "done" where the run is over, and "broken" with "adversarial" where a misclassified image
        of the threat model was found (see `record_success`). Adds to "forwards" and "backwards" what the
        row's step needed. Rows that were done before may have any values: `step` restores their
        numbers, their "best", and `record_success` their "adversarial". Noise of a step is drawn by
        `case.keys.fold_in(state["index"])`.

        Args:
            forward: function from images to logits in full precision, in inference mode.
            case: `Case`.
            state: what `begin` or the last step returned.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `advance`.")

    def step(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """`advance` without changes to the numbers, and the "best", of rows that are done.

        Attacks that compile what they do between passes override it, and need no `advance`.
        """
        return keep_done(state, self.advance(forward, case, state))

    def search(
        self,
        model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        keys: Keys,
        scale: tf.Tensor | float,
        epoch: tf.Tensor | float,
    ) -> Perturbation:
        """All runs of all examples, one after the other, by `begin` and `step`."""
        forward = inference(model)
        logits = forward(x)
        radius = tf.cast(self.threat_model.radius(scale), x.dtype)
        runs = self.runs(logits.shape[-1])
        is_random = tf.constant(False)
        if self.trusts_answers:
            for _ in range(REPEATS):
                is_random |= disagree(logits, forward(x))

        def body(run, broken, found, loss, survived):
            rows = tf.fill(tf.shape(y), run)
            case = Case(x, y, logits, rows, keys.fold_in(run), radius, keys, scale, is_random)
            state = self.begin(case)
            state = {**state, "done": state["done"] | broken}
            state = tf.while_loop(
                lambda s: ~tf.reduce_all(s["done"]),
                lambda s: (self.step(forward, case, s),),
                (state,),
            )[0]
            newly = ~broken & state["broken"]
            # Success first: a broken example is never exchanged for a larger loss.
            best_loss = state.get("best_loss", loss)
            take = newly | (~broken & (tf.equal(run, 0) | (best_loss > loss)))
            # Attacks that look for the nearest image may have found one outside only.
            near = self.threat_model.contains(state["best"], x, radius)
            point = tf.where(norms.expand(near, x), state["best"], x)
            point = tf.where(norms.expand(state["broken"], x), state["adversarial"], point)
            found = tf.where(norms.expand(take, x), point, found)
            # A row that was done before has made no step, and may count from -1.
            survived += tf.where(broken, tf.zeros_like(survived), state["index"])
            return run + 1, broken | newly, found, tf.where(take, best_loss, loss), survived

        nobody = tf.zeros_like(y, tf.bool)
        loop = (tf.constant(0), nobody, x, tf.zeros_like(y, x.dtype), tf.zeros_like(y, tf.int32))
        _, _, found, _, survived = tf.while_loop(
            lambda run, broken, *_: (run < runs) & ~tf.reduce_all(broken), body, loop
        )
        return Perturbation(tf.stop_gradient(found), survived)
