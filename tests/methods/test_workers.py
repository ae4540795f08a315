"""Two processes train to the weights of one, on the same global batches of 7, 7 and 1 rows.

All methods, with one device and with two in each process:
    pytest -m slow tests/methods/test_workers.py
"""

import contextlib
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.methods import conftest, worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Weights of the global batch and a burn-in, a divergence with its attack, a penalty with noise of its own.
FEW = ("gairat", "trades", "jac")


class OneProcess:
    """In place of a strategy: the default device."""

    def scope(self):
        return contextlib.nullcontext()


def free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return ",".join(f"localhost:{one.getsockname()[1]}" for one in sockets)


def start_workers(folder, devices, names):
    addresses = free_addresses(2)
    folders = [folder / str(index) for index in range(2)]
    command = [sys.executable, "-m", "tests.methods.worker", addresses]
    processes = [
        subprocess.Popen(
            [*command, str(index), str(devices), str(folders[index]), ",".join(names)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    return folders, processes


def train_together(folder, devices, names, seconds):
    """The folders of two workers, each with a file for each method."""
    folders, processes = start_workers(folder, devices, names)
    try:
        for process in processes:
            out, _ = process.communicate(timeout=seconds)
            assert process.returncode == 0, out
    finally:
        for process in processes:
            process.kill()
    return folders


def assert_trained_alike(folders, name, tmp_path):
    worker.train(conftest.METHODS[name], OneProcess(), tmp_path, name)
    one, first, second = (np.load(folder / f"{name}.npz") for folder in (tmp_path, *folders))
    assert set(one) == set(first) == set(second)
    for key, value in one.items():
        # Both have the same sums, to the last bit; those of one process are added in another order.
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
        np.testing.assert_allclose(first[key], value, rtol=2e-5, atol=5e-6, err_msg=key)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return train_together(tmp_path_factory.mktemp("workers"), 1, FEW, 400)


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_two_processes_equal_one(few, name, tmp_path):
    assert_trained_alike(few, name, tmp_path)


@pytest.mark.slow
def test_keras_still_needs_help(few):
    """If this fails, Keras has learned it: remove what methods/distributed.py does in its place."""
    built, reduced = ((few[0] / f"{name}.txt").read_text() for name in ("Sequential", "Built"))
    assert "PerReplica" in built and "unsupported type" in built
    assert "Invalid reduction dimension 0" in reduced


@pytest.fixture(scope="module")
def one_device_each(tmp_path_factory):
    return train_together(tmp_path_factory.mktemp("one"), 1, conftest.METHODS, 3000)


@pytest.fixture(scope="module")
def two_devices_each(tmp_path_factory):
    return train_together(tmp_path_factory.mktemp("two"), 2, conftest.METHODS, 3000)


@pytest.mark.slow
@pytest.mark.parametrize("name", conftest.METHODS)
def test_every_method_on_two_devices(one_device_each, name, tmp_path):
    assert_trained_alike(one_device_each, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", conftest.METHODS)
def test_every_method_on_four_devices(two_devices_each, name, tmp_path):
    assert_trained_alike(two_devices_each, name, tmp_path)
