"""Workers that are gone, paused or only slow, seen from another one."""

import socket
import threading

import pytest

from tfrobust.errors import Interrupted
from tfrobust.training.cluster import watch


@pytest.fixture
def listener():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        one.listen()
        yield one


@pytest.fixture
def ended(monkeypatch):
    """The watch in a hurry; the event is set where the process would be ended."""
    done, statuses = threading.Event(), []
    monkeypatch.setattr(watch, "INTERVAL", 0.02)
    monkeypatch.setattr(watch, "GRACE", 0.02)
    monkeypatch.setattr(watch, "end_process", lambda status: (statuses.append(status), done.set()))
    return done, statuses


def address(listener):
    return f"localhost:{listener.getsockname()[1]}"


def test_a_worker_that_is_gone_ends_the_process_with_75(listener, ended, capsys):
    done, statuses = ended
    told = []
    looking = watch.Watch(["localhost:1", address(listener)], 0, lambda: told.append(True))
    looking.start()
    # It accepts nothing, as a process that is paused: its address is still its own.
    assert not done.wait(0.3)
    looking.check()
    listener.close()
    assert done.wait(5.0)
    assert statuses == [75] and told == [True] and looking.lost == 1
    assert f"interrupted: {looking.interruption()}" in capsys.readouterr().err
    with pytest.raises(Interrupted, match="Start all workers again with the same commands"):
        looking.check()


def test_nothing_ends_after_the_workers_parted(listener, ended):
    done, _ = ended
    looking = watch.Watch([address(listener), "localhost:1"], 1)
    looking.start()
    looking.stop()
    listener.close()
    assert not done.wait(0.3)


def test_the_chief_looks_at_all_and_the_others_at_the_chief():
    hosts = ["a:1", "b:1", "c:1"]
    assert watch.Watch(hosts, 0)._others == {1: "b:1", 2: "c:1"}
    assert watch.Watch(hosts, 2)._others == {0: "a:1"}


def test_a_process_ends(monkeypatch):
    statuses = []
    monkeypatch.setattr("os._exit", statuses.append)
    watch.end_process(75)
    assert statuses == [75]
