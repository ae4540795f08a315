"""A shelf of things that somebody might point a command at, few of them good."""

import json
import shutil
import struct
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfrobust.models import digits_cnn
from tfrobust.serving import export_classifier

REPORT = {
    "method": "ADV",
    "data": "digits",
    "gin_files": ["gin/adv.gin"],
    "threat_model": "Linf(epsilon=0.15)",
    "clean": {"right": 9, "total": 10, "interval": [0.6, 0.98]},
    "robust": {"right": 5, "total": 10, "interval": [0.2, 0.8]},
    "training_seconds": 3.0,
}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder of inputs; nothing may ever be written into it."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "empty").mkdir()
    (folder / "folder.png").mkdir()
    (folder / "folder.npz").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("x")
    (folder / "file").write_text("x")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "dangling").symlink_to(folder / "nowhere")
    _texts(folder)
    _arrays(folder)
    _images(folder)
    keras.utils.set_random_seed(0)
    _keras_files(folder)
    _saved_models(folder)
    return folder


def _texts(folder):
    (folder / "plain.md").write_text("# Results\n")
    marks = "<!-- results: begin -->\n<!-- results: end -->\n"
    (folder / "twice.md").write_text(2 * marks)
    begin, end = "<!-- comparison: begin -->", "<!-- comparison: end -->"
    (folder / "backwards.md").write_text(f"{end}\n{begin}\n")
    reports = {
        "empty": "",
        "binary": b"\xff\xfe\x00",
        "list": "[1, 2]",
        "keys": "{}",
        "zero": json.dumps({**REPORT, "clean": {"right": 0, "total": 0}}),
        "text": json.dumps({**REPORT, "threat_model": 3}),
        "good": json.dumps(REPORT),
    }
    for name, text in reports.items():
        (folder / f"report_{name}").mkdir()
        content = text if isinstance(text, bytes) else text.encode()
        (folder / f"report_{name}" / "report.json").write_bytes(content)
    row = json.dumps({"epoch": 0, "loss": 1.0})
    rows = {
        "binary": b"\xff\xfe\x00",
        "cut": f'{row}\n{{"epoch": 1, "lo',
        "list": "[1, 2]\n",
        "text": '{"epoch": "one"}\n',
        "no_epoch": '{"loss": 1.0}\n',
        "good": row + "\n",
    }
    for name, text in rows.items():
        (folder / f"metrics_{name}").mkdir()
        content = text if isinstance(text, bytes) else text.encode()
        (folder / f"metrics_{name}" / "metrics.jsonl").write_bytes(content)


def _arrays(folder):
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 8, 8, 1), np.float32), np.arange(40) % 10

    def save(name, **changed):
        arrays = {"x_train": x, "y_train": y, "x_test": x[:10], "y_test": y[:10], **changed}
        np.savez(folder / f"{name}.npz", **{k: v for k, v in arrays.items() if v is not None})

    nan = x.copy()
    nan[3, 0, 0, 0] = np.nan
    save("keys", x_train=None, x_test=None, images_train=x)
    save("more", extra=y)
    save("half", x_validation=x[:5])
    save("range", x_train=x * 255, x_test=x[:10] * 255)
    save("nan", x_train=nan)
    save("negative", y_train=y - 1)
    save("floats", y_train=y + 0.5)
    save("one_hot", y_train=np.eye(10)[y])
    save("gap", y_train=np.where(y == 4, 5, y))
    save("single", y_train=np.zeros(40, int), y_test=np.zeros(10, int))
    save("channels_first", x_train=rng.random((40, 3, 8, 8)), x_test=rng.random((10, 3, 8, 8)))
    save("flat", x_train=x[..., 0], x_test=x[:10, ..., 0])
    save("none", x_train=x[:0], y_train=y[:0])
    save("sizes", x_train=rng.random((40, 9, 9, 1)))
    save("fewer", y_train=y[:30])
    save("strings", x_train=x.astype(str))
    save("complex", x_train=x.astype(complex))
    save("classes", y_test=y[:10] + 40)
    np.savez(folder / "pickled.npz", x_train=np.array([{}, {}], object))
    with open(folder / "plain.npz", "wb") as file:
        np.save(file, x)
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.npz").write_text("x_train, y_train\n")
    content = (folder / "range.npz").read_bytes()
    (folder / "cut.npz").write_bytes(content[: len(content) // 2])
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 28, 28, 1), }"
    header = header.ljust(117) + "\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(folder / "claims.npz", "w") as file:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            file.writestr(f"{name}.npy", member)


def _images(folder):
    def save(name, classes, content=None):
        for place, label in enumerate(classes):
            path = folder / name / label
            path.mkdir(parents=True)
            image = Image.new("RGB", (8, 8), (20 * place, 0, 0))
            image.save(path / "a.png")
            if content is not None:
                (path / "a.png").write_bytes(content((path / "a.png").read_bytes()))

    save("images", ["cat", "dog"])
    save("one_class", ["cat"])
    save("text_images", ["cat", "dog"], lambda _: b"no image")
    save("cut_images", ["cat", "dog"], lambda whole: whole[:40])
    save("other_files", ["cat", "dog"])
    (folder / "other_files" / "cat" / "notes.txt").write_text("x")
    save("train_only/train", ["cat", "dog"])
    save("no_images", ["cat", "dog"])
    for path in (folder / "no_images").rglob("*.png"):
        path.unlink()


def _keras_files(folder):
    good = folder / "good.keras"
    digits_cnn(batch_normalization=False).save(good)
    content = bytearray(good.read_bytes())
    (folder / "cut.keras").write_bytes(content[: len(content) // 2])
    with zipfile.ZipFile(good) as file:
        offset = file.getinfo("model.weights.h5").header_offset
    content[offset + 3000 : offset + 3100] = b"\x55" * 100
    (folder / "flipped.keras").write_bytes(content)
    (folder / "text.keras").write_text("x")
    (folder / "empty.keras").write_bytes(b"")
    with zipfile.ZipFile(folder / "zip.keras", "w") as file:
        file.writestr("a.txt", "x")

    def changed(name, change):
        with zipfile.ZipFile(good) as old, zipfile.ZipFile(folder / name, "w") as new:
            for member in old.namelist():
                text = old.read(member)
                new.writestr(member, change(text) if member == "config.json" else text)

    changed("huge.keras", lambda t: t.replace(b'"units": 64', b'"units": 1000000000'))
    changed(
        "foreign.keras",
        lambda t: t.replace(b'"class_name": "Dense"', b'"class_name": "Mine"').replace(
            b'"module": "keras.layers"', b'"module": "mine.layers"'
        ),
    )
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    flat = layers.Flatten()(inputs)
    keras.Model(inputs, layers.Lambda(lambda x: x * 2.0)(layers.Dense(10)(flat))).save(
        folder / "lambda.keras"
    )
    keras.Model(inputs, layers.Dense(1)(flat)).save(folder / "scalar.keras")
    keras.Model(inputs, [layers.Dense(10)(flat), layers.Dense(10)(flat)]).save(
        folder / "two_outputs.keras"
    )
    keras.Model(inputs, layers.Dense(10, activation="softmax")(flat)).save(
        folder / "probabilities.keras"
    )
    large = keras.Input((28, 28, 3))
    keras.Model(large, layers.Dense(10)(layers.Flatten()(large))).save(folder / "other_shape.keras")
    run = folder / "run"
    export_classifier(keras.saving.load_model(good), run / "export")
    (run / "config.gin").write_text(_RUN)
    for name, report in (("compared", {}), ("judged", {**REPORT, "step_seconds": 0.1})):
        other = folder / name / "adv" / "seed_0"
        shutil.copytree(run, other)
        (other / "report.json").write_text(json.dumps(report))
        (other / "autoattack.json").write_text("nonsense")
    for name in ("unfinished", "run_without_export"):
        (folder / name).mkdir()
        (folder / name / "config.gin").write_text(_RUN)
    for name in ("report.md", "report.json"):
        (folder / "run_without_export" / name).write_text("{}")


_RUN = """
from __gin__ import dynamic_registration
from tfrobust import attacks
from tfrobust import data
from tfrobust import threat_models
from tfrobust import training

training.train.data = @data.digits
training.train.test_attack = @attacks.PGD()
attacks.PGD.threat_model = @threat_models.Linf()
threat_models.Linf.epsilon = 0.15
"""


def _saved_models(folder):
    weights = tf.Variable(tf.random.stateless_normal((64, 10), (0, 1)))

    def save(name, batch, function, signature=True):
        module = tf.Module()
        module.weights = weights
        spec = tf.TensorSpec((batch, 8, 8, 1), tf.float32, name="pixels")
        module.call = tf.function(function, input_signature=[spec])
        # Of several functions TensorFlow makes none the signature by itself.
        module.other = tf.function(function, input_signature=[spec])
        signatures = {"pixels": module.call} if signature else None
        tf.saved_model.save(module, str(folder / name), signatures=signatures)

    def logits(x):
        return {"logits": tf.reshape(x, (-1, 64)) @ weights}

    save("saved_no_variables", None, logits)
    shutil.rmtree(folder / "saved_no_variables" / "variables")
    save("saved_scalar", None, lambda x: {"logits": tf.reduce_sum(logits(x)["logits"])})
    save("saved_batch_of_one", 1, logits)
    save("saved_no_signature", None, logits, signature=False)
    save("saved_cut", None, logits)
    content = (folder / "saved_cut" / "saved_model.pb").read_bytes()
    (folder / "saved_cut" / "saved_model.pb").write_bytes(content[: len(content) // 2])
    (folder / "saved_empty").mkdir()
    (folder / "saved_empty" / "saved_model.pb").write_bytes(b"")
