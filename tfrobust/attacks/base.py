"""What every attack has in common."""

import dataclasses
import functools
from typing import NamedTuple

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.logits import inference
from tfrobust.ops.random import BatchKeys, ExampleKeys, keys_of
from tfrobust.spec import Spec


class Perturbation(NamedTuple):
    """What an attack found. Nothing in it carries a gradient.

    Attributes:
        x: adversarial images, shape of the clean ones.
        survived: int32, shape (b,): in how many steps the incoming iterate was still classified
            right.
        path: tuple of the iterates that were asked for, each of the shape of `x`.
    """

    x: tf.Tensor
    survived: tf.Tensor
    path: tuple = ()


class Case(NamedTuple):
    """What a search works on: in every row an example and one of its runs.

    Attributes:
        x: clean images, (b, h, w, c).
        y: labels, int32, (b,).
        logits: of the model at the clean images, (b, k).
        run: which run, int32, (b,): from 0 to `Attack.runs` - 1, counting restarts and targets.
        keys: noise that belongs to the row's example and run.
        radius: of the threat model, a scalar.
        example_keys: noise that belongs to the row's example, the same in all its runs.
    """

    x: tf.Tensor
    y: tf.Tensor
    logits: tf.Tensor
    run: tf.Tensor
    keys: BatchKeys | ExampleKeys
    radius: tf.Tensor
    example_keys: BatchKeys | ExampleKeys | None = None


@dataclasses.dataclass(frozen=True)
class Attack(Spec):
    """Searches a threat model for a bad point.

    A subclass writes the search of one run as `begin` and `advance`, in graph operations, row by row:
    no row may depend on another one, and every row has its own step counter, so that rows may be
    exchanged while others go on (`evaluation.slots`). How many runs an example needs, `runs` says.
    An attack of another form overrides `search`. Attacks hold no data and no variables, see a Keras
    model in inference mode, never move its BatchNormalization statistics, and use no global random
    state.
    """

    needs_gradient = True
    """Whether it differentiates the model."""
    needs_scores = True
    """Whether it reads more of the logits than the predicted class."""
    eot = 1
    """Passes that each step averages. Above 1 the attack is made for models with noise, which their suite
    says by it: what it finds is judged by a vote."""
    measures = ()
    """Names of what else a state tells at the end of a run, numbers (b,): "distance", "queries"."""

    def __call__(self, model, x, y, *, seed, scale=1.0, epoch=0.0):
        """Attacks the images.

        Args:
            model: Keras model or callable, images to logits (b, k). Pass the same object every
                time: for a new one the attack is traced anew.
            x: clean images in [0, 1], float32 (or float64), shape (b, h, w, c).
            y: labels, integers, shape (b,).
            seed: whole number, seed tensor of shape (2,), one seed per example of shape (b, 2), or
                keys of `tfrobust.ops.random`. The same seed gives the same result.
            scale: factor of the radius in [0, 1], for ramps.
            epoch: epochs of training that have passed, for settings that are schedules.

        Returns:
            A `Perturbation`.

        Raises:
            UserError: if the images are not floating-point or the labels are not integers of shape
                (b,).
        """
        x, y = check_batch(x, y)
        keys = keys_of(seed)
        scale = tf.cast(tf.convert_to_tensor(scale), x.dtype)
        epoch = tf.cast(tf.convert_to_tensor(epoch), tf.float32)
        if not tf.executing_eagerly():
            return self.search(model, x, y, keys, scale, epoch)
        if isinstance(model, keras.layers.Layer) and not model.built:
            model(x[:1], training=False)  # Variables cannot be born inside a graph's loop.
        return self._function("search", self.search)(model, x, y, keys, scale, epoch)

    def runs(self, num_classes):
        """How many runs an example that nothing breaks takes: restarts times targets."""
        return 1

    def begin(self, case):
        """The state before the first step: a dict of tensors whose first axis is the row.

        It makes no pass through the model. It holds what `fresh` returns, and "best", images: what
        stands for the row if nothing breaks it. Of several runs that break nothing the one with the
        largest "best_loss", (b,), stands for the example, or the first run where there is none.
        """
        raise NotImplementedError

    def advance(self, forward, case, state):
        """The state one step later.

        Sets "done" where the run is over, and "broken" with "adversarial" where a misclassified image
        of the threat model was found (see `caught`). Adds to "forwards" and "backwards" what the
        row's step needed. Rows that were done before may come out as anything: `step` restores their
        numbers, their "best", and `caught` their "adversarial".

        Args:
            forward: function from images to logits in full precision, in inference mode.
            case: `Case`.
            state: what `begin` or the last step returned.
        """
        raise NotImplementedError

    def step(self, forward, case, state):
        """`advance` that leaves alone the numbers, and the "best", of rows that are done.

        Attacks that compile what they do between passes override it, and need no `advance`.
        """
        return self._unless_done(state, self.advance(forward, case, state))

    def _unless_done(self, state, new):
        kept = [name for name, value in new.items() if value.shape.rank == 1 or name == "best"]
        over = {name: norms.expand(state["done"], new[name]) for name in kept}
        return {**new, **{name: tf.where(over[name], state[name], new[name]) for name in kept}}

    def search(self, model, x, y, keys, scale, epoch):
        """The attack itself: tensors in, `Perturbation` out, nothing watched by a tape from outside."""
        forward = inference(model)
        logits = forward(x)
        radius = tf.cast(self.threat_model.radius(scale), x.dtype)
        runs = self.runs(logits.shape[-1])

        def body(run, broken, found, loss, survived):
            rows = tf.fill(tf.shape(y), run)
            case = Case(x, y, logits, rows, keys.fold_in(run), radius, keys)
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
            near = self.threat_model.distance(state["best"], x) <= radius * (1.0 + 1e-6) + 1e-7
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


def fresh(case):
    """What every state holds at the beginning.

    Returns:
        "index", steps made; "done"; "broken"; "adversarial", an image that means something where
        "broken" or "unanswered"; "forwards" and "backwards", the passes made for the row;
        "unanswered", how often the model gave no finite logits (see `answers.missed`).
    """
    nothing, nobody = tf.zeros_like(case.y), tf.zeros_like(case.y, tf.bool)
    return {
        "index": nothing,
        "done": nobody,
        "broken": nobody,
        "adversarial": case.x,
        "forwards": nothing,
        "backwards": nothing,
        "unanswered": nothing,
    }


def caught(state, candidate, wrong):
    """The state's "broken" and "adversarial" after a look at images that are `wrong` or not, (b,).

    The first image that is found stays.
    """
    newly = wrong & ~state["broken"] & ~state["done"]
    found = tf.where(norms.expand(newly, candidate), candidate, state["adversarial"])
    return {"broken": state["broken"] | newly, "adversarial": found}


def check_batch(x, y):
    """Images and labels (as int32) as tensors, with messages for what is often mistaken."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    check_specs(x, y)
    return x, tf.cast(y, tf.int32)


def check_specs(x, y):
    """What dtypes and ranks tell about images and labels, which may be tensors or their specs."""
    if not x.dtype.is_floating:
        raise UserError(
            f"Images must be floating-point with pixels in [0, 1]. Received: dtype {x.dtype.name}. "
            "Divide by 255: tf.cast(images, tf.float32) / 255."
        )
    if not y.dtype.is_integer or y.shape.rank not in (None, 1):
        raise UserError(
            "Labels must be integers of shape (b,), not one-hot vectors, probabilities or columns. "
            f"Received: dtype {y.dtype.name}, shape {y.shape}."
        )
