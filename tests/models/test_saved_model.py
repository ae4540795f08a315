"""The operations of a SavedModel are checked before it runs: computing is allowed, the rest is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfrobust.errors import UserError
from tfrobust.models import digits_cnn
from tfrobust.models.saved_model import find_foreign_operations, load_saved_model
from tfrobust.serving import export_classifier

SPEC = tf.TensorSpec((None, 8, 8, 1), tf.float32, name="pixels")


def logits(x):
    return tf.reduce_sum(x, axis=(1, 2))[:, :1] * tf.constant([[1.0, 2.0, 3.0]])


raw = tf.raw_ops


def then(operation, value=0.0):
    """The value, in a graph that has the operation."""
    with tf.control_dependencies([operation] if operation is not None else []):
        return tf.constant(value)


def save(file):
    return raw.SaveV2(prefix=file, tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])


def restore(file):
    return raw.RestoreV2(
        prefix=file, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )


def decode_proto(file):
    names = {"message_type": "a.B", "field_names": [], "output_types": []}
    return raw.DecodeProtoV2(bytes=[b""], descriptor_source=file, **names)[0]


def remap(file):
    files = {"new_vocab_file": file, "old_vocab_file": file}
    return raw.GenerateVocabRemapping(new_vocab_offset=0, num_new_vocab=1, **files).num_present


HOSTILE = {
    "WriteFile": lambda file: then(tf.io.write_file(file, "pwned")),
    "ReadFile": lambda file: then(tf.io.read_file(file)),
    "MatchingFiles": lambda file: then(tf.io.matching_files(file)),
    "EagerPyFunc": lambda file: tf.py_function(lambda: 0.0, [], tf.float32),
    "PyFunc": lambda file: tf.numpy_function(lambda: np.float32(0), [], tf.float32),
    "PrintV2": lambda file: then(tf.print("pwned", output_stream=f"file://{file}")),
    "SaveV2": lambda file: then(save(file)),
    "RestoreV2": lambda file: restore(file)[0],
    "TFRecordDataset": lambda file: tf.data.TFRecordDataset(file).reduce(0.0, lambda a, b: a),
    "DecodeProtoV2": lambda file: then(decode_proto(file)),
    "GenerateVocabRemapping": lambda file: then(remap(file)),
}


def saved(folder, term, nested=False):
    """A SavedModel whose logits have a term added; on request three functions deep, in a branch."""
    module = tf.Module()
    module.scale = tf.Variable(1.0)

    def deep(x):
        inner = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > -1, lambda: term(x), lambda: 0.0))
        return tf.function(lambda x: inner(x))(x)

    @tf.function(input_signature=[SPEC])
    def pixels(x):
        return {"logits": module.scale * logits(x) + (deep(x) if nested else term(x))}

    module.pixels = pixels
    tf.saved_model.save(module, str(folder), signatures={"pixels": pixels})
    return folder


@pytest.mark.parametrize("name", HOSTILE)
def test_operations_with_outside_effects_are_named_and_not_run(tmp_path, name):
    victim = tmp_path / "victim"
    folder = saved(tmp_path / "m", lambda x: HOSTILE[name](str(victim)), nested=name == "WriteFile")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=rf"does more than compute: .*{name} \(in .*--trust"):
        load_saved_model(folder)
    assert sorted(tmp_path.iterdir()) == before
    if name == "WriteFile":
        x = tf.zeros((1, 8, 8, 1))
        load_saved_model(folder, trust=True).signatures["pixels"](pixels=x)
        assert victim.read_text() == "pwned"


def test_a_table_that_a_file_fills_is_seen_before_it_is_filled(tmp_path):
    (tmp_path / "words").write_text("a\nb\n")
    index, module = tf.lookup.TextFileIndex, tf.Module()
    columns = (tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    words = tf.lookup.TextFileInitializer(str(tmp_path / "words"), *columns)
    module.table = tf.lookup.StaticHashTable(words, -1)
    signature = [tf.TensorSpec((None,), tf.string)]
    module.call = tf.function(lambda x: module.table.lookup(x), input_signature=signature)
    tf.saved_model.save(module, str(tmp_path / "m"))
    with pytest.raises(UserError, match="InitializeTableFromTextFileV2"):
        load_saved_model(tmp_path / "m")


def content(folder):
    result = saved_model_pb2.SavedModel()
    result.ParseFromString((folder / "saved_model.pb").read_bytes())
    return result


def test_the_saver_may_save_and_nothing_else_may_in_its_name(tmp_path):
    folder = saved(tmp_path / "m", lambda x: 0.0)
    honest = content(folder)
    assert find_foreign_operations(honest) == {}
    (graph,) = honest.meta_graphs
    saving = [
        function
        for function in graph.graph_def.library.function
        if any(node.op in ("SaveV2", "RestoreV2") for node in function.node_def)
    ]
    assert len(saving) == 2
    # The loader would run it as a function of the model.
    for function in saving:
        other = saved_model_pb2.SavedModel.FromString(honest.SerializeToString())
        other.meta_graphs[0].object_graph_def.concrete_functions[
            function.signature.name
        ].SetInParent()
        assert set(find_foreign_operations(other)) & {"SaveV2", "RestoreV2"}
    # A model of TensorFlow 1, whose loader runs the saver.
    other = saved_model_pb2.SavedModel.FromString(honest.SerializeToString())
    other.meta_graphs[0].ClearField("object_graph_def")
    assert {"SaveV2", "RestoreV2"} <= set(find_foreign_operations(other))
    # Any other operation in the saver's functions.
    other = saved_model_pb2.SavedModel.FromString(honest.SerializeToString())
    for function in other.meta_graphs[0].graph_def.library.function:
        if function.signature.name == saving[0].signature.name:
            function.node_def.add(name="more", op="WriteFile")
    assert set(find_foreign_operations(other)) == {"WriteFile"}
    other.meta_graphs[0].graph_def.node.add(name="more", op="NoSuchOperation")
    assert find_foreign_operations(other)["NoSuchOperation"] == "the graph"


def rich():
    """Layers of many kinds, with random numbers, loops and state."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.RandomFlip()(inputs)
    x = keras.layers.GaussianNoise(0.1)(x)
    x = keras.layers.SeparableConv2D(4, 3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 3))(x)
    x = keras.layers.Resizing(4, 4)(x)
    x = keras.layers.LayerNormalization()(keras.layers.Reshape((16, 4))(x))
    x = keras.layers.MultiHeadAttention(2, 2)(x, x)
    x = keras.layers.LSTM(4)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x)))


@pytest.mark.parametrize("make", [digits_cnn, rich])
def test_models_that_only_compute_need_no_trust(tmp_path, make):
    model = make()
    export_classifier(model, tmp_path / "export")
    loaded = load_saved_model(tmp_path / "export" / "1")
    x = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(
        loaded.signatures["pixels"](pixels=x)["logits"], model(x, training=False), atol=1e-5
    )


def test_random_numbers_and_tables_in_memory_need_no_trust(tmp_path):
    def term(x):
        keys = tf.constant([0, 1], tf.int64)
        table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, -1.0, -1, -2)
        table.insert(keys, [1.0, 2.0])
        array = tf.TensorArray(tf.float32, 2).write(0, tf.random.normal(())).write(1, 0.0)
        return tf.reduce_sum(table.lookup(keys)) + array.read(0) + tf.random.uniform(())

    load_saved_model(saved(tmp_path / "m", term))


@pytest.mark.parametrize("text", [b"", b"\x00\xff" * 50, b"no graph"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "saved_model.pb").write_bytes(text)
    with pytest.raises(UserError, match="saved_model.pb (cannot be read|contains no graph)"):
        load_saved_model(tmp_path)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_a_second_graph_beside_the_checked_one_is_refused(tmp_path, name):
    folder = saved(tmp_path / "m", lambda x: 0.0)
    (folder / name).touch()
    with pytest.raises(UserError, match=f"{name} beside saved_model.pb"):
        load_saved_model(folder)
