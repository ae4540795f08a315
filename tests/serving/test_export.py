import json
import os
import shutil
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import models
from tfrobust.benchmarks.exports import measure_exports
from tfrobust.errors import UserError
from tfrobust.evaluation import Subject
from tfrobust.runs.exported import find_classifier, find_saved_model, list_versions
from tfrobust.serving import export_classifier

SHAPE = (6, 5, 2)
NAMES = ["naught", "one", "zwölf"]

# Run where `import tfrobust` fails; loads every folder named on the command line.
LOADER = """
    import json, sys
    import numpy as np

    class Refuse:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "tfrobust":
                raise ImportError("tfrobust is not here")

    sys.meta_path.insert(0, Refuse())
    import keras
    import tensorflow as tf

    for folder in sys.argv[1:]:
        images = np.load(folder + "/../images.npy")
        pixels = images.astype("float32") / 255
        loaded = tf.saved_model.load(folder + "/1")
        found = {}
        for n in (0, 1, 7):
            found[f"served{n}"] = loaded.signatures["serving_default"](images=tf.constant(images[:n]))
        found["pixels"] = loaded.signatures["pixels"](pixels=tf.constant(pixels))
        x = tf.constant(pixels)
        for name, call in (
            ("gradient", lambda x: loaded.signatures["pixels"](pixels=x)["logits"]),
            ("gradient2", lambda x: loaded.pixels(x)["logits"]),
        ):
            with tf.GradientTape() as tape:
                tape.watch(x)
                logits = call(x)
            found[name] = {"x": tape.gradient(logits, x)}
        if "own_code" not in folder:
            model = keras.saving.load_model(folder + "/classifier.keras")
            found["keras"] = {"logits": model(pixels, training=False)}
        flat = {f"{a}/{b}": np.asarray(v) for a, d in found.items() for b, v in d.items()}
        np.savez(folder + "/../found.npz", **{k: v for k, v in flat.items() if v.dtype != object})
        names = [n.decode() for n in found["served7"]["class_name"].numpy()]
        json.dump(names, open(folder + "/../names.json", "w"))
    print("refused:", not any(m.split(".")[0] == "tfrobust" for m in sys.modules))
"""


@keras.saving.register_keras_serializable("tests")
class OwnCode(keras.Model):
    def __init__(self):
        super().__init__()
        self.normalise = models.BatchNormalization()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(3)

    def call(self, x, training=False):
        return self.dense(self.flatten(self.normalise(x, training=training)))


def functional(shape=SHAPE, dtype=None):
    x = inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, dtype=dtype)(x)
    x = models.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def nested():
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, keras.layers.Activation("linear")(functional()(inputs)))


def sequential():
    layers = [keras.Input(SHAPE), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(3)])


def own_code():
    model = OwnCode()
    model(np.zeros((1, *SHAPE), np.float32))
    return model


def replicas():
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        return functional()


MAKERS = {
    "functional": functional,
    "any_size": lambda: functional((None, None, 2)),
    "low_precision": lambda: functional(dtype="mixed_bfloat16"),
    "nested": nested,
    "sequential": sequential,
    "own_code": own_code,
    "replicas": replicas,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports every model, loads them all in one fresh process, returns model and what that found."""
    root = tmp_path_factory.mktemp("exported")
    rng = np.random.default_rng(0)
    made = {}
    for name, make in MAKERS.items():
        model = make()
        for variable in model.weights:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        images = rng.integers(0, 256, (7, *SHAPE), dtype=np.uint8)
        (root / name).mkdir()
        np.save(root / name / "images.npy", images)
        folder = export_classifier(
            model,
            root / name / f"{name}_export",
            class_names=NAMES if name != "sequential" else None,
            image_shape=SHAPE if name == "own_code" else None,
        )
        made[name] = (model, images, folder)
    folders = [str(folder) for _, _, folder in made.values()]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOADER), *folders],
        capture_output=True,
        text=True,
        # oneDNN's convolution of an empty batch, which the loader tries too, gives a wrong shape.
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("refused: True")
    return {
        name: (model, images, folder, dict(np.load(folder.parent / "found.npz")))
        for name, (model, images, folder) in made.items()
    }


@pytest.mark.parametrize("name", MAKERS)
def test_a_process_without_tfrobust_gets_the_same_logits(exported, name):
    model, images, folder, found = exported[name]
    pixels = images.astype("float32") / 255
    expected = np.asarray(model(pixels, training=False), np.float32)
    tolerance = dict(rtol=1e-5, atol=1e-5)
    for n in (0, 1, 7):
        served = found[f"served{n}/logits"]
        assert served.dtype == np.float32 and served.shape == (n, 3)
        np.testing.assert_allclose(served, expected[:n], **tolerance)
        assert found[f"served{n}/class"].dtype == np.int64
        np.testing.assert_array_equal(found[f"served{n}/class"], expected[:n].argmax(-1))
        probabilities = keras.ops.softmax(expected[:n]) if n else np.zeros((0, 3))
        np.testing.assert_allclose(found[f"served{n}/probabilities"], probabilities, **tolerance)
    np.testing.assert_allclose(found["pixels/logits"], expected, **tolerance)
    if name != "own_code":
        np.testing.assert_allclose(found["keras/logits"], expected, **tolerance)


@pytest.mark.parametrize("name", MAKERS)
def test_the_pixels_signature_is_differentiable(exported, name):
    model, images, folder, found = exported[name]
    x = tf.constant(images.astype("float32") / 255)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=False)
    expected = tape.gradient(logits, x).numpy()
    assert np.abs(expected).max() > 1e-3
    for key in ("gradient/x", "gradient2/x"):
        # Another convolution than that of this process rounds bfloat16 otherwise.
        rtol = 2e-2 if name == "low_precision" else 1e-4
        np.testing.assert_allclose(found[key], expected, rtol=rtol, atol=1e-5)


def test_class_names(exported):
    _, _, folder, found = exported["functional"]
    names = json.loads((folder.parent / "names.json").read_text())
    assert names == [NAMES[i] for i in found["served7/class"]]
    _, _, folder, found = exported["sequential"]
    numbers = [str(i) for i in found["served7/class"]]
    assert json.loads((folder.parent / "names.json").read_text()) == numbers


def test_description(exported):
    for name, (_, _, folder, _) in exported.items():
        content = json.loads((folder / "export.json").read_text())
        assert content["num_classes"] == 3
        size = [None, None, 2] if name == "any_size" else list(SHAPE)
        assert content["image_shape"] == size
        assert content["class_names"] == (None if name == "sequential" else NAMES)
        needed = ["tests>OwnCode"] if name == "own_code" else []
        assert content["code_needed_by_keras_file"] == needed
        assert sorted(os.listdir(folder)) == ["1", "README.md", "classifier.keras", "export.json"]


def test_the_model_is_not_changed_and_a_failed_export_leaves_the_former(tmp_path, monkeypatch):
    model = functional()
    before = [w.numpy() for w in model.weights]
    folder = export_classifier(model, tmp_path / "export")
    assert all((a == b.numpy()).all() for a, b in zip(before, model.weights))
    assert any(isinstance(layer, models.BatchNormalization) for layer in model.layers)

    content = (folder / "export.json").read_bytes()
    for owner in (keras.Model, tf.saved_model):
        with monkeypatch.context() as patch:
            patch.setattr(owner, "save", lambda *a, **k: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                export_classifier(model, folder, class_names=NAMES)
        assert os.listdir(tmp_path) == ["export"]
        assert (folder / "export.json").read_bytes() == content
    export_classifier(model, folder, class_names=NAMES)
    assert json.loads((folder / "export.json").read_text())["class_names"] == NAMES


def test_what_cannot_be_exported_is_refused(tmp_path):
    folder = tmp_path / "export"
    with pytest.raises(UserError, match="must have 3 names, one for each logit. Received: 2"):
        export_classifier(sequential(), folder, class_names=["a", "b"])
    with pytest.raises(UserError, match=r"does not know the shape.*give `image_shape=\(h, w, c\)`"):
        export_classifier(own_code(), folder)
    with pytest.raises(UserError, match="has no weights yet"):
        export_classifier(OwnCode(), folder, image_shape=SHAPE)
    flat = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    with pytest.raises(UserError, match=r"must be \(h, w, c\).*takes \(5,\)"):
        export_classifier(flat, folder)
    headless = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(3, 1)])
    with pytest.raises(UserError, match=r"logits of shape \(b, k\).*shape \(None, 6, 5, 3\)"):
        export_classifier(headless, folder)
    assert not folder.exists()


def test_only_the_files_of_an_export_are_replaced(tmp_path):
    model = sequential()
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "thesis.tex").write_text("three years")
    (tmp_path / "a.json").touch()
    with pytest.raises(UserError, match="not empty and holds no export.*thesis.tex"):
        export_classifier(model, letters)
    assert os.listdir(letters) == ["thesis.tex"]
    # A version is replaced only where it is asked for, and only if all of it is an export's.
    folder = export_classifier(model, tmp_path / "export")
    (folder / "notes.txt").write_text("mine")
    export_classifier(model, folder, version=1)
    (folder / "1" / "assets").mkdir(exist_ok=True)
    (folder / "1" / "assets" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="1/assets/notes.txt.*move these files"):
        export_classifier(model, folder, version=1)
    assert (folder / "1" / "assets" / "notes.txt").read_text() == "mine"
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="is a file"):
        export_classifier(model, tmp_path / "a.json")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "export", "letters"]


def test_the_latency_of_signatures_is_measured(tmp_path, capsys):
    folder = export_classifier(sequential(), tmp_path / "export")
    measure_exports([folder], repeats=1)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("serving_default", "pixels"))]
    found = [(row[0], row[1]) for row in rows]
    assert found == [(n, b) for b in ("1", "64") for n in ("serving_default", "pixels")]
    assert all(float(number) > 0 for row in rows for number in row[1:])
    with pytest.raises(UserError, match="not the folder of an export"):
        measure_exports([folder / "1"], repeats=1)


def make_former(folder, with_list):
    """An export as earlier versions wrote it, of one SavedModel without a number."""
    os.rename(folder / "1", folder / "saved_model")
    content = json.loads((folder / "export.json").read_text())
    del content["version"]
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    content |= {"files": names} if with_list else {}
    (folder / "export.json").write_text(json.dumps(content))


@pytest.mark.parametrize("with_list", [True, False])
def test_a_former_export_is_read_and_replaced_whole(with_list, tmp_path):
    model, x = sequential(), np.full((2, *SHAPE), 0.5, np.float32)
    folder = export_classifier(model, tmp_path / "export")
    make_former(folder, with_list)
    assert find_saved_model(folder) == folder / "saved_model"
    for path in (folder, folder / "saved_model"):
        np.testing.assert_allclose(Subject.of(path).forward(x), model(x), rtol=1e-5)
    (folder / "thesis.tex").write_text("three years")
    with pytest.raises(UserError, match="thesis.tex.*move these files"):
        export_classifier(model, folder)
    (folder / "thesis.tex").unlink()
    export_classifier(model, folder)
    assert sorted(os.listdir(folder)) == ["1", "README.md", "classifier.keras", "export.json"]


def test_the_next_export_is_the_next_version_and_the_folder_stays(tmp_path):
    first, second = sequential(), sequential()
    x = np.full((2, *SHAPE), 0.5, np.float32)
    folder = export_classifier(first, tmp_path / "export")
    inode, before = os.stat(folder).st_ino, (folder / "1" / "saved_model.pb").read_bytes()
    export_classifier(second, folder)
    assert os.stat(folder).st_ino == inode
    assert (folder / "1" / "saved_model.pb").read_bytes() == before
    assert json.loads((folder / "export.json").read_text())["version"] == 2
    assert list_versions(folder) == [1, 2]
    assert find_saved_model(folder) == folder / "2"
    for path, model in ((folder, second), (folder / "2", second), (folder / "1", first)):
        np.testing.assert_allclose(Subject.of(path).forward(x), model(x), rtol=1e-5)
    # Served files without the .keras file, as a server has them; 10 comes after 9, not after 1.
    (folder / "classifier.keras").unlink()
    for number in ("9", "10"):
        shutil.copytree(folder / "2", folder / number)
    (folder / "notes").mkdir()
    assert find_classifier(folder).path == folder / "10"
    export_classifier(first, folder)
    assert list_versions(folder) == [1, 2, 9, 10, 11]
