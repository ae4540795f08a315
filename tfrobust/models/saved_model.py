"""SavedModels from untrusted sources: their operations are checked before anything runs."""

import os
import pathlib
import re
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfrobust.compat import find_operation
from tfrobust.errors import UserError, one_line

# Stateful operations that keep their state in the memory of the model.
_OWN_STATE = re.compile(
    r"VarHandleOp|ReadVariableOp|Assign(Add|Sub)?VariableOp|VarIsInitializedOp|VariableShape|Variable(V2)?"
    r"|TemporaryVariable|DestroyResourceOp|DisableCopyOnRead|GuaranteeConst|Empty|DeviceIndex"
    r"|Resource(Apply|SparseApply|Gather|Scatter|StridedSlice)\w*"
    r"|StatefulPartitionedCall|If|While|Case|Assert|CheckNumerics(V2)?"
    r"|Random(Uniform|UniformInt|StandardNormal|Shuffle|Gamma|Poisson|PoissonV2|Crop)|Rng\w+"
    r"|Stateful(Uniform|StandardNormal|TruncatedNormal|RandomBinomial)\w*|(Parameterized)?TruncatedNormal"
    r"|Multinomial|NonDeterministicInts|StatelessRandomGetAlg|SampleDistortedBoundingBox(V2)?"
    r"|TensorArray\w*|Stack(Push|Pop|Close)?(V2)?|CudnnRNN\w*"
    r"|LookupTable\w+V2|(Anonymous)?(Mutable)?(Dense)?HashTable\w*|InitializeTableV2"
)
# Operations without state that nevertheless read files, run code or contact other processes.
_REACHES_OUT = re.compile(
    r".*(File|Dataset|Snapshot|Proto|Vocab|Sharded)\w*|(Reader|PyFunc|Debug|Copy|XlaCustom|XlaLaunch)\w*"
)
# Every SavedModel contains these for saving it again; `tf.saved_model.load` does not run them.
_SAVING = {"SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"}


def load_saved_model(folder: str | os.PathLike, trust: bool = False) -> Any:
    """Loads a SavedModel whose graph only computes.

    Use it instead of `tf.saved_model.load` for files that others have made. A graph may read and
    write files, call Python or contact other machines, and some of this happens while it is loaded.
    Here the operations of the graph and of all its functions are read from the file and checked first.

    Args:
        folder: the folder that contains `saved_model.pb`.
        trust: whether to load the model whatever its operations do.

    Returns:
        What `tf.saved_model.load` returns.

    Raises:
        UserError: the model cannot be read, or its graph has operations with effects outside of it;
            the message names them.

    Example:
        >>> module = tf.Module()
        >>> module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([None])])
        >>> tf.saved_model.save(module, "double")
        >>> load_saved_model("double").double([1.0, 2.5]).numpy().tolist()
        [2.0, 5.0]
    """
    folder = pathlib.Path(folder)
    content = _read_content(folder)
    found = {} if trust else find_foreign_operations(content)
    if found:
        told = ", ".join(f"{name} (in {place})" for name, place in sorted(found.items())[:5])
        raise UserError(
            f"The graph of {folder} does more than compute: {told}. Such operations may use files, "
            "processes, the network or Python. Give --trust, or `trust=True`, if you know who "
            "made the model and what they are for."
        )
    try:
        return tf.saved_model.load(str(folder))
    # The loader raises many kinds of errors for damaged files and for those of other versions.
    except Exception as error:
        raise UserError(
            f"The SavedModel in {folder} cannot be loaded: {one_line(error, 300)}"
        ) from error


def find_foreign_operations(content: saved_model_pb2.SavedModel) -> dict[str, str]:
    """Finds the operations of a SavedModel that may have effects outside of it.

    Allowed are operations that only compute, and those whose state is in variables, tables, arrays or
    random generators in memory.

    Args:
        content: the protocol buffer `SavedModel`.

    Returns:
        A dict from the name of an operation to the first place where it occurs: the name of a
        function, or "the graph".
    """
    found: dict[str, str] = {}
    for graph in content.meta_graphs:
        saving = _find_saving_functions(graph)
        for place, nodes in _list_functions(graph):
            for node in nodes:
                may_save = place in saving and node.op in _SAVING
                if not may_save and not _is_harmless(node.op, graph):
                    found.setdefault(node.op, place or "the graph")
    return found


def _read_content(folder):
    path = folder / "saved_model.pb"
    # The loader would read these instead of the file that was checked.
    others = [n for n in ("saved_model.cpb", "saved_model.pbtxt") if (folder / n).exists()]
    if others:
        raise UserError(f"{folder} contains {others[0]} beside saved_model.pb: remove one of them.")
    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's classes of errors are not public
        raise UserError(
            f"{path} cannot be read: {one_line(error, 200)} Export the model again."
        ) from error
    if not content.meta_graphs:
        raise UserError(f"{path} contains no graph. Export the model again.")
    return content


def _list_functions(graph):
    yield "", graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield function.signature.name, function.node_def


def _is_harmless(name, graph):
    if any(name == function.signature.name for function in graph.graph_def.library.function):
        return True  # a call by the name of the function
    known = find_operation(name)
    if known is None or name.startswith("_") or _REACHES_OUT.fullmatch(name):
        return False
    return not known.is_stateful or bool(_OWN_STATE.fullmatch(name))


def _find_saving_functions(graph):
    """Names of functions that only the saver calls: neither loading nor calling a model runs them."""
    if len(graph.object_graph_def.nodes) == 0:
        return set()  # a model of TensorFlow 1, which is loaded by its saver
    saver = {
        tensor.split(":")[0].lstrip("^")
        for tensor in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    }
    calls = {name: _find_calls(nodes) for name, nodes in _list_functions(graph)}
    by_saver = _find_calls(node for node in graph.graph_def.node if node.name in saver)
    others = _find_calls(node for node in graph.graph_def.node if node.name not in saver)
    others |= set(graph.object_graph_def.concrete_functions)
    return _follow_calls(by_saver, calls) - _follow_calls(others, calls)


def _find_calls(nodes):
    called = set()
    for node in nodes:
        called.add(node.op)
        for value in node.attr.values():
            called.update(f.name for f in [value.func, *value.list.func] if f.name)
    return called


def _follow_calls(names, calls):
    reached, rest = set(), list(names)
    while rest:
        name = rest.pop()
        if name in calls and name not in reached:
            reached.add(name)
            rest += calls[name]
    return reached
