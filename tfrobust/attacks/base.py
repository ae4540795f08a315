"""The base of all attacks."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.attacks.answers import record_success, record_unanswered
from tfrobust.attacks.case import Case, Perturbation, keep_done, make_state
from tfrobust.attacks.traits import AttackTraits
from tfrobust.errors import UserError
from tfrobust.ops.logits import all_finite, is_soft, likeliest_class, misclassified
from tfrobust.ops.random.keys import ExampleKeys, Keys, keys_of
from tfrobust.ops.replicas.stand_in import stand_in

_ADVICE = ", or attack it alone: objective=losses.OfLikeliestClass(...)"


@dataclasses.dataclass(frozen=True)
class Attack(AttackTraits):
    """Searches a threat model for an adversarial image.

    A subclass has a `threat_model` and a search in one of two forms:

    - `search`, from a batch of images to what was found. An evaluation runs it on whole batches, as one
      step. For attacks that wrap others, mask pixels, or are one call of something else.
    - `begin` and `advance`, one run row by row: derive from `IterativeAttack`, which makes the search
      of them. For searches of many steps, in which an evaluation exchanges rows that are done.

    Attacks hold no data and no variables, see a Keras model in inference mode, never move its
    BatchNormalization statistics, and use no global random state. What an attack says about itself (its
    number of steps, what it needs) are the properties of `AttackTraits`.

    Example:
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class UpperHalf(tfrobust.Attack):
    ...     inner: tfrobust.Attack
    ...
    ...     @property
    ...     def threat_model(self):
    ...         return self.inner.threat_model
    ...
    ...     def search(self, model, x, y, keys, scale, epoch):
    ...         found = self.inner.search(model, x, y, keys, scale, epoch)
    ...         rows = tf.range(x.shape[1])[:, None, None]
    ...         return found._replace(x=tf.where(rows < x.shape[1] // 2, found.x, x))
    >>> attack = UpperHalf(tfrobust.PGD(tfrobust.Linf(0.1), steps=10))
    >>> model = lambda x: 10.0 * tf.reshape(x, (-1, 2))
    >>> found = attack(model, tf.constant([[[[0.6]], [[0.4]]]]), [0], seed=0)
    >>> print(found.x.numpy().round(2).ravel())
    [0.5 0.4]
    """

    def __call__(
        self,
        model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor | np.ndarray,
        y: tf.Tensor | np.ndarray | Sequence[int],
        *,
        seed: int | tf.Tensor | np.ndarray | Keys | None = None,
        scale: tf.Tensor | float = 1.0,
        epoch: tf.Tensor | float = 0.0,
    ) -> Perturbation:
        """Attacks the images, after a look at them and at the model (see `tfrobust.contract`).

        Args:
            model: Keras model or callable, images to logits (b, k). Pass the same object every
                time: for a new object the attack is traced again.
            x: clean images, shape (b, h, w, c): floating-point in [0, 1], or uint8, which means
                k / 255. They are attacked in float64 where the model computes in it, otherwise in
                float32.
            y: labels, integers, shape (b,); or soft ones, rows of shares, shape (b, k), of which it takes
                the arg max if its objective is `losses.OfLikeliestClass`.
            seed: whole number, also as a scalar tensor such as a step counter; seed tensor of shape
                (2,); one seed per example of shape (b, 2); or keys of `tfrobust.ops.random.keys`. The same
                seed gives the same result.
            scale: factor of the radius in [0, 1], for ramps.
            epoch: epochs of training that have passed, for settings that are schedules.

        Returns:
            A `Perturbation`.

        Raises:
            UserError: if images, labels, seed or model are not valid (inside a graph, where values are not
                known yet, an assertion), or if your own `search` does not return images of their shape.
        """
        keys = keys_of(seed)
        images, labels = contract.check_attacked_batch(model, x, y)
        return self.perturb(model, images, labels, keys, scale, epoch)

    def perturb(
        self,
        model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        keys: Keys,
        scale: tf.Tensor | float = 1.0,
        epoch: tf.Tensor | float = 0.0,
    ) -> Perturbation:
        """The same for a batch that has passed the contract already, as in a training step.

        Args:
            x: images in [0, 1], in the model's precision.
            y: labels, int32 (b,), or soft ones, (b, k).
            keys: of `tfrobust.ops.random.keys`.
        """
        if is_soft(y):
            self.check_soft_labels()
            y = likeliest_class(y) if self.of_likeliest_class else y
        scale = tf.cast(tf.convert_to_tensor(scale), x.dtype)
        epoch = tf.cast(tf.convert_to_tensor(epoch), tf.float32)
        if not tf.executing_eagerly():
            return self._searched(model, x, y, keys, scale, epoch)
        if isinstance(model, keras.layers.Layer) and not model.built:
            model(x[:1], training=False)  # Variables cannot be created inside a graph's loop.
        return self._function("search", self._searched)(model, x, y, keys, scale, epoch)

    def check_soft_labels(self) -> None:
        """Raises `UserError` if it `needs_class` and cannot attack soft labels (b, k)."""
        contract.check_takes_soft_labels(self, _ADVICE)

    def search(
        self,
        model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        keys: Keys,
        scale: tf.Tensor | float,
        epoch: tf.Tensor | float,
    ) -> Perturbation:
        """The attack itself, in graph operations; nothing is watched by a tape from outside.

        Args:
            model: Keras model or callable; `ops.logits.inference(model)` gives its logits.
            x: clean images, (b, h, w, c).
            y: labels, int32 (b,); or soft ones, (b, k), if `needs_class` is "" and the objective
                is not `OfLikeliestClass`.
            keys: `BatchKeys` or `ExampleKeys`: `keys.fold_in(i).uniform(tf.shape(x))` draws.
            scale: factor of the radius, a scalar: `self.threat_model.radius(scale)`.
            epoch: epochs of training that have passed, a float32 scalar.

        Returns:
            A `Perturbation`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no search: override `search`, or derive from IterativeAttack "
            "and override `begin` and `advance`."
        )

    def _searched(self, model, x, y, keys, scale, epoch):
        seeds = keys.seeds if isinstance(keys, ExampleKeys) else None
        with stand_in(x, y, seeds) as (rows, labels, seeds):
            keys = keys if seeds is None else ExampleKeys(seeds)
            found = self.search(model, rows, labels, keys, scale, epoch)
        if not isinstance(found, Perturbation) or not found.x.shape.is_compatible_with(rows.shape):
            seen = f"x of shape {found.x.shape}" if isinstance(found, Perturbation) else repr(found)
            raise UserError(
                f"{type(self).__name__}.search must return a Perturbation whose `x` has the images' shape, "
                f"{rows.shape}. Received: {seen}."
            )
        if rows is x:
            return found
        return keras.tree.map_structure(lambda v: v[: tf.shape(x)[0]], found)

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        """The state before the first step: a dict of tensors whose first axis is the row.

        It makes no pass through the model. It holds what `make_state` returns, and "best", images: the
        result of a run that finds no adversarial image. Of several such runs the one with the largest
        "best_loss", (b,), counts, or the first run where the state has no "best_loss".
        """
        return {**make_state(case), "best": case.x}

    def step(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The state one step later: here all of `search`, and a look at what it found.

        It does not change the numbers, and the "best", of rows that are done.

        Args:
            forward: function from images to logits in full precision, in inference mode.
            case: `Case`.
            state: what `begin` or the last step returned.
        """
        keys = case.keys if case.example_keys is None else case.example_keys
        scale = tf.cast(case.scale, case.x.dtype)
        found = self._searched(forward, case.x, case.y, keys, scale, tf.constant(0.0)).x
        found = tf.ensure_shape(tf.stop_gradient(found), case.x.shape)
        logits = forward(found)
        seen = {**state, **record_unanswered(state, found, all_finite(logits))}
        catch = record_success(seen, found, misclassified(case.y, logits))
        new = {**seen, **catch, "best": found, "index": state["index"] + 1}
        return keep_done(state, {**new, "done": tf.ones_like(state["done"])})

    def _function(self, name, function, **options):
        """`function` as a `tf.function`, made once, so that it is traced once for a model."""
        functions = self.__dict__.setdefault("_functions", {})
        if name not in functions:
            # Without AutoGraph, as in a Keras training step; it would hide our own errors, too.
            options = {"autograph": False, "reduce_retracing": True, **options}
            # A partial, since TensorFlow takes methods of one class for one that is traced again.
            functions[name] = tf.function(functools.partial(function), **options)
        return functions[name]

    def _fused(self, name, function):
        """`function`, many small operations, as one that XLA compiles.

        For what an attack does between the model's passes: those themselves are slower with XLA on CPUs.
        """
        return self._function(name, function, jit_compile=True, reduce_retracing=False)
