"""A name for what a graph computes, whatever its operations and functions are called."""

import hashlib
from typing import Any

from tfrobust.compat import CUSTOM_GRADIENT, find_operation

# What TensorFlow counts as stateful, and does nothing but read or call.
_HARMLESS = {
    "If",
    "Placeholder",
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "StatefulPartitionedCall",
    "While",
}
# They call Python, whatever TensorFlow says of their state.
_PYTHON = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}
# Names of places and of arguments, which differ from one trace to the next.
_NAMES = ("_class", "_user_specified_name", "_output_shapes", "_inline_disabled")


def find_effects(graph: Any) -> set[str]:
    """The kinds of operations in a graph, at any depth, that do more than calculate and read variables.

    Random numbers with a state, Python functions, lookup tables, and assignments are among them.

    Args:
        graph: of a concrete function.
    """
    content = graph.as_graph_def()
    nodes = [*content.node, *(n for f in content.library.function for n in f.node_def)]
    kinds = {node.op for node in nodes}
    called = {function.signature.name for function in content.library.function}
    return {kind for kind in kinds - called - _HARMLESS if _has_effect(kind)}


def _has_effect(kind):
    definition = find_operation(kind)
    return kind in _PYTHON or definition is None or definition.is_stateful


def has_custom_gradients(graph: Any) -> bool:
    """Whether an operation of the graph has a gradient that is written in Python, which no graph shows."""
    content = graph.as_graph_def()
    nodes = [*content.node, *(n for f in content.library.function for n in f.node_def)]
    return any(CUSTOM_GRADIENT in node.attr for node in nodes)


def digest_graph(concrete: Any) -> str:
    """A hash of a concrete function's operations, constants and connections, without their names.

    Two functions of one hash compute the same from the same arguments; gradients that are written in Python
    are not looked at, see `has_custom_gradients`.

    Args:
        concrete: a concrete function.

    Example:
    >>> from tfrobust.evaluation.compiled.digest import digest_graph
    >>> spec = tf.TensorSpec([None])
    >>> one, two, three = (
    ...     tf.function(f).get_concrete_function(spec)
    ...     for f in (lambda x: 2 * x, lambda image: 2 * image, lambda x: 3 * x))
    >>> digest_graph(one) == digest_graph(two), digest_graph(one) == digest_graph(three)
    (True, False)
    """
    content = concrete.graph.as_graph_def()
    library = _Library(content.library.function)
    inputs = [tensor.op.name for tensor in concrete.inputs]
    places = {name: f"argument {number}" for number, name in enumerate(inputs)}
    outputs = [tensor.name.removesuffix(":0") for tensor in concrete.outputs]
    return library.hash_body(content.node, places, outputs)


class _Library:
    def __init__(self, functions):
        self._functions = {function.signature.name: function for function in functions}
        self._hashes: dict[str, str] = {}

    def hash_body(self, nodes, places, outputs):
        """The hash of some nodes; `places` names what they are given."""
        places, lines = dict(places), []
        for node in nodes:
            places.setdefault(node.name, str(len(places)))
        for node in nodes:
            inputs = [_rename(name, places) for name in node.input]
            attributes = [
                f"{name}={self._describe(node.attr[name])}"
                for name in sorted(node.attr)
                if name not in _NAMES and name != CUSTOM_GRADIENT
            ]
            kind = self._hash(node.op) if node.op in self._functions else node.op
            lines.append(f"{places[node.name]} {kind} {inputs} {node.device} {attributes}")
        lines.append(str([_rename(name, places) for name in outputs]))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _describe(self, value):
        if value.HasField("func"):
            return self._hash(value.func.name)
        if value.HasField("list") and value.list.func:
            return str([self._hash(function.name) for function in value.list.func])
        return hashlib.sha256(value.SerializeToString(deterministic=True)).hexdigest()

    def _hash(self, name):
        if name not in self._functions:
            return name
        if name not in self._hashes:
            function = self._functions[name]
            arguments = function.signature.input_arg
            places = {a.name: f"argument {number}" for number, a in enumerate(arguments)}
            outputs = [function.ret[result.name] for result in function.signature.output_arg]
            outputs += sorted(function.control_ret.values())
            compiled = "_XlaMustCompile" in function.attr and function.attr["_XlaMustCompile"].b
            self._hashes[name] = f"{self.hash_body(function.node_def, places, outputs)} {compiled}"
        return self._hashes[name]


def _rename(name, places):
    """An input such as "^node", "node:1" or "node:y:1" with the node's place for its name."""
    control, name = name.startswith("^"), name.removeprefix("^")
    node, _, rest = name.partition(":")
    return f"{'^' if control else ''}{places.get(node, node)}:{rest}"
