"""What a training step costs, in passes through the classifier."""

import collections
import dataclasses
import statistics
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.attacks import PGD, Gaussian
from tfrobust.errors import UserError
from tfrobust.losses.objectives import ToClean
from tfrobust.methods import ADV, FAIT, TRADES, Natural
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.logits import full_precision, inference
from tfrobust.regularizers import MaximalEntropy
from tfrobust.threat_models import Linf
from tfrobust.training.memory import Memory
from tfrobust.weights import AWP

PASSES = ("forward", "training forward", "to the input", "to the weights")


@dataclasses.dataclass(frozen=True)
class Subject:
    """A method whose step is measured.

    Args:
        make: function from a classifier to the method.
        forward: forward passes of a step whose result is not differentiated.
        to_input: passes forward and back to the images, in inference mode.
        to_weights: passes forward and back to the weights, in training mode.
        papers: the step's cost in steps of ADV-1 and of ADV-10 on CIFAR-10, where a paper has them.
    """

    make: Callable
    forward: int = 0
    to_input: int = 0
    to_weights: int = 1
    papers: tuple = (None, None)

    def sum_of_passes(self, times):
        """Seconds that the passes of a step take, from the seconds of each of `PASSES`."""
        return (
            self.forward * times["forward"]
            + self.to_input * times["to the input"]
            + self.to_weights * times["to the weights"]
        )


def _fgsm(classifier):
    return ADV(classifier, PGD(Linf("8/255"), steps=1, relative_step_size=1.25))


def _climb(steps, **settings):
    # The attack of TRADES and its family.
    return PGD(Linf("8/255"), ToClean(), steps, start=Gaussian(), **settings)


# One line a method. The papers' ratios are those of ATLAS.
SUBJECTS = {
    "Natural": Subject(Natural),
    "ADV-1": Subject(_fgsm, 0, 1, 1, (1.0, 0.18)),
    "ADV-10": Subject(lambda c: ADV(c, PGD(Linf("8/255"))), 0, 10, 1, (5.52, 1.0)),
    "TRADES-1": Subject(lambda c: TRADES(c, _climb(1)), 1, 1, 2, (2.20, 0.40)),
    "TRADES-10": Subject(lambda c: TRADES(c, _climb(10)), 1, 10, 2, (8.08, 1.46)),
    "TRADES-MER": Subject(
        lambda c: TRADES(c, _climb(10), regularizers=[MaximalEntropy()]), 1, 10, 2
    ),
    "FAIT": Subject(lambda c: FAIT(c, _climb(10, keep=(2,))), 1, 10, 3),
    "FAIT-MER": Subject(
        lambda c: FAIT(c, _climb(10, keep=(2,)), regularizers=[MaximalEntropy()]), 1, 10, 3
    ),
    "AWP-TRADES": Subject(lambda c: TRADES(c, _climb(10), weight_perturbation=AWP()), 1, 10, 4),
}


def chosen(names):
    """The subjects of these names, in this order; all of them for an empty list.

    Raises:
        UserError: for a name that is not among them.
    """
    unknown = [name for name in names if name not in SUBJECTS]
    if unknown:
        raise UserError(f"There is no method {unknown[0]!r}. There are: {', '.join(SUBJECTS)}.")
    return {name: SUBJECTS[name] for name in names or SUBJECTS}


def passes(model, x, y):
    """The `PASSES` of a classifier at a batch: name -> function without arguments."""
    variables = [v.value for v in model.trainable_variables]

    def loss(logits):
        values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        return tf.reduce_mean(values)

    def to_input():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = loss(inference(model)(x))
        return tape.gradient(value, x)

    def to_weights():
        with tf.GradientTape() as tape:
            value = loss(full_precision(model(x, training=True)))
        return tape.gradient(value, variables)

    def forward():
        return inference(model)(x)

    def training_forward():
        return model(x, training=True)

    functions = (forward, training_forward, to_input, to_weights)
    return {name: tf.function(f) for name, f in zip(PASSES, functions, strict=True)}


class Step:
    """A method's training step, the one that `fit` runs, on one batch again and again."""

    def __init__(self, subject, classifier, x, y):
        self.traces = 0
        method = subject.make(classifier)
        method.compile(keras.optimizers.SGD(1e-4, momentum=0.9))
        method.optimizer.build(method.trainable_variables)
        step = method.train_step

        def counted(data):
            self.traces += 1
            return step(data)

        method.train_step = counted
        method.make_train_function()
        self._method = method
        self._batches = iter(tf.data.Dataset.from_tensors((x, y)).repeat())

    def __call__(self):
        return self._method.train_function(self._batches)


def update(model):
    """Function without arguments: the optimizer's update of all weights, which no pass contains."""
    optimizer = keras.optimizers.SGD(1e-4, momentum=0.9)
    variables = model.trainable_variables
    optimizer.build(variables)
    gradients = [tf.zeros(v.shape) for v in variables]
    return tf.function(lambda: optimizer.apply_gradients(zip(gradients, variables, strict=True)))


def measured(subjects, repeats, often=(), clock=time.perf_counter):
    """Seconds that functions take, measured in turns, so that what else the machine does meets all.

    Args:
        subjects: dict from a name to a function without arguments.
        repeats: rounds that count; one before them traces and warms up.
        often: names that are measured before each of the others, rather than once a round.

    Returns:
        Dicts from a name to the median of its seconds, and to its peak memory in bytes, or None.
    """
    rest = [name for name in subjects if name not in often]
    order = [n for name in rest for n in (*often, name)] if rest else list(often)
    seconds = collections.defaultdict(list)
    peaks = collections.defaultdict(list)
    memory = Memory()
    for warm in range(repeats + 1):
        for name in order if warm else subjects:
            memory.start()
            begin = clock()
            subjects[name]()
            tf.test.experimental.sync_devices()
            if warm:
                seconds[name].append(clock() - begin)
                peaks[name].append(memory.peak())
    return (
        {name: statistics.median(values) for name, values in seconds.items()},
        {name: None if None in values else max(values) for name, values in peaks.items()},
    )


def layer_subjects(shape):
    """Forward and backward passes of both BatchNormalization layers, for inputs of a shape (b, h, w, c)."""
    subjects = {}
    x = tf.random.stateless_normal(shape, (0, 0))
    for kind, layer in (
        ("ours", BatchNormalization()),
        ("Keras's", keras.layers.BatchNormalization()),
    ):
        layer.build(shape)
        model = layer
        subjects |= {(kind, name): f for name, f in _layer_passes(model, x).items()}
    return subjects


def _layer_passes(layer, x):
    variables = [v.value for v in layer.trainable_variables]

    def backward(training):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        return tape.gradient(y, [x, *variables] if training else x, output_gradients=x)

    functions = (
        lambda: layer(x, training=False),
        lambda: layer(x, training=True),
        lambda: backward(False),
        lambda: backward(True),
    )
    return {name: tf.function(f) for name, f in zip(PASSES, functions, strict=True)}
