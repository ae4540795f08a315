"""Functions each call of which computes on one core, so that several calls share a processor."""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.compat import has_computed
from tfrobust.errors import UserError

# A setting of TensorFlow: each session, and the rest of the process, has threads of its own. It is read once.
_SETTING = "TF_OVERRIDE_GLOBAL_THREADPOOL"
if not has_computed():
    os.environ.setdefault(_SETTING, "1")
HAS_OWN_THREADS = os.environ.get(_SETTING, "").lower() in ("1", "true")


class SingleThreadFunction:
    """A compiled function of arrays, each call of which computes on one core.

    TensorFlow splits the operations of a `tf.function` among all cores of the machine; for small networks
    that costs more than it gives. There a call for each core, on a part of the rows, takes half of the
    time or less. The graph is traced as usual, and is run by a session whose operations have one
    thread each; calls from several threads run at once. The numbers are the same to the bit.

    Args:
        function: in graph operations, of tensors; it uses no variables but those that it is given.

    Example:
    >>> from tfrobust.evaluation.compiled.single_thread import SingleThreadFunction
    >>> double = SingleThreadFunction(lambda x: {"twice": 2.0 * x})
    >>> double(np.ones(3, "float32"))["twice"].tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(self, function: Callable):
        self._function = tf.function(function, autograph=False)
        self._calls: dict[tuple, tuple[Callable, Any]] = {}
        self._lock = threading.Lock()

    def experimental_get_tracing_count(self) -> int:
        """How often it has been traced, as of a `tf.function`."""
        return len(self._calls)

    def __call__(self, *arguments: Any) -> Any:
        """Computes the function of nested tensors or arrays; returns NumPy arrays in its structure."""
        arrays = [np.asarray(value) for value in tf.nest.flatten(arguments)]
        kind = tuple((array.shape, array.dtype) for array in arrays)
        with self._lock:
            if kind not in self._calls:
                self._calls[kind] = self._trace(arguments)
            call, structure = self._calls[kind]
        return tf.nest.pack_sequence_as(structure, call(*arrays))

    def _trace(self, arguments):
        tensors = tf.nest.map_structure(tf.convert_to_tensor, arguments)
        concrete = self._function.get_concrete_function(*tensors)
        constants = concrete.captured_inputs
        if any(tensor.dtype == tf.resource for tensor in constants):
            raise UserError("A function of one thread cannot read variables that it is not given.")
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(concrete.graph.as_graph_def(), name="")
        # Twice as many threads as calls at once: with as many, they wait for each other.
        threads = 2 * (os.cpu_count() or 1)
        settings = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=threads
        )
        # The thread that calls does all by itself. Where the operations would use the threads of the whole
        # process, because TensorFlow computed before this was imported, pools of each call do it.
        options = tf.compat.v1.RunOptions(inter_op_thread_pool=-1 if HAS_OWN_THREADS else 0)
        options.experimental.use_run_handler_pool = not HAS_OWN_THREADS
        session = tf.compat.v1.Session(graph=graph, config=settings)
        run = session.make_callable(
            [tensor.name for tensor in concrete.outputs],
            [tensor.name for tensor in concrete.inputs],
            accept_options=True,
        )
        constants = [tensor.numpy() for tensor in constants]
        call = lambda *arrays: run(*arrays, *constants, options=options)  # noqa: E731
        return call, concrete.structured_outputs
