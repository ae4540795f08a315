"""SavedModels from anybody: looked through before anything of them runs."""

import pathlib
import re

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfrobust.compat import operation
from tfrobust.errors import UserError, one_line

# Stateful operations whose state is in the memory of the model.
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
# Operations without state that all the same read files, run code or speak to other processes.
_REACHES_OUT = re.compile(
    r".*(File|Dataset|Snapshot|Proto|Vocab|Sharded)\w*|(Reader|PyFunc|Debug|Copy|XlaCustom|XlaLaunch)\w*"
)
# What every SavedModel holds to be written again; `tf.saved_model.load` does not run it.
_SAVING = {"SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"}


def load_saved_model(folder, trust=False):
    """What `tf.saved_model.load` gives, if the graph does nothing but calculate.

    A graph may read and write files, call Python or speak to other machines, some of it as it is loaded.
    Its operations are read from the file first, those of all functions in it too.

    Args:
        folder: with `saved_model.pb`.
        trust: load whatever is in it.

    Raises:
        UserError: it cannot be read, or holds operations that reach out of the model; it names them.
    """
    folder = pathlib.Path(folder)
    content = _read(folder)
    found = {} if trust else foreign_operations(content)
    if found:
        told = ", ".join(f"{name} (in {place})" for name, place in sorted(found.items())[:5])
        raise UserError(
            f"{folder} does more than calculate: {told}. Such operations may touch files, processes, the "
            "network or Python. Give --trust, or `trust=True`, if you know who made it and what they are for."
        )
    try:
        return tf.saved_model.load(str(folder))
    # Whatever a damaged file, or one of another version, makes the loader meet.
    except Exception as error:
        raise UserError(
            f"The SavedModel in {folder} does not load: {one_line(error, 300)}"
        ) from error


def foreign_operations(content):
    """Operations in a SavedModel that reach out of it, and where each is first.

    Allowed are those that only calculate, and those whose state is variables, tables, arrays or random
    generators in memory.

    Args:
        content: the protocol buffer `SavedModel`.

    Returns:
        A dict from an operation's name to the name of a function, or "the graph".
    """
    found = {}
    for graph in content.meta_graphs:
        saving = _saving_functions(graph)
        for place, nodes in _functions(graph):
            for node in nodes:
                may_save = place in saving and node.op in _SAVING
                if not may_save and not _is_harmless(node.op, graph):
                    found.setdefault(node.op, place or "the graph")
    return found


def _read(folder):
    path = folder / "saved_model.pb"
    # The loader would prefer these to the file that is looked through.
    others = [n for n in ("saved_model.cpb", "saved_model.pbtxt") if (folder / n).exists()]
    if others:
        raise UserError(f"{folder} holds {others[0]} beside saved_model.pb: remove one of them.")
    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString(path.read_bytes())
    except Exception as error:  # of protobuf, whose classes are not public
        raise UserError(
            f"{path} cannot be read: {one_line(error, 200)} Export the model again."
        ) from error
    if not content.meta_graphs:
        raise UserError(f"{path} holds no graph. Export the model again.")
    return content


def _functions(graph):
    yield "", graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield function.signature.name, function.node_def


def _is_harmless(name, graph):
    if any(name == function.signature.name for function in graph.graph_def.library.function):
        return True  # a call by the function's own name
    known = operation(name)
    if known is None or name.startswith("_") or _REACHES_OUT.fullmatch(name):
        return False
    return not known.is_stateful or bool(_OWN_STATE.fullmatch(name))


def _saving_functions(graph):
    """Names of functions that only the saver calls, which nobody runs to load or to call a model."""
    if len(graph.object_graph_def.nodes) == 0:
        return set()  # a model of TensorFlow 1, whose saver is run
    saver = {
        tensor.split(":")[0].lstrip("^")
        for tensor in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    }
    calls = {name: _called(nodes) for name, nodes in _functions(graph)}
    by_saver = _called(node for node in graph.graph_def.node if node.name in saver)
    others = _called(node for node in graph.graph_def.node if node.name not in saver)
    others |= set(graph.object_graph_def.concrete_functions)
    return _reached(by_saver, calls) - _reached(others, calls)


def _called(nodes):
    called = set()
    for node in nodes:
        called.add(node.op)
        for value in node.attr.values():
            called.update(f.name for f in [value.func, *value.list.func] if f.name)
    return called


def _reached(names, calls):
    reached, rest = set(), list(names)
    while rest:
        name = rest.pop()
        if name in calls and name not in reached:
            reached.add(name)
            rest += calls[name]
    return reached
