"""A classifier inside a Keras model: what every method needs from Keras, and no mathematics."""

import keras
import tensorflow as tf

from tfrobust.attacks.base import check_batch
from tfrobust.errors import UserError
from tfrobust.methods import checks
from tfrobust.methods.clock import Clock, CountEpochs, with_first
from tfrobust.methods.reporting import Means, Reporting
from tfrobust.methods.schedules import length_of_epoch, uses_schedule
from tfrobust.methods.second_derivatives import check_compiled
from tfrobust.ops.numbers import integer
from tfrobust.ops.random import checked_seed


class ClassifierWrapper(Reporting, keras.Model):
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
        if not isinstance(classifier, keras.Model):
            raise UserError(
                "`classifier` must be a keras.Model that maps images in [0, 1] to logits. "
                f"Received: {type(classifier).__name__}."
            )
        self.classifier = classifier
        self.seed = checked_seed(seed)
        self.means = Means(part_names, ("accuracy", "adversarial_accuracy", "robust_accuracy"))
        self.clock = Clock(self)
        self._length_is_given = False
        self._second_derivatives = False
        self.prepare_reports()
        self.built = classifier.built

    def call(self, x, training=False):
        """Logits of the classifier."""
        return self.classifier(x, training=training)

    @property
    def steps_per_epoch(self):
        """Steps that make an epoch for schedules. `fit` sets it; set it yourself in a loop of your own."""
        return int(self.clock.length.numpy())

    @steps_per_epoch.setter
    def steps_per_epoch(self, steps):
        self.clock.set_length(integer(steps, "steps_per_epoch", 1))
        self._length_is_given = True

    def epoch(self):
        """Epochs that have passed, a float32 scalar that grows with every step."""
        return self.clock.epoch()

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

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """As `keras.Model.fit`. Images must be floating-point in [0, 1], labels integers of shape (b,).

        Each epoch counts as one for schedules, which go on where the last `fit` ended, or at
        `initial_epoch` if that is given.
        """
        self._check_data(x, y)
        pair = validation_data if isinstance(validation_data, tuple) else (validation_data, None)
        self._check_data(*pair[:2])
        if not self._length_is_given:
            self.clock.set_length(length_of_epoch(x, batch_size, validation_split, steps_per_epoch))
        if initial_epoch:
            self.clock.begin_at(float(initial_epoch))
        self.check_clock()
        return super().fit(
            x,
            y,
            batch_size,
            epochs,
            verbose,
            with_first(CountEpochs(self.clock), callbacks),
            validation_split,
            validation_data,
            shuffle and not isinstance(x, tf.data.Dataset),
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """As `keras.Model.evaluate`: clean accuracy, and `robust_accuracy` under the `eval_attack`.

        `loss` is the clean cross-entropy, the same number for every method. As everywhere in Keras,
        sample weights weigh the loss and `weighted_metrics`, not the accuracies; rows that only fill
        a batch of `tfrobust.data.evaluation_dataset` count nowhere.
        """
        self._check_data(x, y)
        with self.reporting("test"):
            return super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, **kwargs
            )

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """As `keras.Model.predict`: logits."""
        self._check_data(x, None)
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def check_clock(self):
        """Raises `UserError` if a setting is a schedule and nothing tells how long its epochs are."""
        if uses_schedule(vars(self)) and not self.steps_per_epoch:
            raise UserError(
                "A schedule counts epochs, and nothing tells how many steps an epoch has. Set "
                "method.steps_per_epoch, or give `steps_per_epoch` to fit."
            )

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

    def _check_data(self, x, y):
        checks.check_data(x, y, checks.num_classes(self.classifier))


def unpack(data):
    """Images, labels and sample weights (or None) of a batch, checked: dtypes, shapes, pixels in [0, 1]."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    x, y = check_batch(x, y)
    message = "Images must have all pixels in [0, 1], without NaN. Divide by 255?"
    tf.debugging.Assert(tf.reduce_all((x >= 0.0) & (x <= 1.0)), [message], name="pixels_in_box")
    if sample_weight is not None:
        sample_weight = tf.cast(tf.reshape(sample_weight, [-1]), tf.float32)
    return x, y, sample_weight
