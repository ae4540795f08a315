"""A classifier inside a Keras model: what every method needs from Keras, and no mathematics."""

import contextlib
import math

import keras
import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import check_batch
from tfrobust.errors import UserError
from tfrobust.methods.schedules import uses_schedule
from tfrobust.ops.numbers import integer


class ClassifierWrapper(keras.Model):
    """Wraps a classifier and takes part in `compile`, `fit`, `evaluate`, `predict` and saving.

    The classifier stays a plain Keras model, found as `method.classifier`: it is what is exported.

    Args:
        classifier: Keras model, images in [0, 1] to logits.
        part_names: names of the numbers per example that the training step records.
        seed: whole number; with the step it determines every random number of training.
        name: of the Keras model.
    """

    def __init__(self, classifier, part_names, seed, name):
        super().__init__(name=name)
        if not isinstance(classifier, keras.Model):
            raise UserError(
                "`classifier` must be a keras.Model that maps images in [0, 1] to logits. "
                f"Received: {type(classifier).__name__}."
            )
        self.classifier = classifier
        self.seed = integer(seed, "seed", 0)
        names = (*part_names, "accuracy", "adversarial_accuracy", "robust_accuracy")
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self._length = self.add_weight(name="steps_per_epoch", initializer="zeros", trainable=False)
        self._length_is_given = False
        self._mode = "train"
        self._reported = {}
        self.built = classifier.built

    def build(self, input_shape):
        if not self.classifier.built:
            self.classifier.build(input_shape)
        self.built = True

    def call(self, x, training=False):
        """Logits of the classifier."""
        return self.classifier(x, training=training)

    @property
    def steps_per_epoch(self):
        """Steps that make an epoch for schedules. `fit` sets it; set it yourself in a loop of your own."""
        return int(self._length.numpy())

    @steps_per_epoch.setter
    def steps_per_epoch(self, steps):
        self._length.assign(float(integer(steps, "steps_per_epoch", 1)))
        self._length_is_given = True

    def epoch(self):
        """Epochs that have passed, a float32 scalar that grows with every step."""
        steps = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.float32)
        return tf.math.divide_no_nan(steps, tf.convert_to_tensor(self._length))

    def compile(self, optimizer, *, loss=None, jit_compile=False, **kwargs):
        """Configures training as Keras does, without a loss, since the method is the loss.

        Args:
            optimizer: a Keras optimizer or its name.
            loss: must stay None.
            jit_compile: compile the whole step with XLA, on one device. Off by default: on CPUs it
                was 2 to 30 times slower for convolutional networks.
            **kwargs: as for `keras.Model.compile`. `metrics` see the clean logits.

        Raises:
            UserError: for a loss, XLA on several replicas, a strategy that Keras 3 cannot train
                with here, or layers in float16 without loss scaling.
        """
        if loss is not None:
            raise UserError(
                f"{type(self).__name__} brings its own loss: call compile(optimizer) without `loss`. "
                f"Received: loss={loss!r}."
            )
        _check_strategy(self.distribute_strategy, jit_compile)
        _check_precision(self)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**{k: v for k, v in config.items() if v is not None})
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, **kwargs):
        """As `keras.Model.fit`. Images must be floating-point in [0, 1], labels integers of shape (b,)."""
        _check_arrays(x, y)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)
        if not self._length_is_given:
            self._length.assign(_steps_per_epoch(x, kwargs))
        if uses_schedule(vars(self)) and not self.steps_per_epoch:
            raise UserError(
                "A schedule counts epochs, and the length of this dataset is not known. "
                "Give `steps_per_epoch` to fit, or set method.steps_per_epoch."
            )
        return super().fit(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """As `keras.Model.evaluate`: clean accuracy, and `robust_accuracy` under the `eval_attack`."""
        _check_arrays(x, y)
        with self._reporting("test"):
            return super().evaluate(x, y, **kwargs)

    def predict(self, x, **kwargs):
        """As `keras.Model.predict`: logits."""
        _check_arrays(x, None)
        return super().predict(x, **kwargs)

    @contextlib.contextmanager
    def _reporting(self, mode):
        former, self._mode = self._mode, mode
        try:
            yield
        finally:
            self._mode = former

    def get_metrics_result(self):
        """Only what the present mode updates: a metric that nothing fed would read 0 and mislead."""
        results = super().get_metrics_result()
        names = self._reported.get(self._mode, results)
        return {name: results[name] for name in names if name in results}

    def loss_mean(self):
        """Keras's own running mean of the loss."""
        return next(metric for metric in self.metrics if metric.name == "loss")

    def report(self, mode, names, y, clean_logits, sample_weight):
        """The running means of a step. Compiled metrics join in where clean logits were computed."""
        names = ["loss", *names]
        if clean_logits is not None:
            self.compute_metrics(None, y, clean_logits, sample_weight)
            compiled = [m.result() for m in self.metrics if isinstance(m.result(), dict)]
            names += [name for result in compiled for name in result if name not in names]
        self._reported[mode] = names
        with self._reporting(mode):
            return self.get_metrics_result()


def unpack(data):
    """Images, labels and sample weights (or None) of a batch, checked: dtypes, shapes, pixels in [0, 1]."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    x, y = check_batch(x, y)
    message = "Images must have all pixels in [0, 1], without NaN. Divide by 255?"
    tf.debugging.Assert(tf.reduce_all((x >= 0.0) & (x <= 1.0)), [message], name="pixels_in_box")
    if sample_weight is not None:
        sample_weight = tf.cast(tf.reshape(sample_weight, [-1]), tf.float32)
    return x, y, sample_weight


def _check_arrays(x, y):
    """Arrays can be looked at before any work is done; datasets are checked as they come."""
    if isinstance(x, np.ndarray):
        check_batch(x[:1], np.zeros(1, np.int64) if y is None else np.asarray(y)[:1])
        if not (np.min(x) >= 0.0 and np.max(x) <= 1.0):
            raise UserError(
                "Images must have all pixels in [0, 1], without NaN; normalisation belongs into the "
                f"model. Received: minimum {np.min(x):g}, maximum {np.max(x):g}. Divide by 255?"
            )


def _steps_per_epoch(x, options):
    if options.get("steps_per_epoch"):
        return float(options["steps_per_epoch"])
    if isinstance(x, tf.data.Dataset):
        return float(max(int(x.cardinality()), 0))
    if hasattr(x, "num_batches"):
        return float(x.num_batches or 0)
    if not hasattr(x, "shape"):
        return 0.0
    kept = x.shape[0] - math.floor(x.shape[0] * options.get("validation_split", 0.0))
    return float(math.ceil(kept / (options.get("batch_size") or 32)))


def _check_strategy(strategy, jit_compile):
    multiple = strategy.num_replicas_in_sync > 1
    if multiple and not isinstance(strategy, tf.distribute.MirroredStrategy):
        raise UserError(
            "Several devices are supported through tf.distribute.MirroredStrategy. "
            f"Received: {type(strategy).__name__}."
        )
    if multiple and jit_compile:
        raise UserError(
            "XLA cannot compile the whole step on several replicas. Call compile with "
            "jit_compile=False and give jit_compile=True to the attack instead."
        )


def _check_precision(method):
    half = [layer.name for layer in method._flatten_layers() if layer.compute_dtype == "float16"]
    if half and method.dtype_policy.name != "mixed_float16":
        raise UserError(
            f"Layer {half[0]!r} computes in float16, but the method does not, so no loss would be scaled. "
            "Call keras.config.set_dtype_policy('mixed_float16') before building both."
        )
