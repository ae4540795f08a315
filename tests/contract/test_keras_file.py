"""Every door through which a `.keras` file comes in: none runs what a stranger put into it."""

import io
import json
import zipfile

import keras
import numpy as np
import pytest

from tfrobust.attacks import surrogates
from tfrobust.benchmarks.compare import judge_run
from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.evaluation import Subject
from tfrobust.models import load_classifier


class Suite:
    name = "suite"


HALF = {"right": 1, "total": 2}
REPORT = {"clean": HALF, "robust": HALF, "step_seconds": 0.1, "method": "ADV"}
DOORS = {
    "read_keras_file": read_keras_file,
    "load_classifier": load_classifier,
    "Subject": Subject.of,
    "a surrogate": lambda path: surrogates.load_surrogate(str(path)),
    "a run": lambda path: Subject.of(path.parents[1]),
    "a run in a comparison": lambda path: judge_run(path.parents[1], None, Suite()),
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    path = tmp_path_factory.mktemp("honest") / "classifier.keras"
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(path)
    return path


def with_layer(content, layer):
    """The bytes of a `.keras` file with its last layer exchanged for the given configuration."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][-1] = layer
                data = json.dumps(config).encode()
            target.writestr(name, data)
    return result.getvalue()


def serialized_lambda(victim):
    touch = lambda x, victim=str(victim): __import__("pathlib").Path(victim).touch() or x  # noqa: E731
    return keras.saving.serialize_keras_object(keras.layers.Lambda(touch))


def layer(module, name, /, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


SYSTEM = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
HOSTILE = {
    "a Lambda": serialized_lambda,
    "a class of os": lambda victim: layer("os", "system", command=f"touch {victim}"),
    "a class of subprocess": lambda victim: layer(
        "subprocess", "Popen", args=["touch", str(victim)]
    ),
    "a function of os": lambda victim: layer(
        "keras.layers",
        "Lambda",
        name="l",
        function=SYSTEM,
        arguments={"command": f"touch {victim}"},
    ),
    "an activation": lambda victim: layer(
        "keras.layers", "Activation", name="a", activation=SYSTEM
    ),
    "a SavedModel": lambda victim: layer(
        "keras.layers", "TFSMLayer", name="t", filepath=str(victim), call_endpoint="serve"
    ),
    "Keras's function for code": lambda victim: layer(
        "keras.src.utils.python_utils", "func_load", code="AAAA"
    ),
}


REFUSED = ("a Lambda", "a SavedModel", "Keras's function for code")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_is_run_and_nobody_is_told_to_run_it(honest, tmp_path, door, kind):
    victim = tmp_path / "victim"
    path = tmp_path / "run" / "export" / "classifier.keras"
    path.parent.mkdir(parents=True)
    path.write_bytes(with_layer(honest.read_bytes(), HOSTILE[kind](victim)))
    (tmp_path / "run" / "report.json").write_text(json.dumps(REPORT))
    with pytest.raises(UserError) as error:
        DOORS[door](path)
    told = str(error.value)
    assert not victim.exists()
    assert kind not in REFUSED or "refuses it for safety" in told
    assert "\n" not in told and len(told) < 700
    for advice in ("import the", "safe_mode", "unsafe_des", "custom_objects", "trust"):
        assert advice not in told


@pytest.mark.parametrize("door", DOORS)
def test_damaged_files_and_none_are_told(honest, tmp_path, door):
    path = tmp_path / "run" / "export" / "classifier.keras"
    path.parent.mkdir(parents=True)
    content = honest.read_bytes()
    rng = np.random.default_rng(0)
    for size in (0, 10, len(content) // 2, len(content)):
        broken = np.frombuffer(content[:size], np.uint8).copy()
        broken[rng.permutation(size)[: size // 50]] ^= 255
        path.write_bytes(broken.tobytes())
        with pytest.raises(UserError) as error:
            DOORS[door](path)
        assert "\n" not in str(error.value)


def test_a_class_of_one_s_own_is_named(honest, tmp_path):
    path = tmp_path / "own.keras"
    path.write_bytes(with_layer(honest.read_bytes(), layer(None, "MyLayer", name="m")))
    with pytest.raises(
        UserError,
        match="needs MyLayer, which is not of Keras or tfrobust.*evaluate.*export_classifier",
    ):
        read_keras_file(path)


def test_an_honest_file_is_read(honest):
    model = read_keras_file(honest)
    assert isinstance(model, keras.Model) and not model.compiled
