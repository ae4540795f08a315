"""Which operations lie between the pixels and the logits, read from the graph without running it."""

import collections
import re
from typing import Any

from tfrobust.compat import CUSTOM_GRADIENT

# Operations that no gradient passes, or that make the model random.
SUSPECTS = {
    **dict.fromkeys(("Round", "Rint", "Floor", "Ceil", "Sign", "FloorDiv", "FloorMod"), "rounding"),
    **dict.fromkeys(("ArgMax", "ArgMin", "OneHot", "Bucketize"), "rounding"),
    **dict.fromkeys(("StopGradient", "PreventGradient"), "stopped gradient"),
    **dict.fromkeys(("PyFunc", "EagerPyFunc", "PyFuncStateless"), "Python code"),
    **dict.fromkeys(("DecodeJpeg", "EncodeJpeg", "DecodePng", "EncodePng"), "image coding"),
}
RANDOM = re.compile(
    r"^(Stateless|Stateful)?(Random|TruncatedNormal|Multinomial)|^Stateful(Uniform|StandardNormal)"
)
FAKE_QUANTISED = re.compile(r"^(FakeQuant|Quantize)")
# A gradient inside the forward pass: the model optimises before it answers.
INNER_GRADIENT = re.compile(r"(Grad|GradV2|BackpropFilter)$")
INTEGERS = {3, 4, 5, 6, 9, 17, 22, 23}
LOW_PRECISION = {14, 19}
# What leaves these does not depend on the values of the pixels.
VALUE_FREE = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}


def scan(concrete: Any) -> dict[str, list[str]]:
    """Suspicious operations on the path from the arguments to the results of a function.

    Args:
        concrete: a concrete function of one argument.

    Returns:
        A dict from what it is ("rounding", "randomness", ...) to a sorted list of operation names;
        "custom gradient" and "low precision" among them, which are not a fault by themselves.

    Example:
    >>> signature = tf.TensorSpec((None, 4))
    >>> scan(tf.function(lambda x: tf.round(3 * x)).get_concrete_function(signature))
    {'rounding': ['Round']}
    """
    graph = concrete.graph.as_graph_def()
    library = {function.signature.name: function for function in graph.library.function}
    sources = {tensor.op.name for tensor in concrete.inputs[:1]}
    sinks = {tensor.op.name for tensor in concrete.outputs}
    found: dict[str, set[str]] = collections.defaultdict(set)
    _walk(graph.node, sources, sinks, library, found, set())
    return {kind: sorted(names) for kind, names in sorted(found.items())}


def _walk(nodes, sources, sinks, library, found, seen):
    nodes = {node.name: node for node in nodes}
    inputs = {name: [_base(i) for i in node.input] for name, node in nodes.items()}
    behind = _reached(sinks, inputs)
    uses = collections.defaultdict(list)
    for name, given in inputs.items():
        if nodes[name].op not in VALUE_FREE:
            for other in given:
                uses[other].append(name)
    ahead = _reached(sources, uses)
    for name in behind & nodes.keys():
        node = nodes[name]
        for kind in _kinds(node, name in ahead):
            if kind != "stopped gradient" or not _harmless(name, nodes, inputs, uses):
                found[kind].add(node.op)
        touched = [other in ahead for other, i in zip(inputs[name], node.input) if i[0] != "^"]
        for function in _called(node, library):
            arguments = [argument.name for argument in function.signature.input_arg]
            # `If` and `Case` have their predicate before the arguments.
            touched_here = touched[len(touched) - len(arguments) :]
            inner = {a for a, hit in zip(arguments, touched_here) if hit}
            key = (function.signature.name, frozenset(inner))
            if key not in seen:
                seen.add(key)
                results = {_base(value) for value in function.ret.values()}
                _walk(function.node_def, inner, results, library, found, seen)


def _kinds(node, on_path):
    if RANDOM.match(node.op):
        yield "randomness"
    if not on_path:
        return
    if node.op in SUSPECTS:
        yield SUSPECTS[node.op]
    if FAKE_QUANTISED.match(node.op) or (node.op == "Cast" and node.attr["DstT"].type in INTEGERS):
        yield "rounding"
    if INNER_GRADIENT.search(node.op):
        yield "inner gradient"
    if CUSTOM_GRADIENT in node.attr:
        yield "custom gradient"
    if any(value.type in LOW_PRECISION for value in node.attr.values()):
        yield "low precision"


def _harmless(name, nodes, inputs, uses):
    """Whether a stopped gradient is that of TensorFlow's own moments or logsumexp, which is exact.

    (x - m)**2 does not change with m at the mean, nor does m + log(sum(exp(x - m))) with any m.
    """
    after = {nodes[user].op for user in uses[name] if user in nodes}
    if after == {"SquaredDifference"}:
        return True
    above = [other for before in inputs[name] for other in inputs.get(before, ())]
    return "Max" in {nodes[other].op for other in above if other in nodes} and "Sub" in after


def _called(node, library):
    for value in node.attr.values():
        for function in (value.func, *value.list.func):
            if function.name in library:
                yield library[function.name]


def _base(reference):
    return reference.lstrip("^").split(":")[0]


def _reached(start, edges):
    """All that is reached from `start`, itself included."""
    reached, left = set(), list(start)
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left.extend(edges.get(name, ()))
    return reached
