"""Attacks on one model that are evaluated on another."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered
from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.surrogates import check_surrogate, load_surrogate, require_classes
from tfrobust.errors import UserError
from tfrobust.losses.objectives import Objective
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, inference, misclassified
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel


@register
@dataclasses.dataclass(frozen=True)
class Transfer(IterativeAttack):
    """Attacks surrogate models, and then evaluates the result once on the target.

    With several surrogates the objective is the sum of theirs: for `CrossEntropy` the sum of the
    cross-entropies. What is judged is what the attack itself counts: the last iterate of `PGD`, the
    one with the largest objective of `PGD(selection="best")` and of `APGD`. That it fools the
    surrogates neither ends a run nor counts.

    Use it as the black-box attack of the literature, and as a check: a model that is broken more often by
    transferred images than by attacks on its own gradients hides these gradients. Of the target it needs
    only the predicted class, in one forward pass for each run. Passes through surrogates are
    counted like any others: with m of them and K steps of PGD these are m (K + 1) forward and m K
    backward ones, and m forward ones more where the objective begins with the clean logits.

    Args:
        attack: `PGD` or `APGD`, with the threat model, and with its restarts and targets; target
            classes are ranked by the mean of the surrogates' logits.
        surrogates: tuple of Keras models, of functions from images to logits, or of paths of `.keras`
            files, which are loaded when they are first used. Only an attack with paths can be saved.

    Raises:
        UserError: for a path that is not a .keras file, a model without weights, an attack without an
            objective, or an objective that compares with the clean prediction on several surrogates.

    Example:
    >>> inner = tfrobust.PGD(tfrobust.Linf("8/255"), steps=10)
    >>> attack = tfrobust.attacks.Transfer(inner, (lambda x: tf.reshape(x, (-1, 3)),))
    >>> attack.needs_gradient
    False

    Reference: Papernot et al., "Transferability in Machine Learning", 2016; for several surrogates Liu
    et al., "Delving into Transferable Adversarial Examples and Black-box Attacks", 2017, who take the
    cross-entropy of averaged probabilities.
    """

    needs_gradient = False
    needs_scores = False

    attack: Attack
    surrogates: tuple

    def __post_init__(self):
        if isinstance(self.surrogates, (list, tuple)):
            plain = (str(s) if isinstance(s, pathlib.PurePath) else s for s in self.surrogates)
            object.__setattr__(self, "surrogates", tuple(plain))
        super().__post_init__()

    def check(self) -> None:
        check_kind("attack", self.attack, Attack)
        self.attack.check_transfer()
        if not isinstance(self.surrogates, tuple) or not self.surrogates:
            raise UserError(
                "`surrogates` must be a tuple of Keras models, functions or paths of .keras files. "
                f"Received: {self.surrogates!r}."
            )
        for surrogate in self.surrogates:
            check_surrogate(surrogate)
        objective = self.attack.climbed_objective
        if len(self.surrogates) > 1 and objective is not None and objective.compares_with_clean:
            raise UserError(
                "With several surrogates the objective cannot compare with the clean prediction, of which "
                f"each has its own. Use CrossEntropy(). Received: {objective!r}."
            )

    @property
    def threat_model(self) -> ThreatModel:
        return self.attack.threat_model

    @property
    def num_steps(self) -> int | None:
        return self.attack.num_steps

    @property
    def judged_steps(self) -> None:
        """None: of a run the target sees one image."""
        return None

    @property
    def is_targeted(self) -> bool:
        return self.attack.is_targeted

    @property
    def source_models(self) -> tuple:
        return self.surrogates

    def get_config(self) -> dict:
        for surrogate in self.surrogates:
            if not isinstance(surrogate, str):
                raise UserError(
                    "An attack whose surrogates are models cannot be saved: their weights would be lost. "
                    "Save them as .keras files and give the paths. Received: "
                    f"{type(surrogate).__name__}."
                )
        attack = keras.saving.serialize_keras_object(self.attack)
        return {"attack": attack, "surrogates": list(self.surrogates)}

    def runs(self, num_classes: int) -> int:
        return self.attack.runs(num_classes)

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        state = self.attack.begin(case)
        if self._reads_logits:
            state["surrogate_logits"] = tf.zeros_like(case.logits)
        return state

    def advance(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        models = self._forwards(case.logits.shape[-1])
        extra = tf.zeros_like(case.y)
        if self._reads_logits:
            first = tf.equal(state["forwards"], 0) & ~state["done"]
            state = self._begun(models, case, state, first)
            case = case._replace(logits=state["surrogate_logits"])
            extra += len(models) * tf.cast(first, tf.int32)
        attack = self._on_all(models)
        new = attack.step(models[0], case, state)
        over = new["index"] >= attack.num_steps
        judged = over & ~state["done"]
        logits = tf.cond(
            tf.reduce_any(judged),
            lambda: forward(new["best"]),
            lambda: tf.zeros_like(case.logits),
        )
        # Only the images that are judged have logits.
        seen = {**state, **record_unanswered(state, new["best"], all_finite(logits) | ~judged)}
        wrong = judged & misclassified(case.y, logits)
        extra += tf.cast(judged, tf.int32)
        made = {n: len(models) * (new[n] - state[n]) for n in ("forwards", "backwards")}
        return {
            **state,
            **new,
            # The attack's own findings, on the surrogate, are overwritten.
            "unanswered": seen["unanswered"],
            **record_success(seen, new["best"], wrong),
            "done": over,
            "forwards": state["forwards"] + made["forwards"] + extra,
            "backwards": state["backwards"] + made["backwards"],
        }

    @property
    def _reads_logits(self):
        objective = self.attack.climbed_objective
        return objective.needs_target or objective.compares_with_clean

    def _begun(self, models, case, state, first):
        """The state, where rows that are `first` begin with the surrogates' logits, not the target's."""

        def begin_again():
            logits = tf.add_n([model(case.x) for model in models]) / len(models)
            new = self.attack.begin(case._replace(logits=logits))
            new["surrogate_logits"] = logits
            return {n: tf.where(norms.expand(first, v), new[n], v) for n, v in state.items()}

        return tf.cond(tf.reduce_any(first), begin_again, lambda: dict(state))

    def _on_all(self, models):
        if len(models) == 1:
            return self.attack
        objective = _Sum(self.attack.climbed_objective, models[1:])
        return dataclasses.replace(self.attack, objective=objective)

    def _forwards(self, num_classes):
        if "_loaded" not in self.__dict__:
            self.__dict__["_loaded"] = tuple(load_surrogate(model) for model in self.surrogates)
        return tuple(require_classes(inference(model), num_classes) for model in self._loaded)


@dataclasses.dataclass(frozen=True)
class _Sum(Objective):
    """An objective on the model that is attacked and on others, added."""

    objective: Objective
    others: tuple

    @property
    def needs_target(self) -> bool:
        return self.objective.needs_target

    def __call__(
        self, y: tf.Tensor, logits: tf.Tensor, reference: Any = None, candidate: tf.Tensor = None
    ) -> tf.Tensor:
        everywhere = [logits, *(forward(candidate) for forward in self.others)]
        return tf.add_n([self.objective(y, z, reference, candidate) for z in everywhere])
