"""The numbers that a method reports, as Keras's metrics."""

import contextlib

import keras
import tensorflow as tf

from tfrobust.compat import MetricsList, compiled_metrics, set_direction, weighted_names
from tfrobust.ops.logits import correct, likeliest_class
from tfrobust.ops.replicas.stand_in import mask_stand_in, rows_that_count
from tfrobust.spec import check_kind

GRADIENT_NORM = "gradient_norm"
"""What the mean norm of the weights' gradient is called in logs, where `compile` asks for it."""


class Means(MetricsList):
    """A running mean for each number that a step reports. Keras's callbacks find their directions here.

    Args:
        parts: names of the parts of the loss.
        accuracies: names of accuracies, of which more is better.
    """

    def __init__(self, parts, accuracies):
        super().__init__([keras.metrics.Mean(name=name) for name in (*parts, *accuracies)], "means")
        for metric in self.metrics:
            if metric.name in accuracies:
                set_direction(metric, "up")

    def __getitem__(self, name):
        return next(metric for metric in self.metrics if metric.name == name)

    def names(self):
        """All names, a list in the order in which they are reported."""
        return [metric.name for metric in self.metrics]

    def result(self):
        return {metric.name: metric.result() for metric in self.metrics}


def compiled_results(metrics, taken):
    """Name -> value of the metrics that `compile` was given, in their order.

    As in Keras, a weighted one whose name is taken by one that is not weighted is called weighted_<name>.

    Args:
        metrics: Keras's collection of compiled metrics, or None.
        taken: names that the method reports itself, without weights.
    """
    # They are built when they first see clean logits.
    if metrics is None or not metrics.built:
        return {}
    renamed = {name: f"weighted_{name}" for name in weighted_names(metrics) if name in taken}
    return {renamed.get(name, name): value for name, value in metrics.result().items()}


class Reporting:
    """What a method adds to `keras.Model` so that its numbers are reported as Keras's own are.

    Attributes:
        means: the `Means`.
        evaluated: names of those that `evaluate` updates, a tuple.
    """

    evaluated: tuple[str, ...] = ("accuracy",)

    def prepare_reports(self):
        """Called by the constructor."""
        self._mode = "train"
        self._reported = {}

    def log_gradient_norm(self, wanted):
        """Called by `compile`: whether a step reports the norm of the gradient."""
        check_kind("gradient_norm", wanted, bool)
        if wanted and not self.gradient_norm:
            self.means.metrics.append(keras.metrics.Mean(name=GRADIENT_NORM))
        elif self.gradient_norm and not wanted:
            self.means.metrics.remove(self.means[GRADIENT_NORM])
        self.gradient_norm = wanted

    @contextlib.contextmanager
    def reporting(self, mode):
        former, self._mode = self._mode, mode
        try:
            yield
        finally:
            self._mode = former

    @property
    def metrics_names(self):
        """Names of the numbers in the list that `evaluate` returns, in its order."""
        compiled = compiled_results(compiled_metrics(self), self.means.names())
        own = ["loss", *self.evaluated]
        return [*own, *(name for name in compiled if name not in own)]

    def _flatten_metrics_in_order(self, logs):
        # As Keras does it: a number by itself, several as a list.
        known = ["loss", *self.means.names()]
        ordered = [name for name in known if name in logs]
        ordered += [name for name in self._results() if name in logs and name not in known]
        values = [logs[name] for name in ordered]
        return values[0] if len(values) == 1 else values

    def get_metrics_result(self):
        """Only what the present mode updates: a metric that nothing fed would read 0 and mislead."""
        results = self._results()
        names = self._reported.get(self._mode, results)
        return {name: results[name] for name in names if name in results}

    def _results(self):
        compiled = compiled_results(compiled_metrics(self), self.means.names())
        results = {}
        for metric in self.metrics:
            if metric is not compiled_metrics(self):
                result = metric.result()
                results.update(result if isinstance(result, dict) else {metric.name: result})
        return {**compiled, **results}

    def loss_mean(self):
        """Keras's own running mean of the loss."""
        return next(metric for metric in self.metrics if metric.name == "loss")

    def report(self, mode, names, y, clean_logits, sample_weight, present=None):
        """The running means of a step. Compiled metrics join in where clean logits were computed.

        Args:
            mode: "train" or "test".
            names: of the `means` that the step has updated.
            y, clean_logits, sample_weight: of the batch; the latter two may be None.
            present: which rows are examples, bool, (b,); None if all of them are.
        """
        names = ["loss", *names]
        if clean_logits is not None:
            self._update_compiled(y, clean_logits, sample_weight, present)
            compiled = compiled_results(compiled_metrics(self), self.means.names())
            names += [name for name in compiled if name not in names]
        self._reported[mode] = names
        with self.reporting(mode):
            return self.get_metrics_result()

    def report_training(self, context, values, sample_weight):
        """The running means after a training step; `values` are what was minimised, (b,)."""
        present = rows_that_count(context.y)
        self.loss_mean().update_state(values, present)
        logits = context.computed()
        accuracies = {"clean": "accuracy", "adversarial": "adversarial_accuracy"}
        for point, name in accuracies.items():
            if point in logits:
                context.record(name, tf.cast(correct(context.y, logits[point]), tf.float32))
        for name, part in context.parts.items():
            weights = present
            if sample_weight is not None and name not in accuracies.values():
                weights = mask_stand_in(sample_weight)
            self.means[name].update_state(part, weights)
        names = [*context.parts, *([GRADIENT_NORM] if self.gradient_norm else [])]
        clean = logits.get("clean")
        return self.report("train", names, context.y, clean, sample_weight, present)

    def _update_compiled(self, y, logits, sample_weight, present):
        # As class numbers in training and in validation, since Keras chooses "accuracy" by the first shape.
        y = likeliest_class(y)
        # XLA knows no tensors whose shape depends on values.
        if compiled_metrics(self) is not None and present is not None and not self.jit_compile:
            y, logits = tf.boolean_mask(y, present), tf.boolean_mask(logits, present)
            if sample_weight is not None:
                sample_weight = tf.boolean_mask(sample_weight, present)
        self.compute_metrics(None, y, logits, sample_weight)
