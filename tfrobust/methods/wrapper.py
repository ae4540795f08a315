"""A classifier inside a Keras model: what every method needs from Keras, and no mathematics."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.methods import accumulation, checks, compilation, data_checks, in_memory, segments
from tfrobust.methods.clock import Clock, CountEpochs, put_first
from tfrobust.methods.distributed import DistributedLoops
from tfrobust.methods.memory_faults import warn_of_narrow_convolutions
from tfrobust.methods.reporting import Means, Reporting
from tfrobust.methods.schedules import count_steps, uses_schedule
from tfrobust.methods.settings import Settings
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.seeds import check_seed
from tfrobust.ops.replicas.stand_in import stand_in

# What every step reports under these names.
REPORTED = ("loss", "accuracy", "adversarial_accuracy", "robust_accuracy")


class ClassifierWrapper(Settings, Reporting, DistributedLoops, keras.Model):
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

    def __init__(
        self, classifier: keras.Model, part_names: Sequence[str], seed: int, name: str | None
    ) -> None:
        super().__init__(name=name)
        self.classifier = classifier
        self.seed = check_seed(seed)
        self.means = Means(part_names, REPORTED[1:])
        self.clock = Clock(self)
        self._length_is_given = False
        self.second_derivatives = False  # Whether training differentiates twice.
        self.prepare_reports()
        self.built = classifier.built

    def call(self, x: Any, training: bool = False) -> tf.Tensor:
        """Logits of the classifier; uint8 means k / 255."""
        x = contract.from_uint8(tf.convert_to_tensor(x), contract.image_dtype(self.classifier))
        return self.classifier(x, training=training)

    def remember_inputs(self, x: tf.Tensor) -> None:
        """Lets Keras see the images' shape, as `export`, conversion to LiteRT and `summary` ask for.

        Steps call the classifier, not the method itself.
        """
        if not self._called:
            self.build((None, *x.shape[1:]))
            # Without numbers: a pass in the step would be one that no method has.
            self(keras.KerasTensor((None, *x.shape[1:]), dtype=x.dtype.name), training=False)

    @property
    def steps_per_epoch(self) -> int:
        """Steps that make an epoch for schedules. `fit` sets it; set it yourself in a loop of your own."""
        return int(self.clock.length.numpy())

    @steps_per_epoch.setter
    def steps_per_epoch(self, steps: int) -> None:
        self.clock.set_length(integer(steps, "steps_per_epoch", 1))
        self._length_is_given = True

    def epoch(self) -> tf.Tensor:
        """Epochs that have passed, a float32 scalar that grows with every step."""
        return self.clock.epoch()

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer,
        loss: None = None,
        *,
        jit_compile: bool | str = False,
        accumulation_steps: int = 1,
        rematerialize: bool | Sequence[str] = False,
        gradient_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        """Configures training as Keras does, without a loss, since the method is the loss.

        Args:
            optimizer: a Keras optimizer or its name.
            loss: must stay None.
            jit_compile: compile the whole step with XLA, on one device: the same step, random numbers
                included, up to rounding. On CPUs it was 2 to 30 times slower for convolutional
                networks. "auto" is Keras's: on a GPU if all layers can be compiled, otherwise off.
                XLA leaves out assertions: pixels and labels are checked in arrays only, by `fit`.
            accumulation_steps: parts in which a replica computes its batch, one after the other, to take
                less memory: the same step, but for BatchNormalization, which normalises each part by
                itself. (Keras's `gradient_accumulation_steps` makes one update of several steps.)
            rematerialize: compute the classifier's blocks again for gradients in place of keeping what
                they computed: the same step in less memory and more time. True, False, or names of layers
                to cut after; see `tfrobust.methods.segments`.
            gradient_norm: log "gradient_norm", the mean over an epoch's steps of the Euclidean norm of the
                gradient with respect to the weights, before it is clipped. Training stays as it is.
            **kwargs: as for `keras.Model.compile`. `metrics` see the clean logits, and the
                likeliest class of a soft label.

        Raises:
            UserError: for a loss, layers in float16 without loss scaling, a classifier that XLA
                cannot compile where it shall, and for what would not be the same on several replicas
                as on one: see `tfrobust.methods.checks`.
        """
        if loss is not None:
            raise UserError(
                f"{type(self).__name__} brings its own loss: call compile(optimizer) without `loss`. "
                f"Received: loss={loss!r}."
            )
        checks.check_strategy(self.distribute_strategy, jit_compile)
        checks.check_precision(self)
        warn_of_narrow_convolutions(self.classifier)
        self.accumulation_steps = accumulation.check(self, accumulation_steps, jit_compile)
        self.rematerialize = rematerialize
        self.segments = segments.divide(self.classifier, rematerialize)
        self.log_gradient_norm(gradient_norm)
        compiles = compilation.choose_compilation(self, jit_compile)
        super().compile(optimizer=optimizer, jit_compile=compiles, **kwargs)
        compilation.check_is_compiled(self, jit_compile)
        checks.check_replicas(self)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`. Images are uint8 or floating-point in [0, 1], labels integers (b,).

        Labels may be distributions (b, k), too, where no part of the method has a `needs_class`.

        Each epoch counts as one for schedules, which go on where the last `fit` ended, or at
        `initial_epoch` if that is given.
        """
        contract.check_trainable(self.classifier)
        x = data_checks.look_at(self, x, y, data_checks.check_training_labels)
        data_checks.check_class_weight(x, y, class_weight)
        validation_data = data_checks.look_at_validation(self, validation_data)
        if not self._length_is_given:
            self.clock.set_length(count_steps(x, batch_size, validation_split, steps_per_epoch))
        if initial_epoch:
            self.clock.begin_at(float(initial_epoch))
        self.check_clock()
        x, steps_per_epoch = self._distribute(x, steps_per_epoch)
        if validation_data is not None:
            validation_data, validation_steps = self._distribute(validation_data, validation_steps)
        with contract.as_user_error():
            (x, y, sample_weight), validation_data = in_memory.split_off_validation(
                (x, y, sample_weight), validation_split, validation_data
            )
            return super().fit(
                **in_memory.as_batches(
                    x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight
                ),
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=put_first(CountEpochs(self.clock), callbacks),
                validation_data=in_memory.convert_validation(
                    validation_data, validation_batch_size or batch_size, validation_steps
                ),
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_freq=validation_freq,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.evaluate`: clean accuracy, and `robust_accuracy` under the `eval_attack`.

        `loss` is the clean cross-entropy, the same number for every method. As everywhere in Keras,
        sample weights weigh the loss and `weighted_metrics`, not the accuracies; rows that only fill
        a batch of `tfrobust.data.evaluation_dataset` count nowhere.
        """
        x = data_checks.look_at(self, x, y, data_checks.check_judged_labels)
        x, steps = self._distribute(x, steps)
        with self.reporting("test"), contract.as_user_error():
            x, y, sample_weight = in_memory.convert_ordered(x, y, sample_weight, batch_size, steps)
            return super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, **kwargs
            )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """As `keras.Model.predict`: logits."""
        self._refuse_several_processes("predict", "Call it on method.classifier in one process.")
        x = data_checks.look_at(self, x)
        with contract.as_user_error():
            x, *_ = in_memory.convert_ordered(x, None, None, batch_size, steps)
            return super().predict(x, batch_size, verbose, steps, callbacks)

    def predict_step(self, data: Any) -> tf.Tensor:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        x = contract.as_images_of(self.classifier, x)
        with stand_in(x) as (rows,):
            return self(rows, training=False)[: tf.shape(x)[0]]

    def check_clock(self) -> None:
        """Raises `UserError` if a setting is a schedule and the length of an epoch is not known."""
        if uses_schedule(vars(self)) and not self.steps_per_epoch:
            raise UserError(
                "A schedule counts epochs, and it is not known how many steps an epoch has. Set "
                "method.steps_per_epoch, or give `steps_per_epoch` to fit."
            )
