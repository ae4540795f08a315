import os
import signal
import threading

import pytest

from tfrobust.runs import signals


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_interrupts_nothing(number, capfd):
    with signals.StopRequest() as stop:
        assert not stop and stop.received is None
        send(number)
        assert stop and stop.received == number
    assert number.name + ": finishing this step" in capfd.readouterr().err


def test_a_second_interrupt_stops_at_once():
    with signals.StopRequest() as stop:
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert stop.received == signal.SIGINT


def test_a_second_termination_changes_nothing(capfd):
    with signals.StopRequest() as stop:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert stop.received == signal.SIGTERM
    assert capfd.readouterr().err.count("finishing") == 1


def test_one_interrupt_after_a_termination_does_not_stop_at_once():
    with signals.StopRequest() as stop:
        send(signal.SIGTERM)
        send(signal.SIGINT)
        assert stop.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_former_handlers_come_back_whatever_happens():
    def handler(*_):
        raise AssertionError("not this one")

    former = signal.signal(signal.SIGTERM, handler)
    # Ignored, not the default one, where the tests run in the background.
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(ZeroDivisionError), signals.StopRequest() as stop:
            send(signal.SIGTERM)
            1 / 0  # noqa: B018
        assert stop.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is handler
        assert signal.getsignal(signal.SIGINT) is interrupt
        # Entered again, it has forgotten.
        with stop:
            assert not stop
    finally:
        signal.signal(signal.SIGTERM, former)


def test_another_thread_is_refused():
    caught = []

    def run():
        try:
            with signals.StopRequest():
                pass
        except ValueError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught and "main thread" in caught[0]
