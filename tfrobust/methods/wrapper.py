"""A classifier inside a Keras model: what every method needs from Keras, and no mathematics."""

import contextlib

import keras
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.methods import checks
from tfrobust.methods.schedules import steps_per_epoch, uses_schedule
from tfrobust.methods.second_derivatives import check_compiled
from tfrobust.methods.update import steps_made
from tfrobust.ops.datasets import without_autotune
from tfrobust.ops.numbers import integer
from tfrobust.ops.random import checked_seed

# What every step reports under these names.
REPORTED = ("loss", "accuracy", "adversarial_accuracy", "robust_accuracy")


class ClassifierWrapper(keras.Model):
    """Wraps a classifier and takes part in `compile`, `fit`, `evaluate`, `predict` and saving.

    The classifier stays a plain Keras model, found as `method.classifier`: it is what is exported.

    Args:
        classifier: Keras model, images in [0, 1] to logits.
        part_names: names of the numbers per example that the training step records.
        seed: whole number; with the step it determines every random number of training.
        name: of the Keras model.
    """

    # How often a training step updates the weights. Epochs are counted in steps.
    updates_per_step = 1

    def __init__(self, classifier, part_names, seed, name):
        super().__init__(name=name)
        self.classifier = classifier
        self.seed = checked_seed(seed)
        names = (*part_names, *REPORTED[1:])
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self._length = self.add_weight(name="steps_per_epoch", initializer="zeros", trainable=False)
        self._length_is_given = False
        self._second_derivatives = False
        self._mode = "train"
        self._reported = {}
        self.built = classifier.built

    def call(self, x, training=False):
        """Logits of the classifier; uint8 means k / 255."""
        x = contract.from_uint8(tf.convert_to_tensor(x), contract.image_dtype(self.classifier))
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
        steps = tf.cast(tf.convert_to_tensor(steps_made(self.optimizer)), tf.float32)
        length = tf.convert_to_tensor(self._length) * self.updates_per_step
        return tf.math.divide_no_nan(steps, length)

    def compile(self, optimizer, *, loss=None, jit_compile=False, **kwargs):
        """Configures training as Keras does, without a loss, since the method is the loss.

        Args:
            optimizer: a Keras optimizer or its name.
            loss: must stay None.
            jit_compile: compile the whole step with XLA, on one device. Off by default: on CPUs it
                was 2 to 30 times slower for convolutional networks. XLA draws other random numbers
                for the same seed; compiling the attack only (`PGD(..., jit_compile=True)`) does not.
            **kwargs: as for `keras.Model.compile`. `metrics` see the clean logits.

        Raises:
            UserError: for a loss, layers in float16 without loss scaling, and for what would not be
                the same on several replicas as on one: see `tfrobust.methods.checks`.
        """
        if loss is not None:
            raise UserError(
                f"{type(self).__name__} brings its own loss: call compile(optimizer) without `loss`. "
                f"Received: loss={loss!r}."
            )
        checks.check_strategy(self.distribute_strategy, jit_compile)
        checks.check_precision(self)
        if jit_compile and self._second_derivatives:
            check_compiled(self.classifier)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        checks.check_replicas(self)

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**{k: v for k, v in config.items() if v is not None})
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, **kwargs):
        """As `keras.Model.fit`. Images are uint8 or floating-point in [0, 1], labels integers (b,)."""
        contract.check_trainable(self.classifier)
        x = self._checked(x, y)
        if kwargs.get("validation_data") is not None:
            given = kwargs["validation_data"]
            images, *rest = given if isinstance(given, (tuple, list)) else (given,)
            images = self._checked(images, *rest[:1])
            kwargs["validation_data"] = (images, *rest) if rest else images
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)
        if not self._length_is_given:
            self._length.assign(steps_per_epoch(x, batch_size, kwargs))
        if uses_schedule(vars(self)) and not self.steps_per_epoch:
            raise UserError(
                "A schedule counts epochs, and the length of this dataset is not known. "
                "Give `steps_per_epoch` to fit, or set method.steps_per_epoch."
            )
        with contract.as_user_error():
            return super().fit(x, y, batch_size=batch_size, epochs=epochs, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """As `keras.Model.evaluate`: clean accuracy, and `robust_accuracy` under the `eval_attack`.

        `loss` is the mean clean cross-entropy, the same number for every method. Sample weights
        weigh all means, so that examples of weight 0 (padding) do not count.
        """
        x = self._checked(x, y)
        with self._reporting("test"), contract.as_user_error():
            return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """As `keras.Model.predict`: logits."""
        x = self._checked(x, labels=False)
        with contract.as_user_error():
            return super().predict(x, batch_size=batch_size, **kwargs)

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self(contract.as_images(x, contract.image_dtype(self.classifier)), training=False)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this before the first step. Its own version averages a batch over the replicas,
        # which fails where they hold different numbers of examples; and it leaves a single device's
        # model to the first step, where an attack's loop could not create variables.
        metrics, optimizer = self._compile_metrics, self.optimizer
        several = self.distribute_strategy.num_replicas_in_sync > 1
        with self.distribute_strategy.scope():
            if not all(layer.built for layer in self._flatten_layers()) or (
                several and metrics is not None and not metrics.built
            ):
                if data_batch is None:
                    data_batch = next(iter(next(iter(iterator))[2]))
                local = self.distribute_strategy.experimental_local_results
                first = keras.tree.map_structure(lambda value: local(value)[0], data_batch)
                self._symbolic_build(data_batch=first)
            # A graph that creates variables is traced twice.
            if optimizer is not None and not optimizer.built:
                optimizer.build(self.trainable_variables)

    def _checked(self, x, y=None, labels=True):
        """The data of `fit` and its kin, looked at before the first step; every step looks again."""
        contract.check_arrays(self.classifier, x, y)
        return without_autotune(contract.as_pairs(x, self.classifier, labels))

    @contextlib.contextmanager
    def _reporting(self, mode):
        former, self._mode = self._mode, mode
        try:
            yield
        finally:
            self._mode = former

    def get_metrics_result(self):
        """Only what the present mode updates: a metric that nothing fed would read 0 and mislead."""
        results = {}
        for metric in self.metrics:
            # Compiled metrics are built when they first see clean logits.
            if metric is not self._compile_metrics or metric.built:
                result = metric.result()
                results.update(result if isinstance(result, dict) else {metric.name: result})
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
            compiled = () if self._compile_metrics is None else self._compile_metrics.result()
            names += [name for name in compiled if name not in names]
        self._reported[mode] = names
        with self._reporting(mode):
            return self.get_metrics_result()
