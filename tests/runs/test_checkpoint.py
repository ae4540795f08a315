import itertools
import json
import os
import pathlib
import shutil
import sys

import ml_dtypes
import numpy as np
import pytest

from tfrobust.runs import checkpoint, files


class Killed(BaseException):
    """What no `except Exception` catches: the nearest thing to SIGKILL inside one process."""


def arrays(value):
    return {"a/kernel": np.full((2, 3), value, np.float32), "iterations": np.int64(value)}


def save(folder, value, **kwargs):
    return checkpoint.save(folder, value, arrays(value), {"epoch": value}, **kwargs)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        array = np.asarray(array)
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def kill_at_every_line(run, prepare):
    """Runs `run()` again and again, killed at the 1st, 2nd, ... line of our code, until it ends.

    `prepare()` comes first each time. Yields after each kill and after the run that was not killed.
    """
    ours = {files.__file__, checkpoint.__file__}
    for n in itertools.count(1):
        prepare()
        left = n

        def trace(frame, event, _):
            nonlocal left
            if frame.f_code.co_filename not in ours:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    raise Killed
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            run()
            killed = False
        except Killed:
            killed = True
        finally:
            sys.settrace(before)
        yield n
        if not killed:
            return


@pytest.mark.parametrize(
    "dtype",
    [bool, np.uint8, np.int64, np.uint32, np.float16, np.float32, np.float64, np.complex64]
    + [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn],
    ids=lambda d: d.__name__,
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_every_bit_comes_back(tmp_path, dtype, shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    bits = np.random.default_rng(0).integers(0, 2 if dtype is bool else 256, size, dtype=np.uint8)
    # Random bits hold NaNs with payloads, infinities and denormals.
    wanted = {"x": np.frombuffer(bits.tobytes(), dtype).reshape(shape)}
    checkpoint.save(tmp_path, 1, wanted, {})
    assert_same(checkpoint.load(tmp_path, 1).arrays, wanted)


def test_layout_and_odd_names(tmp_path):
    wanted = {
        "file": np.arange(3),
        "../b": np.ones(2)[::-1],
        "ü 1": np.zeros((3, 2)).T,
        "": np.eye(2),
    }
    state = {
        "best": float("-inf"),
        "step": np.int64(7),
        "x": [1, {"y": None}],
        "f": np.float32(0.1),
    }
    path = checkpoint.save(tmp_path, 1234, wanted, state)
    assert path == tmp_path / "step-000001234"
    assert sorted(p.name for p in path.iterdir()) == ["arrays.npz", "manifest.json", "state.json"]
    found = checkpoint.load(tmp_path, 1234)
    assert_same(found.arrays, wanted)
    assert found.state == state and found.step == 1234 and found.path == path
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_steps_are_ordered_as_numbers(tmp_path):
    for step in (5, 999_999_999, 1_000_000_000):
        save(tmp_path, step, keep=3)
    (tmp_path / "notes").mkdir()
    assert checkpoint.list_steps(tmp_path) == [5, 999_999_999, 1_000_000_000]
    assert checkpoint.load_newest(tmp_path)[0].step == 1_000_000_000
    assert checkpoint.list_steps(tmp_path / "absent") == []
    assert checkpoint.load_newest(tmp_path / "absent") == (None, [])


def test_keeps_the_newest(tmp_path):
    for step in (1, 2, 3, 4):
        save(tmp_path, step, keep=2)
    assert checkpoint.list_steps(tmp_path) == [3, 4]
    save(tmp_path, 5, keep=1)
    assert checkpoint.list_steps(tmp_path) == [5]


def test_going_back_removes_the_later_ones(tmp_path):
    for step in (1, 2, 4):
        save(tmp_path, step, keep=3)
    save(tmp_path, 3, keep=2)
    assert checkpoint.list_steps(tmp_path) == [2, 3]


def test_same_step_is_replaced(tmp_path):
    save(tmp_path, 1)
    checkpoint.save(tmp_path, 1, arrays(9), {"epoch": 9})
    assert checkpoint.load(tmp_path, 1).state == {"epoch": 9}
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "manifest.json"])
@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "append", "remove"])
def test_a_corrupt_newest_falls_back_and_says_so(tmp_path, name, harm):
    save(tmp_path, 1)
    path = save(tmp_path, 2) / name
    content = path.read_bytes()
    middle = len(content) // 2
    if harm == "remove":
        path.unlink()
    elif name == "manifest.json" and harm in ("flip", "append"):
        text = content.decode()
        path.write_text(
            text.replace('"sha256": "', '"sha256": "0') if harm == "flip" else text + "}"
        )
    else:
        path.write_bytes(
            {
                "truncate": content[:middle],
                "empty": b"",
                "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "append": content + b"\0",
            }[harm]
        )
    found, skipped = checkpoint.load_newest(tmp_path)
    assert found.step == 1
    assert_same(found.arrays, arrays(1))
    assert len(skipped) == 1 and "step-000000002" in skipped[0] and "\n" not in skipped[0]
    # The run goes on and reaches the corrupt step again.
    save(tmp_path, 2)
    found, skipped = checkpoint.load_newest(tmp_path)
    assert found.step == 2 and skipped == []


def test_every_byte_of_a_checkpoint_counts(tmp_path):
    save(tmp_path, 1)
    path = save(tmp_path, 2)
    whole = {p: p.read_bytes() for p in (path / "arrays.npz", path / "state.json")}
    for file, content in whole.items():
        for i in range(0, len(content), 37):
            file.write_bytes(content[:i] + bytes([content[i] ^ 0x10]) + content[i + 1 :])
            with pytest.raises(checkpoint.CorruptCheckpoint, match="SHA-256"):
                checkpoint.load(tmp_path, 2)
        file.write_bytes(content)
    assert checkpoint.load(tmp_path, 2).step == 2


def test_all_corrupt(tmp_path):
    for step in (1, 2):
        (save(tmp_path, step) / "arrays.npz").unlink()
    found, skipped = checkpoint.load_newest(tmp_path)
    assert found is None
    assert ["step-000000002" in skipped[0], "step-000000001" in skipped[1]] == [True, True]


def test_a_manifest_of_another_format_is_named(tmp_path):
    path = save(tmp_path, 1) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(checkpoint.CorruptCheckpoint, match="format is 2.*reads 1"):
        checkpoint.load(tmp_path, 1)


# A kill between `open` and its `with` leaves the file to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("step", [2, 3], ids=["same step", "next step"])
def test_killed_anywhere_the_old_or_the_new_one_is_whole(tmp_path, step, monkeypatch):
    folder = tmp_path / "run"
    # A killed process needs no disk, only a power cut does; waiting for it 300 times takes long.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    def prepare():
        shutil.rmtree(folder, ignore_errors=True)
        save(folder, 1)
        checkpoint.save(folder, 2, arrays(2), {"epoch": "old"})

    def save_new():
        checkpoint.save(folder, step, arrays(step), {"epoch": "new"})

    outcomes = []
    for _ in kill_at_every_line(save_new, prepare):
        found, skipped = checkpoint.load_newest(folder)
        assert skipped == []
        assert (found.step, found.state["epoch"]) in [(2, "old"), (step, "new")]
        assert_same(found.arrays, arrays(found.step))
        outcomes.append(found.state["epoch"])
        assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []
        save_new()
        assert checkpoint.list_steps(folder) == [step - 1, step]
    # Once the new one is there it stays: all old, then all new.
    assert outcomes == sorted(outcomes, reverse=True) and set(outcomes) == {"old", "new"}
    assert len(outcomes) > 50


def test_killed_while_removing_leaves_no_half_checkpoint(tmp_path, monkeypatch):
    for step in (1, 2):
        save(tmp_path, step)

    def half_remove(path):
        os.unlink(next(pathlib.Path(path).iterdir()))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", half_remove)
        with pytest.raises(Killed):
            save(tmp_path, 3)
    assert checkpoint.list_steps(tmp_path) == [2, 3]
    found, skipped = checkpoint.load_newest(tmp_path)
    assert found.step == 3 and skipped == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000002", "step-000000003"]


def test_a_full_disk_leaves_the_former_ones(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space"):
            save(tmp_path, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    events = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(descriptor):
        events.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def note_rename(source, target):
        events.append(("rename", os.path.basename(target)))
        rename(source, target)

    monkeypatch.setattr(files.secrets, "token_hex", lambda length: "0123456789abcdef")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    save(tmp_path, 1)
    at = events.index(("rename", "step-000000001"))
    assert {name for _, name in events[:at]} == {
        *(
            "arrays.npz",
            "state.json",
            "manifest.json",
            ".step-000000001.0123456789abcdef.tfrobust-new",
        )
    }
    assert events[at + 1 :] == [("fsync", tmp_path.name)]


def test_what_is_no_number_is_refused_before_anything_is_written(tmp_path):
    for bad in (np.array([{}]), np.array(["text"]), np.zeros(2, [("a", "f4"), ("b", "i4")])):
        with pytest.raises(TypeError, match="holds numbers; the array x is of"):
            checkpoint.save(tmp_path, 1, {"x": bad}, {})
    with pytest.raises(TypeError, match="holds JSON values; received ndarray"):
        checkpoint.save(tmp_path, 1, {}, {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="received -1 and 2"):
        checkpoint.save(tmp_path, -1, {}, {})
    assert list(tmp_path.iterdir()) == []
