"""An export behind TensorFlow Serving's REST forms gives what Keras gives, and refuses in a sentence.

No binary of TensorFlow Serving is at hand here: `Server` speaks its forms, on loopback, around the graph.
"""

import base64
import http.server
import io
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from tfrobust import contract
from tfrobust.data.resize import crop_and_resize
from tfrobust.runs.exported import list_versions
from tfrobust.serving import export_classifier

_URL = re.compile(r"/v1/models/(?P<name>\w+)(/versions/(?P<version>\d+))?(?P<verb>:predict)?")


class Refused(Exception):
    """What the client did wrong."""


class Served:
    """One version of a SavedModel."""

    def __init__(self, folder):
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default(), self._session.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        self._signatures = loaded.signature_def

    def predict(self, request):
        name = request.get("signature_name", "serving_default")
        if name not in self._signatures:
            raise Refused(f'Serving signature name: "{name}" not found in signature def')
        signature = self._signatures[name]
        ((alias, taken),) = signature.inputs.items()
        rows = "instances" in request
        if rows == ("inputs" in request):
            raise Refused("Missing 'inputs' or 'instances' key")
        value = request["instances"] if rows else request["inputs"]
        if rows and all(isinstance(v, dict) and set(v) != {"b64"} for v in value):
            value = [self._take(row, alias) for row in value]
        elif not rows and isinstance(value, dict) and set(value) != {"b64"}:
            value = self._take(value, alias)
        array = self._parse(value, tf.as_dtype(taken.dtype))
        outputs = {key: info.name for key, info in signature.outputs.items()}
        # Unlike `run` it feeds whatever shape there is, as Serving does.
        options = CallableOptions(feed=[taken.name], fetch=list(outputs.values()))
        call = self._session._make_callable_from_options(options)
        try:
            found = call(array)
        except tf.errors.InvalidArgumentError as error:
            raise Refused(error.message) from error
        outputs = {key: self._plain(v) for key, v in zip(outputs, found, strict=True)}
        if not rows:
            return {"outputs": outputs}
        count = len(array)
        return {"predictions": [{k: v[i] for k, v in outputs.items()} for i in range(count)]}

    @staticmethod
    def _take(row, alias):
        if set(row) != {alias}:
            raise Refused(f'Failed to process element: missing input "{alias}"')
        return row[alias]

    @staticmethod
    def _parse(value, dtype):
        def decode(v):
            if isinstance(v, dict):
                return base64.b64decode(v["b64"])
            return [decode(part) for part in v] if isinstance(v, list) else v

        array = np.array(decode(value), object)
        if dtype == tf.string:
            return array
        flat = list(array.ravel())
        whole = dtype.is_integer
        for number in flat:
            fits = isinstance(number, int) if whole else isinstance(number, (int, float))
            if not fits or (whole and not dtype.min <= number <= dtype.max):
                raise Refused(
                    f"JSON Value: {json.dumps(number)} Type: is not of expected type: {dtype.name}"
                )
        return array.astype(dtype.as_numpy_dtype)

    @staticmethod
    def _plain(array):
        if array.dtype == object:
            return [part.decode() for part in array]
        return array.tolist()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = _URL.fullmatch(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if asked is None or asked["verb"] is None:
                raise Refused(f"Malformed request: POST {self.path}")
            versions = self.server.versions
            version = int(asked["version"] or max(versions))
            if asked["name"] != "classifier" or version not in versions:
                return self._answer(404, {"error": f"Servable not found for request: {self.path}"})
            self._answer(200, versions[version].predict(json.loads(body)))
        except Refused as error:
            self._answer(400, {"error": str(error)})

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


NAMES = ["cat", "dog", "ape"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((6, 8, 3)), *layers])


@pytest.fixture(scope="module")
def export(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "export"
    other = keras.models.clone_model(model)
    other.set_weights([2 * w for w in model.get_weights()])
    export_classifier(other, folder, NAMES)
    return export_classifier(model, folder, NAMES)


@pytest.fixture(scope="module")
def ask(export):
    """A function of a request and of the end of the URL; the status and the answer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.versions = {number: Served(export / str(number)) for number in list_versions(export)}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def post(content, end="classifier:predict"):
        url = f"http://127.0.0.1:{server.server_port}/v1/models/{end}"
        request = urllib.request.Request(url, json.dumps(content).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    yield post
    server.shutdown()
    server.server_close()
    thread.join()


IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)


def expect(model, images):
    logits = np.asarray(model(images / np.float32(255), training=False))
    return logits, [NAMES[i] for i in logits.argmax(-1)]


def check(rows, model, images):
    logits, names = expect(model, images)
    np.testing.assert_allclose([row["logits"] for row in rows], logits, rtol=1e-4, atol=1e-5)
    chances = keras.ops.softmax(logits)
    np.testing.assert_allclose([row["probabilities"] for row in rows], chances, rtol=1e-4)
    assert [row["class_name"] for row in rows] == names
    assert [row["class"] for row in rows] == list(logits.argmax(-1))


@pytest.mark.parametrize("count", [1, 5])
def test_rows_of_images(ask, model, count):
    images = IMAGES[:count].tolist()
    for instances in (images, [{"images": image} for image in images]):
        status, answer = ask({"instances": instances})
        assert status == 200
        check(answer["predictions"], model, IMAGES[:count])


def test_columns_of_pixels(ask, model):
    pixels = (IMAGES / np.float32(255)).tolist()
    for inputs in (pixels, {"pixels": pixels}):
        status, answer = ask({"inputs": inputs, "signature_name": "pixels"})
        assert status == 200
        columns = answer["outputs"]
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        check(rows, model, IMAGES)


def encode(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def test_files_of_any_size(ask, model):
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (*side, 3), np.uint8) for side in ((6, 8), (12, 16), (31, 20))]
    files = [encode(pictures[0], "PNG"), encode(pictures[1], "JPEG"), encode(pictures[2], "PNG")]
    seen = np.stack(
        [
            crop_and_resize(tf.io.decode_image(file, 3, expand_animations=False), (6, 8))
            for file in files
        ]
    )
    np.testing.assert_array_equal(seen[0], pictures[0])
    coded = [{"b64": base64.b64encode(file).decode()} for file in files]
    for instances in (coded, [{"encoded": one} for one in coded]):
        status, answer = ask({"instances": instances, "signature_name": "encoded"})
        assert status == 200, answer
        check(answer["predictions"], model, seen)


def test_versions_by_their_number(ask, model):
    request = {"instances": IMAGES.tolist()}
    newest = ask(request)
    assert ask(request, "classifier/versions/2:predict") == newest
    status, first = ask(request, "classifier/versions/1:predict")
    logits = [row["logits"] for row in first["predictions"]]
    assert status == 200
    # Two linear layers, each twice as large.
    np.testing.assert_allclose(logits, 4 * expect(model, IMAGES)[0], rtol=1e-4, atol=1e-5)
    assert ask(request, "classifier/versions/3:predict")[0] == 404


CODED = {"b64": base64.b64encode(b"no image at all").decode()}
WRONG = {
    "a wrong size": (
        {"instances": np.zeros((2, 7, 8, 3), int).tolist()},
        r"\(b, 6, 8, 3\).*\[2\] \[7\] \[8\] \[3\]",
    ),
    "wrong channels": ({"instances": np.zeros((1, 6, 8, 1), int).tolist()}, r"\(b, 6, 8, 3\)"),
    "pixels of a wrong size": (
        {"inputs": np.zeros((1, 9, 9, 3)).tolist(), "signature_name": "pixels"},
        r"\(b, 6, 8, 3\).*\[1\] \[9\] \[9\] \[3\]",
    ),
    "one image without a batch": (
        {"inputs": np.zeros((6, 8, 3), int).tolist()},
        r"\(b, 6, 8, 3\).*\[6\] \[8\] \[3\] \[0\]",
    ),
    "numbers for images": ({"instances": [1, 2]}, r"\(b, 6, 8, 3\).*\[2\] \[0\]"),
    "floats for uint8": ({"instances": (IMAGES / 255).tolist()}, "not of expected type: uint8"),
    "numbers above 255": (
        {"instances": (IMAGES[:1] + 300.0).astype(int).tolist()},
        "expected type: uint8",
    ),
    "no image": ({"instances": [CODED], "signature_name": "encoded"}, "bytes of JPEG or PNG.*15"),
    "a cut file": (
        {
            "instances": [{"b64": base64.b64encode(encode(IMAGES[0], "PNG")[:60]).decode()}],
            "signature_name": "encoded",
        },
        "Invalid PNG data",
    ),
    "another signature": ({"instances": [1], "signature_name": "serve"}, "serve.*not found"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(ask, name):
    request, told = WRONG[name]
    status, answer = ask(request)
    assert status == 400 and set(answer) == {"error"}
    assert re.search(told, answer["error"]), answer
    assert "Traceback" not in answer["error"] and len(answer["error"]) < 700


def test_an_empty_batch_of_files(export):
    loaded = tf.saved_model.load(str(export / "2"))
    assert loaded.encoded(tf.zeros((0,), tf.string))["class_name"].shape == (0,)


def test_bytes_become_the_pixels_of_every_other_door(tmp_path):
    """To the last bit; the signatures divide where others have a table."""
    pixels = keras.Input((2, 2, 1))
    folder = export_classifier(keras.Model(pixels, keras.layers.Flatten()(pixels)), tmp_path / "e")
    loaded = tf.saved_model.load(str(folder / "1"))
    images = np.arange(256, dtype=np.uint8).reshape(64, 2, 2, 1)
    logits = loaded.signatures["serving_default"](images=tf.constant(images))["logits"]
    expected = contract.from_uint8(tf.constant(images))
    np.testing.assert_array_equal(logits, tf.reshape(expected, (64, 4)))


def test_any_size_takes_files_of_one_size(tmp_path):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((None, None, 1)), *layers])
    folder = export_classifier(model, tmp_path / "export")
    loaded = tf.saved_model.load(str(folder / "1"))
    call = loaded.encoded
    images = IMAGES[:2, :, :, 0]
    files = [encode(image, "PNG") for image in images]
    logits = model(images[..., None] / np.float32(255))
    np.testing.assert_allclose(call(tf.constant(files))["logits"], logits, rtol=1e-4, atol=1e-6)
    other = [files[0], encode(images[0][:4], "PNG")]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be of one size"):
        call(tf.constant(other))


def test_the_command_line_of_saved_models_reads_the_signatures(export):
    code = "from tensorflow.python.tools.saved_model_cli import main; main()"
    command = [sys.executable, "-c", code, "show", "--dir", str(export / "2"), "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("serving_default", "pixels", "encoded"):
        assert f"signature_def['{name}']" in done.stdout
    assert done.stdout.count("shape: (-1, 6, 8, 3)") == 2
    for name in ("logits", "probabilities", "class", "class_name"):
        assert done.stdout.count(f"outputs['{name}']") == 3
