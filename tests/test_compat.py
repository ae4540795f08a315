"""Each private name that tfrobust/compat.py has does what it says there, and no other file has one."""

import ast
import contextlib
import gc
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import pkgutil
import platform
import runpy
import subprocess
import sys
import weakref

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import compat

PACKAGE = pathlib.Path(tfrobust.__file__).parent


@contextlib.contextmanager
def needs(library, name, function):
    """Whatever fails inside fails with a sentence that says which library moved which name."""
    try:
        yield
    except Exception as error:
        version = importlib.metadata.version(library)
        pytest.fail(
            f"{library} {version} no longer has `{name}` as tfrobust uses it. Mend "
            f"tfrobust.compat.{function}, or bound the version in setup.cfg. {type(error).__name__}: {error}",
            pytrace=False,
        )


@pytest.fixture(scope="module")
def nested():
    inner = keras.Sequential(
        [keras.Input((4,), name="inside"), keras.layers.Dense(3, name="deep")], name="inner"
    )
    x = keras.Input((4,), name="pixels")
    return keras.Model(x, keras.layers.Dropout(0.5, name="drop")(inner(x)), name="outer")


def equal(found, expected):
    if found != expected:
        raise ValueError(f"Expected {expected}, found {found}.")


def test_flatten_layers(nested):
    with needs("keras", "Layer._flatten_layers", "all_layers"):
        names = {layer.name for layer in compat.all_layers(nested)}
        equal(names, {"outer", "pixels", "inner", "deep", "drop", "inside"})
        without = {layer.name for layer in compat.all_layers(nested, include_self=False)}
        equal(without, names - {"outer"})


def test_keras_history_and_inbound_nodes(nested):
    with needs("keras", "KerasTensor._keras_history", "origin"):
        operation, (tensor,) = compat.find_origin(nested.outputs[0])
        equal(operation.name, "drop")
        equal(compat.find_origin(tensor)[0].name, "inner")


def test_functional(nested):
    class Own(compat.Functional):
        def call(self, inputs, training=None):
            return inputs

    with needs("keras", "keras.src.models.functional.Functional", "Functional"):
        equal(isinstance(nested, compat.Functional), True)
        equal(type(nested).call is compat.Functional.call, True)
        equal(Own.call is compat.Functional.call, False)


def test_seed_generators(nested):
    with needs("keras", "Layer._seed_generators", "seed_states"):
        drawing = [x.name for x in compat.all_layers(nested) if compat.seed_states(x)]
        equal(drawing, ["drop"])


def test_build_at_init():
    with needs("keras", "Layer._build_at_init", "build_now"):
        layer = keras.layers.Layer()
        equal(layer.built, False)
        compat.build_now(layer)
        equal(layer.built, True)


def test_symbolic_build_makes_variables_and_metrics():
    with needs("keras", "Trainer._symbolic_build", "build_on_batch"):
        model = keras.Sequential([keras.layers.Dense(3)])
        model.compile("sgd", "mse", metrics=["mae"])
        compat.build_on_batch(model, (np.zeros((2, 4), "float32"), np.zeros((2, 3), "float32")))
        equal(model.built, True)
        equal(compat.compiled_metrics(model).built, True)


def test_compile_metrics_and_weighted_names():
    with needs("keras", "Trainer._compile_metrics", "compiled_metrics"):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        equal(compat.compiled_metrics(model), None)
        model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
        metrics = compat.compiled_metrics(model)
        metrics.build(np.zeros((2, 3), "float32"), np.zeros((2, 3), "float32"))
    with needs("keras", "CompileMetrics._flat_metrics", "weighted_names"):
        equal(list(metrics.result()), ["mae", "mse"])
        equal(compat.weighted_names(metrics), ["mse"])


def test_keras_makes_a_dataset_of_arrays():
    function = "array_data_adapter and compat.array_slicing"
    x, y = np.arange(10.0), np.arange(10)
    arrays, slicing = compat.array_data_adapter, compat.array_slicing
    with needs("keras", "ArrayDataAdapter", function):
        equal(arrays.can_convert_arrays((x, y, None)), True)
        equal(
            arrays.can_convert_arrays((tf.data.Dataset.range(3), None, None)),
            False,
        )
        (kept, *_), (held, *_) = slicing.train_validation_split((x, y, None), validation_split=0.2)
        equal((len(kept), len(held)), (8, 2))
        adapter = arrays.ArrayDataAdapter(x, y, None, 4, None, False, {n: n for n in range(10)})
        equal(adapter.num_batches, 3)
        batches = list(adapter.get_tf_dataset().as_numpy_iterator())
        equal([len(x) for x, *_ in batches], [4, 4, 2])
        np.testing.assert_array_equal(np.concatenate([w for *_, w in batches]), x)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_callbacks_find_a_metrics_direction(direction):
    class Means(compat.MetricsList):
        pass

    with needs("keras", "Metric._direction in a MetricsList", "set_direction"):
        metric = keras.metrics.Mean(name="quality")
        compat.set_direction(metric, direction)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile("sgd", "mse")
        model.means = Means([metric], "means")
        stop = keras.callbacks.EarlyStopping(monitor="val_quality", mode="auto")
        stop.set_model(model)
        stop._set_monitor_op()
        better = 1.0 if direction == "up" else -1.0
        equal(bool(stop.monitor_op(better, 0.0)), True)


def test_seed_states():
    with needs("keras", "Layer._seed_generators", "seed_states"):
        (state,) = compat.seed_states(keras.layers.Dropout(0.5, seed=3))
        equal(int(state.value[0]), 3)
        equal(compat.seed_states(keras.layers.Dense(1)), [])


def test_iterations_counts_steps():
    with needs("keras", "Optimizer._iterations", "step_counter"):
        weight = keras.Variable(1.0)
        optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
        optimizer.build([weight])
        for _ in range(3):
            optimizer.apply_gradients([(tf.constant(1.0), weight)])
        equal(int(compat.step_counter(optimizer)), 3)
        equal(int(optimizer.iterations), 1)


def test_variable_index():
    with needs("keras", "Optimizer._get_variable_index", "variable_position"):
        weights = [keras.Variable(1.0), keras.Variable(2.0)]
        optimizer = keras.optimizers.SGD()
        optimizer.build(weights)
        equal([compat.variable_position(optimizer, w) for w in weights], [0, 1])


def test_record_operation_has_the_derivative_that_it_is_given():
    def tripled(x):
        with compat.stop_recording():
            y = 5.0 * x
        compat.record_operation("Tripled", [y], [x], lambda gradient: [3.0 * gradient])
        return y

    with needs("tensorflow", "eager.record.record_operation", "record_operation"):
        x = tf.constant(2.0)
        with (
            tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as ahead,
            tf.GradientTape() as tape,
        ):
            tape.watch(x)
            y = tripled(x)
        equal(float(y), 10.0)
        equal(float(tape.gradient(y, x)), 3.0)
        equal(float(ahead.jvp(y)), 3.0)


def test_op_def_registry():
    with needs("tensorflow", "op_def_registry.get", "find_operation"):
        equal(compat.find_operation("ReadFile").is_stateful, False)
        equal(compat.find_operation("RandomUniform").is_stateful, True)
        equal(compat.find_operation("NoSuchOperation"), None)


@pytest.mark.parametrize("asked", [True, False])
def test_is_mkl_enabled(asked):
    # TensorFlow asks the environment once, and other processors may have no oneDNN at all.
    code = "from tfrobust import compat; print(compat.onednn_is_on())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ
        | {"TF_ENABLE_ONEDNN_OPTS": str(int(asked)), "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    with needs("tensorflow", "_pywrap_util_port.IsMklEnabled", "onednn_is_on"):
        equal(told.stdout.strip(), str(asked and platform.machine() == "x86_64"))


def test_the_mark_of_a_gradient_by_hand():
    @tf.custom_gradient
    def own(x):
        return tf.sin(x), lambda gradient: gradient

    with needs("tensorflow", compat.CUSTOM_GRADIENT, "CUSTOM_GRADIENT"):
        graph = tf.function(own).get_concrete_function(tf.TensorSpec([])).graph.as_graph_def()
        equal(any(compat.CUSTOM_GRADIENT in node.attr for node in graph.node), True)
        graph = tf.function(tf.sin).get_concrete_function(tf.TensorSpec([])).graph.as_graph_def()
        equal(any(compat.CUSTOM_GRADIENT in node.attr for node in graph.node), False)


@pytest.fixture
def clean_gin():
    places = list(gin.config._LOCATION_PREFIXES), list(gin.config._FILE_READERS)
    gin.clear_config()
    yield
    gin.clear_config()
    compat.search_gin_files(*places)


def add_numbers(a=1, b=2):
    return a + b


def test_gin_looks_for_files_where_it_is_told(tmp_path, clean_gin):
    (tmp_path / "one.gin").write_text("NUMBER = 3\n")
    with needs("gin-config", "gin.config._LOCATION_PREFIXES and _FILE_READERS", "search_gin_files"):
        compat.search_gin_files([str(tmp_path)], [(open, lambda path: path.endswith("one.gin"))])
        gin.parse_config_file("one.gin")
        equal(gin.query_parameter("NUMBER/gin.macro.value"), 3)
        compat.search_gin_files([str(tmp_path)], [(open, lambda path: False)])
        with pytest.raises(OSError, match="one"):
            gin.parse_config_file("one.gin")


def test_gin_knows_what_is_bound_and_what_was_used(clean_gin):
    with needs("gin-config", "gin.config._CONFIG, _OPERATIVE_CONFIG, _REGISTRY", "gin_bindings"):
        made = gin.external_configurable(add_numbers, module="compat_test")
        gin.parse_config(
            "compat_test.add_numbers.a = 5\nTHREE = [3, (@compat_test.add_numbers, 4)]"
        )
        key = ("", "compat_test.add_numbers")
        equal(compat.gin_bindings()[key], {"a": 5})
        equal(key in compat.gin_used_values(), False)
        equal(made(), 7)
        equal(compat.gin_used_values()[key], {"a": 5, "b": 2})
        equal(compat.gin_configurable(key[1]).wrapped is add_numbers, True)
    with needs("gin-config", "gin.config._iterate_flattened_values", "gin_values_within"):
        (values,) = compat.gin_bindings()["THREE", "gin.macro"].values()
        inside = list(compat.gin_values_within([values]))
        references = [v for v in inside if isinstance(v, gin.config.ConfigurableReference)]
        equal([r.config_key for r in references], [key])
        equal({3, 4} <= {v for v in inside if isinstance(v, int)}, True)


def test_gin_forgets_what_its_files_registered(clean_gin):
    gin.external_configurable(add_numbers, module="compat_kept")
    with needs("gin-config", "gin.config._REGISTRY, _INVERSE_REGISTRY", "forget_gin_names"):
        for room in ("training", "ops.schedules", "training"):
            package, _, name = f"tfrobust.{room}".rpartition(".")
            gin.clear_config()
            compat.forget_gin_names()
            gin.parse_config(
                f"from __gin__ import dynamic_registration\nfrom {package} import {name}\n"
                f"{name}.Steps.values = (1.0, 0.1)"
            )
            equal(f"\n{name}.Steps.values = " in gin.config_str(), True)
        equal(compat.gin_configurable("compat_kept.add_numbers").wrapped is add_numbers, True)


def test_gin_parses_through_its_own_public_functions(tmp_path, clean_gin, monkeypatch):
    calls = []

    def noted(name):
        former = getattr(gin.config, name)
        return lambda *args, **kwargs: (calls.append(name), former(*args, **kwargs))[1]

    (tmp_path / "inner.gin").write_text("A = 1\n")
    (tmp_path / "outer.gin").write_text(f"include '{tmp_path / 'inner.gin'}'\n")
    with needs("gin-config", "gin.config.bind_parameter", "gin_bindings (config/overrides.py)"):
        for name in ("bind_parameter", "parse_config_file"):
            monkeypatch.setattr(gin.config, name, noted(name))
        gin.config.parse_config_file(str(tmp_path / "outer.gin"))
        equal(calls, ["parse_config_file", "parse_config_file", "bind_parameter"])


def test_keras_calls_the_hooks_that_are_overridden():
    calls = []

    class Model(keras.Sequential):
        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            calls.append(iterator is not None)
            return super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

        def _flatten_metrics_in_order(self, logs):
            calls.append(sorted(logs))
            return super()._flatten_metrics_in_order(logs)

    with needs("keras", "the hooks of compat.OVERRIDDEN", "OVERRIDDEN"):
        model = Model([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        x, y = np.zeros((2, 2), "float32"), np.zeros((2, 1), "float32")
        model.fit(x, y, verbose=0)
        equal(calls, [True])
        model.train_on_batch(x, y)
        equal(calls, [True, False, ["loss"]])


def test_session_state():
    with needs("keras", "global_state.set_global_attribute", "keep_for_session"):
        value = type("Value", (), {})()
        gone = weakref.ref(value)
        compat.keep_for_session("tfrobust_test", value)
        del value
        equal(gone() is None, False)
        keras.backend.clear_session()
        gc.collect()
        equal(gone(), None)


def test_a_strategy_of_several_processes():
    """What it does is tested by the processes of tests/methods/test_workers.py."""
    with needs("tensorflow", "CollectiveAllReduceExtended", "MultiWorkerStrategy"):
        kind = compat.collective_all_reduce_strategy.CollectiveAllReduceExtended
        hook = kind._initialize_local_devices
        equal(
            list(inspect.signature(hook).parameters), ["self", "cluster_resolver", "worker_device"]
        )
        kind = tf.distribute.MultiWorkerMirroredStrategy
        equal(issubclass(compat.MultiWorkerStrategy, kind), True)
        equal(compat.MultiWorkerStrategy.cluster_resolver is kind.cluster_resolver, True)
    with needs(
        "tensorflow",
        "Context.set_config_key_value",
        "compat.share_text and compat.read_shared_text",
    ):
        context = compat.eager_context.context()
        equal(list(inspect.signature(context.set_config_key_value).parameters), ["key", "value"])
        parameters = list(inspect.signature(context.get_config_key_value).parameters)
        equal(parameters, ["key", "timeout_in_ms"])


def test_whether_tensorflow_has_computed():
    with needs("tensorflow", "Context._initialized", "has_computed"):
        tf.ones(1)
        equal(compat.has_computed(), True)
        source = "import sys; from tfrobust import compat; sys.exit(compat.has_computed())"
        equal(subprocess.run([sys.executable, "-c", source], cwd=PACKAGE.parent).returncode, 0)


def test_what_has_only_shapes_waits_for_no_values():
    with needs("keras", "uninitialized_variables", "shapes_only"):
        with keras.StatelessScope(initialize_variables=False):
            outside = keras.layers.Dense(2)
            outside.build((None, 3))
            with compat.shapes_only():
                inside = keras.layers.Dense(2)
                inside.build((None, 3))
        equal(inside.kernel.shape, (3, 2))
        # Whoever leaves a scope next gives values to what waits.
        with keras.StatelessScope():
            pass
        equal([inside.kernel._value is None, outside.kernel._value is None], [True, False])


def test_every_function_of_compat_has_a_test():
    source = pathlib.Path(__file__).read_text()
    names = [n for n in compat.__all__ if f"compat.{n}" not in source]
    assert names == []


MOVED = ["keras.src.models.functional", "keras.src.trainers.compile_utils"]
MOVED += ["keras.src.trainers.data_adapters.array_data_adapter"]
MOVED += ["keras.src.trainers.data_adapters.array_slicing"]
MOVED += ["tensorflow.python.eager.record", "tensorflow.python.framework.op_def_registry"]
MOVED += ["tensorflow.python.util._pywrap_util_port"]
MOVED += ["tensorflow.python.distribute.collective_all_reduce_strategy"]
MOVED += ["tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2"]


@pytest.mark.parametrize("module", MOVED)
def test_an_import_that_was_moved_is_told(module, monkeypatch):
    parent, _, name = module.rpartition(".")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr(importlib.import_module(parent), name, raising=False)
    with pytest.raises(ImportError, match="does not work with TensorFlow .* and Keras"):
        runpy.run_path(compat.__file__)


# Private names elsewhere.


def names_defined(trees):
    """All names that the package gives to something itself."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                # An attribute of something else is that something's own.
                if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                    yield node.attr
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "object.__setattr__":
                # As frozen dataclasses do it.
                yield getattr(node.args[1], "value", None)
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "self.__dict__":
                yield getattr(node.slice, "value", None)


# Methods of named tuples, public by Python's own documentation.
PUBLIC = {"_replace", "_asdict", "_fields"}


def is_private(name):
    dunder = name.startswith("__") and name.endswith("__")
    return name.startswith("_") and not dunder and name not in PUBLIC


def foreign_names(tree, own):
    """Private names of others that a module uses, with their lines."""
    for node in ast.walk(tree):
        # Python documents this one.
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os._exit":
            continue
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "getattr",
            "hasattr",
            "setattr",
        ):
            name = getattr(node.args[1], "value", "")
            if isinstance(name, str) and is_private(name) and name not in own:
                yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            named = [f"{module}.{a.name}".strip(".") for a in node.names]
            for name in named:
                inside = ("keras.src", "tensorflow.python", "gin.config._")
                root = name.split(".")[0]
                private = any(map(is_private, name.split("."))) and root in (
                    "keras",
                    "tensorflow",
                    "gin",
                )
                if name.startswith(inside) or private:
                    yield f"line {node.lineno}: import of {name}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("keras.src", "tf.python"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_no_other_file_uses_a_private_name():
    trees = {p: ast.parse(p.read_text()) for p in sorted(PACKAGE.rglob("*.py"))}
    own = set(names_defined(trees.values())) - set(compat.OVERRIDDEN)
    found = {}
    for path, tree in trees.items():
        names = list(foreign_names(tree, own))
        if names and path.name != "compat.py":
            found[str(path.relative_to(PACKAGE))] = names
    assert found == {}, "let tfrobust/compat.py do this, with a reason and a test"


@pytest.mark.parametrize(
    "source",
    [
        "model._flatten_layers()",
        "self._compile_metrics",
        "metric._direction = 'up'",
        "getattr(layer, '_seed_generators', ())",
        "gin.config._CONFIG",
        "from keras.src import models",
        "import tensorflow.python.eager",
        "from gin.config import _CONFIG",
        "x = keras.src.models",
    ],
)
def test_a_private_name_is_found(source):
    tree = ast.parse(source)
    assert list(foreign_names(tree, set(names_defined([tree]))))


@pytest.mark.parametrize("source", ["self._own = 1\nself._own", "case._replace(a=1)", "x.__doc__"])
def test_names_of_ones_own_are_allowed(source):
    tree = ast.parse(source)
    assert list(foreign_names(tree, set(names_defined([tree])))) == []


def package_classes():
    for info in pkgutil.walk_packages(tfrobust.__path__, "tfrobust."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == info.name:
                yield f"{info.name}.{name}", value


def test_private_hooks_are_listed():
    """What a class of ours defines and a class of theirs has too, by accident or on purpose."""
    found = set()
    for _, ours in package_classes():
        theirs = [
            base
            for base in ours.__mro__
            if base.__module__.split(".")[0] in ("keras", "tensorflow")
        ]
        mine = [base for base in ours.__mro__ if base.__module__.startswith("tfrobust.")]
        for base in mine:
            for name in filter(is_private, vars(base)):
                if any(name in vars(other) for other in theirs):
                    found.add(name)
    assert found == set(compat.OVERRIDDEN)
