"""TensorBoard's logs: the numbers of metrics.jsonl under grouped tags, once each, with pictures."""

import json
import pathlib
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfrobust import PGD, Linf
from tfrobust.data.splits import Split
from tfrobust.runs.events import drop_events
from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.callbacks.tensorboard import TensorBoardLog, draw_picture, name_tag

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = ("loss", "label_loss", "accuracy", "adversarial_accuracy", "jacobian_norm", "gradient_norm")


def make_logs(epoch, run):
    logs = {name: np.float32(0.1 * i + epoch + run) for i, name in enumerate(NAMES)}
    accuracies = {"val_accuracy": 0.5 + epoch / 8, "val_robust_accuracy": epoch / 8 + run / 64}
    return logs | accuracies | {"val_loss": 1.5 - epoch / 8}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A run that was killed in its fourth epoch, after a checkpoint at the third, and went on."""
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(0)
    classifier = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    x = np.random.default_rng(0).random((6, 4, 4, 1)).astype("float32")
    images = Split(x, np.arange(6) % 3, np.arange(6))
    attack = PGD(Linf(0.3), steps=3)
    model = types.SimpleNamespace(
        optimizer=types.SimpleNamespace(learning_rate=tf.constant(0.25)),
        attack=attack,
        eval_attack=attack,
        scale=0.5,
        epoch=lambda: 0.0,
        seed=1,
        classifier=classifier,
    )

    def train(first, last, run):
        record = RecordMetrics(MetricsLog(folder, first))
        log = TensorBoardLog(
            folder / "tensorboard", images, "x = 1", 2, first, {"beta": 6.0}, ("a", "b", "c")
        )
        for callback in (record, log):
            callback.set_model(model)
            callback.on_train_begin()
        log.on_train_begin()
        for epoch in range(first, last):
            for callback in (record, log):
                callback.on_epoch_end(epoch, make_logs(epoch, run))

    train(0, 4, 0)
    for path in folder.glob("tensorboard/*/*tfevents*"):
        # What a kill may leave.
        path.write_bytes(path.read_bytes() + b"\x20\0\0\0\0\0\0\0half")
    train(2, 5, 1)
    return folder, model, x


def read(folder, name):
    return EventAccumulator(str(folder / "tensorboard" / name), {"tensors": 0}).Reload()


def list_values(events, tag):
    return [(e.step, tf.make_ndarray(e.tensor_proto).item()) for e in events.Tensors(tag)]


def test_every_number_of_the_metrics_is_there_once_and_exactly(board):
    folder = board[0]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    train, validation = read(folder, "train"), read(folder, "validation")
    for name in rows[0]:
        if name == "epoch":
            continue
        events, tag = train, name_tag(name)
        if name == "learning_rate":
            tag = "schedule/learning_rate"
        if name.startswith("val_"):
            events = validation
        expected = [(row["epoch"] + 1, np.float32(row[name])) for row in rows]
        assert list_values(events, tag) == expected
    # One chart only for what is one quantity: the loss of validation is no method's.
    shared = {*train.Tags()["tensors"]} & {*validation.Tags()["tensors"]}
    assert shared == {"accuracy/clean", "accuracy/robust"}
    assert len(train.Tensors("configuration")) == 1
    assert list_values(train, "schedule/epsilon") == [(e, np.float32(0.15)) for e in range(1, 6)]


def test_the_attack_on_the_pictures_is_measured(board):
    folder, model, x = board
    events = read(folder, "validation")
    assert [e.step for e in events.Tensors("attack/images")] == [1, 3, 5]
    # The three steps of a quarter of the radius never reach beyond it, and all move.
    for _, norm in list_values(events, "attack/perturbation_norm"):
        assert 0.0 < norm <= 0.3 + 1e-6
    flipped = {share for _, share in list_values(events, "attack/flipped_share")}
    assert len(flipped) == 1 and (6 * flipped.pop()) % 1 == pytest.approx(0, abs=1e-5)


def test_the_page_lists_every_tag(board):
    page = (ROOT / "docs" / "tensorboard.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w/.]+)` \|", page, re.M))
    written = {
        tag for name in ("train", "validation") for tag in read(board[0], name).Tags()["tensors"]
    }
    groups = {tag.removesuffix("...") for tag in listed if tag.endswith("...")}
    assert {
        tag for tag in written if tag not in listed and not tag.startswith(tuple(groups))
    } == set()
    # And no tag that is not written.
    assert {tag for tag in listed if not tag.endswith("...")} <= written


def test_each_run_has_its_settings_once(board):
    events = read(board[0], "")
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert plugin.plugin_name == "hparams" and b"beta" in plugin.content


def test_nothing_is_left_of_a_run_that_starts_over(board, tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default(step=3):
        tf.summary.scalar("x", 1.0)
    (path,) = tmp_path.glob("*tfevents*")
    before = path.read_bytes()
    assert drop_events(tmp_path, 4) == 1 and path.read_bytes() == before
    assert drop_events(tmp_path, 3) == 0 and 0 < len(path.read_bytes()) < len(before)


def test_without_a_difference_the_change_is_grey():
    clean = np.zeros((1, 2, 2, 3), np.float32)
    picture = draw_picture(clean, clean, ["a"], ["b"], 0.1)
    assert picture.dtype == np.uint8 and picture.shape[-1] == 3
    assert (picture == 128).all(axis=-1).mean() + (picture == 127).all(axis=-1).mean() > 0.05
