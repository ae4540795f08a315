"""A training step whose batch is computed in parts, one after the other, and updates the weights once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfrobust.compat import all_layers, seed_states
from tfrobust.contract import after
from tfrobust.errors import UserError
from tfrobust.methods.context import Step
from tfrobust.methods.points import ShiftedPoint
from tfrobust.methods.update import compute_shifted_decay, move_weights
from tfrobust.ops.numbers import integer
from tfrobust.ops.replicas.global_batch import part_of
from tfrobust.ops.replicas.stand_in import mask_stand_in


def check(method: keras.Model, steps: Any, jit_compile: bool | str) -> int:
    """`accumulation_steps`, after a look at whether the method's loss is a sum over examples.

    Raises:
        UserError: for a method or a regularizer with a quantity of the whole batch, for XLA, and for
            BatchNormalization on several replicas.
    """
    steps = integer(steps, "accumulation_steps", 1)
    if steps == 1:
        return steps
    advice = f"Leave out accumulation_steps. Received: accumulation_steps={steps}."
    whole = find_whole_batch_part(method)
    if whole is not None:
        raise UserError(
            f"{type(whole).__name__} needs {whole.sums_over_batch}, which parts of a batch do not have. "
            f"{advice}"
        )
    if jit_compile is True:
        raise UserError(f"XLA knows no parts of a batch that differ in size. {advice}")
    if method.distribute_strategy.num_replicas_in_sync > 1:
        for layer in all_layers(method.classifier):
            if layer.trainable and getattr(layer, "sums_over_replicas", False):
                raise UserError(
                    f"Layer {layer.name!r}, a {type(layer).__name__}, normalises by the batch, and several "
                    f"replicas cannot gather the statistics of parts. Use one device, or: {advice}"
                )
    return steps


def find_whole_batch_part(method: keras.Model) -> Any:
    """The method or the regularizer of it that needs the whole batch at once, or None."""
    return next((p for p in (method, *method.regularizers) if p.sums_over_batch), None)


class Part(NamedTuple):
    """Some rows of this replica's batch.

    Attributes:
        step: the `Step` of these rows: their images, labels and keys, and where they are in the batch.
        sample_weight: theirs, or None.
        rows: cuts them out of a structure of tensors of the whole batch.
    """

    step: Step
    sample_weight: tf.Tensor | None
    rows: Callable[[Any], Any]


class Parts:
    """The parts of a step.

    Args:
        step: the `Step` of this replica's batch.
        sample_weight: (b,), or None.
        steps: how many parts there should be; fewer, if there are fewer rows.
        classifier: whose dropout draws for each part what it draws for the whole batch.
    """

    def __init__(self, step, sample_weight, steps, classifier):
        self._step, self._sample_weight = step, sample_weight
        self._rows = tf.shape(step.x)[0]
        self._size = -(-self._rows // steps)
        self.count = -(-self._rows // self._size)
        self._seeds = [state for layer in all_layers(classifier) for state in seed_states(layer)]

    def _part(self, index):
        step, begin = self._step, index * self._size
        end = tf.minimum(begin + self._size, self._rows)

        def rows(values):
            return tf.nest.map_structure(lambda v: None if v is None else v[begin:end], values)

        batch = step.batch._replace(
            offset=step.batch.offset + begin,
            local=mask_stand_in(tf.cast(end - begin, tf.float32)),
            parts=tf.cast(step.batch.replicas * self.count, tf.float32),
        )
        keys = {
            name: getattr(step, name)._replace(offset=batch.offset)
            for name in ("attack_keys", "loss_keys")
        }
        x, y = rows((step.x, step.y))
        return Part(step._replace(x=x, y=y, batch=batch, **keys), rows(self._sample_weight), rows)

    def concatenate(self, function: Callable[[Part], Any]) -> Any:
        """What a function returns for all parts, a structure of tensors or None, rows after rows."""
        structure: list[Any] = []

        def flat(part):
            structure[:] = [function(part)]
            return _flatten(structure)

        numbered, like = self._number(flat)
        if tf.executing_eagerly():
            found = [numbered(tf.constant(i)) for i in range(int(self.count))]
            values = [tf.concat(parts, 0) for parts in zip(*found, strict=True)]
        else:
            arrays = [
                tf.TensorArray(v.dtype, self.count, infer_shape=False, element_shape=v.shape)
                for v in like
            ]

            def body(index, arrays):
                pairs = zip(arrays, numbered(index), strict=True)
                return index + 1, [array.write(index, value) for array, value in pairs]

            arrays = self._loop(body, arrays)
            pairs = zip(arrays, like, strict=True)
            values = [tf.ensure_shape(array.concat(), v.shape) for array, v in pairs]
        left = iter(values)
        (made,) = structure
        return tf.nest.map_structure(lambda v: None if v is None else next(left), made)

    def add(self, function: Callable[[Part], list[tf.Tensor]]) -> list[tf.Tensor]:
        """The sums over all parts of what a function returns, a list of tensors."""
        numbered, like = self._number(function)
        if tf.executing_eagerly():
            found = [numbered(tf.constant(i)) for i in range(int(self.count))]
            return [tf.add_n(values) for values in zip(*found, strict=True)]

        def body(index, sums):
            return index + 1, [a + b for a, b in zip(sums, numbered(index), strict=True)]

        return self._loop(body, [tf.zeros(v.shape, v.dtype) for v in like])

    def _loop(self, body, state):
        return tf.while_loop(
            lambda index, _: index < self.count,
            body,
            (tf.constant(0), state),
            parallel_iterations=1,
        )[1]

    def _number(self, function):
        """`function` of a part as one of its number, and what it returns; each part has the same dropout."""
        before = [tf.identity(state) for state in self._seeds]

        def numbered(index):
            for state, value in zip(self._seeds, before, strict=True):
                state.assign(value)
            part = self._part(index)
            with part_of(part.step.batch):
                return function(part)

        if tf.executing_eagerly():
            return numbered, []
        # Traced once, and before the loop, which must know what comes out.
        traced = tf.function(numbered, autograph=False)
        return traced, traced.get_concrete_function(tf.TensorSpec([], tf.int32)).structured_outputs


def _flatten(values):
    return [value for value in tf.nest.flatten(values) if value is not None]


def update_in_parts(
    method: Any, step: Step, sample_weight: tf.Tensor | None
) -> dict[str, tf.Tensor]:
    """A training step in `method.accumulation_steps` parts: all attacks, AWP's gradient, the loss's gradient.

    Args:
        method: `AdversarialModel`.
        step: the `Step` of this replica's batch.
        sample_weight: (b,), or None.

    Returns:
        The numbers that are logged.
    """
    classifier, optimizer = method.classifier, method.optimizer
    parts = Parts(step, sample_weight, method.accumulation_steps, classifier)
    attacked = parts.concatenate(lambda part: method.perturb(part.step))
    variables = classifier.trainable_variables
    connected = [False] * len(variables)

    def loss_at(point, part, regularizers):
        perturbation, points = part.rows(attacked)
        return method.loss_at(
            point, part.step, points, perturbation, part.sample_weight, regularizers
        )

    def share_at(weights, regularizers):
        def gradient_of(part):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(constant)
                share = loss_at(ShiftedPoint(classifier, constant), part, regularizers)[0]
            return [share, *tape.gradient(share, constant, unconnected_gradients="zero")]

        @tf.custom_gradient
        def share(*weights):
            total, *gradients = parts.add(gradient_of)

            def gradient(upstream, variables=()):
                found = [upstream * g for g in gradients]
                # Those of other models, such as a helper.
                return (found, [None] * len(variables)) if variables else found

            return total, gradient

        constant = [tf.stop_gradient(w) for w in weights]
        return share(*weights)

    make_point = method.choose_point(step, share_at)

    def gradient_of(part):
        with tf.GradientTape() as tape:
            point = make_point()
            share, penalty, values, context = loss_at(point, part, method.regularizers)
            decay = tf.cast(compute_shifted_decay(optimizer, point), penalty.dtype)
            decay /= tf.cast(part.step.batch.parts, decay.dtype)
            loss = optimizer.scale_loss(share + penalty + decay)
        gradients = tape.gradient(loss, variables)
        connected[:] = [gradient is not None for gradient in gradients]
        gradients = [g for g in gradients if g is not None]
        gradients = after(method.check_logits(context), context.hold_back(gradients))
        point.commit()
        method.report_training(context, values + point.penalty(), part.sample_weight)
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    found = iter(parts.add(gradient_of))
    gradients = [next(found) if is_there else None for is_there in connected]
    move_weights(method, gradients, step.batch.replicas)
    with method.reporting("train"):
        return method.get_metrics_result()
