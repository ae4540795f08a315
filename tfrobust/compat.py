"""Every private name of Keras, TensorFlow and gin that tfrobust uses: what an upgrade of theirs may break.

Each function says why no public name does. `tests/test_compat.py` has a test for each name, and keeps
private names out of all other files.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

try:
    # What `clear_session` forgets, to which nothing public adds; whether `call` follows a graph of layers.
    from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute
    from keras.src.models.functional import Functional

    # Where callbacks look for a metric's direction with mode="auto"; the batches that Keras makes of arrays.
    from keras.src.trainers.compile_utils import MetricsList
    from keras.src.trainers.data_adapters import array_data_adapter, array_slicing

    # Several processes of one strategy: devices of each, words between them, how long one may be silent.
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.distribute import collective_all_reduce_strategy
    from tensorflow.python.eager import context as eager_context

    # A sum over replicas with forward mode; operations that a SavedModel may name; whether oneDNN is on.
    from tensorflow.python.eager.record import record_operation, stop_recording
    from tensorflow.python.framework import op_def_registry
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled as onednn_is_on
except ImportError as error:
    raise ImportError(
        f"This version of tfrobust does not work with TensorFlow {tf.__version__} and Keras "
        f"{keras.__version__}, which have moved what tfrobust/compat.py imports: {error}. Install the "
        "versions that tfrobust was released with, or a newer tfrobust."
    ) from error

__all__ = [
    "CUSTOM_GRADIENT",
    "OVERRIDDEN",
    "Functional",
    "MetricsList",
    "MultiWorkerStrategy",
    "all_layers",
    "array_data_adapter",
    "array_slicing",
    "build_now",
    "build_on_batch",
    "compiled_metrics",
    "find_operation",
    "find_origin",
    "forget_gin_names",
    "gin_bindings",
    "gin_configurable",
    "gin_used_values",
    "gin_values_within",
    "has_computed",
    "keep_for_session",
    "onednn_is_on",
    "read_shared_text",
    "record_operation",
    "search_gin_files",
    "seed_states",
    "set_direction",
    "shapes_only",
    "share_text",
    "step_counter",
    "stop_recording",
    "variable_position",
    "weighted_names",
]

OVERRIDDEN = {
    "_maybe_symbolic_build": "fit builds a model before its first step here: Keras's own version averages "
    "a batch over replicas, and leaves the optimizer's variables to the first step",
    "_flatten_metrics_in_order": "train_on_batch and evaluate order their lists of numbers here",
}
"""Hooks of Keras that classes of tfrobust define anew, and why no public hook does."""

CUSTOM_GRADIENT = "_gradient_op_type"
"""The attribute by which TensorFlow marks an operation of a graph whose gradient is written by hand."""


def all_layers(
    model: keras.layers.Layer, include_self: bool = True
) -> Iterator[keras.layers.Layer]:
    """Yields all layers at any depth, `model` itself first; `model.layers` are those of the first level."""
    return model._flatten_layers(include_self=include_self)


def find_origin(tensor: keras.KerasTensor) -> tuple[keras.Operation, list[keras.KerasTensor]]:
    """The operation that a symbolic Keras tensor comes out of, and the tensors that went into it."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def seed_states(layer: keras.layers.Layer) -> list[Any]:
    """The variables from which a layer's own generators of random numbers go on; none if it draws none."""
    return [generator.state for generator in layer._seed_generators]


def build_now(layer: keras.layers.Layer) -> None:
    """Marks a layer without weights as built, as Keras's own layers are after their constructor."""
    layer._build_at_init()


def build_on_batch(model: keras.Model, batch: Any) -> None:
    """Builds a model and its metrics by the shapes of one batch, without computing anything."""
    model._symbolic_build(data_batch=batch)


def compiled_metrics(model: keras.Model) -> Any:
    """Keras's collection of the metrics that `compile` was given, or None; `model.metrics` mixes them."""
    return model._compile_metrics


def weighted_names(metrics: Any) -> list[str]:
    """Names, in the results of the built `compiled_metrics`, of those that sample weights weigh."""
    plain = sum(len(group.metrics) for group in metrics._flat_metrics if group)
    return list(metrics.result())[plain:]


def set_direction(metric: keras.metrics.Metric, direction: str) -> None:
    """Says whether "up" or "down" is better; Keras's callbacks with mode="auto" ask the attribute."""
    metric._direction = direction


def step_counter(optimizer: keras.Optimizer) -> Any:
    """The variable that counts steps; the public `iterations` counts updates where gradients accumulate."""
    return optimizer._iterations


def variable_position(optimizer: keras.Optimizer, variable: Any) -> int:
    """Which of the optimizer's variables belong to a variable of the model: their place in the lists."""
    return optimizer._get_variable_index(variable)


def keep_for_session(name: str, value: Any) -> None:
    """Holds a reference to a value until `keras.backend.clear_session`, or the end of this thread."""
    set_global_attribute(name, value)


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Within it variables get shapes and no values: after `keras.StatelessScope` the next model sets them."""
    waiting = get_global_attribute("uninitialized_variables")
    set_global_attribute("uninitialized_variables", [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        set_global_attribute("uninitialized_variables", waiting or [])


def has_computed() -> bool:
    """Whether TensorFlow has made its threads; settings of them come too late then."""
    return eager_context.context()._initialized


def find_operation(name: str) -> Any:
    """The definition of one of TensorFlow's operations, a protocol buffer; None if there is none."""
    return op_def_registry.get(name)


def search_gin_files(prefixes: Sequence[str], readers: Sequence[tuple[Callable, Callable]]) -> None:
    """Makes gin look for files in these places only; its public functions add places, and remove none."""
    gin.config._LOCATION_PREFIXES[:] = prefixes
    gin.config._FILE_READERS[:] = readers


def forget_gin_names() -> None:
    """Has gin forget what its files registered, and by which names; `clear_config` forgets bindings only."""
    registry, inverse = gin.config._REGISTRY, gin.config._INVERSE_REGISTRY
    for selector in [selector for selector, known in registry.items() if known.import_source]:
        inverse.pop(registry.pop(selector).wrapped, None)


def gin_bindings() -> dict[tuple[str, str], dict[str, Any]]:
    """What gin has parsed, (scope, selector) -> {argument: value}; public functions give it as text."""
    return gin.config._CONFIG


def gin_used_values() -> dict[tuple[str, str], dict[str, Any]]:
    """What calls have used so far, as `gin_bindings`."""
    return gin.config._OPERATIVE_CONFIG


def gin_configurable(selector: str) -> Any:
    """What gin has registered by a name, with the function or class itself as `wrapped`."""
    return gin.config._REGISTRY[selector]


def gin_values_within(values: Iterable[Any]) -> Iterator[Any]:
    """Yields values and what lists, tuples and dictionaries among them hold, at any depth."""
    return gin.config._iterate_flattened_values(list(values))


class MultiWorkerStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """TensorFlow's strategy for several processes, on chosen devices of each.

    TensorFlow's own takes all GPUs, or exactly one CPU. The processes wait in it for each other.

    Args:
        addresses: host:port of each process.
        index: number of this one.
        devices: names such as "GPU:0" or "CPU:1", all of one kind, as many in each process.
        patience: seconds of silence after which TensorFlow counts a process as gone. Long: one that is
            paused is silent too, and `training.cluster.watch` looks at who is gone.
    """

    def __init__(
        self, addresses: Sequence[str], index: int, devices: Sequence[str], patience: float = 3600.0
    ) -> None:
        job = coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=len(addresses))
        eager_context.context().configure_coordination_service(
            service_type="standalone",
            service_leader="/job:worker/replica:0/task:0",
            heartbeat_timeout_in_ms=int(1000 * patience),
            coordinated_jobs=[job],
        )
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": list(addresses)}),
            task_type="worker",
            task_id=index,
            rpc_layer="grpc",
        )

        class Extended(collective_all_reduce_strategy.CollectiveAllReduceExtended):
            def _initialize_local_devices(self, cluster_resolver, worker_device):
                names = tuple(f"{worker_device}/device:{device}" for device in devices)
                return names, devices[0].split(":")[0]

        options = tf.distribute.experimental.CommunicationOptions()
        tf.distribute.Strategy.__init__(self, Extended(self, resolver, options))


def share_text(key: str, text: str) -> None:
    """Tells all processes of a `MultiWorkerStrategy` a text, once for each key."""
    eager_context.context().set_config_key_value(key, text)


def read_shared_text(key: str, seconds: float) -> str | None:
    """The text that some process shares, or None if none has done so in time."""
    try:
        return eager_context.context().get_config_key_value(key, int(1000 * seconds))
    except (tf.errors.DeadlineExceededError, tf.errors.NotFoundError):
        return None
