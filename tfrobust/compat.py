"""Every private name of Keras that tfrobust leans on, and what for."""

from keras.src.trainers.compile_utils import MetricsList

__all__ = ["MetricsList", "weighted_names"]

# `MetricsList` is where Keras's callbacks look for a metric's direction with mode="auto".


def weighted_names(metrics):
    """Names, in its results, of those compiled metrics that sample weights weigh.

    Args:
        metrics: the built collection that a `keras.Model` makes of `compile`'s metrics.
    """
    plain = sum(len(group.metrics) for group in metrics._flat_metrics if group)
    return list(metrics.result())[plain:]
