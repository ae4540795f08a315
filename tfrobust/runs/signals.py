"""Signals that ask the run to stop are noted, and obeyed at the end of the step."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tfrobust.errors import Interrupted

_NOTHING_LOST = "Stopped on request; what was saved before stays."


class AskedToStop:
    """Whether to stop, by a function that is asked now and then.

    Args:
        function: without arguments, true once the work shall be saved and stop.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def __bool__(self):
        return bool(self._function())

    def leave(self) -> None:
        """Raises `Interrupted` if it is time to stop; call it where there is nothing to save."""
        if self:
            raise Interrupted(_NOTHING_LOST)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block in which there is nothing to save."""
        self.leave()
        yield
        self.leave()


class StopRequest(AskedToStop):
    """A context manager within which SIGTERM and SIGINT set `received` and interrupt nothing.

    The run looks at `received` after each step, saves and stops. A second SIGINT interrupts at once, with
    `KeyboardInterrupt`. SIGHUP, if it is among `signals`, stays ignored where it is, as under nohup. The
    former handlers come back at the end. Only the main thread may enter it.

    Args:
        signals: the signals to note.
    """

    def __init__(self, signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
        super().__init__(lambda: self.received is not None)
        self.signals = tuple(signals)
        self.received = None
        """The `signal.Signals` that came first, or None."""
        self._interrupted = self._at_once = False
        self._former: dict[int, Any] = {}

    def __enter__(self):
        self.received, self._interrupted = None, False
        for number in self.signals:
            if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        while self._former:
            number, handler = self._former.popitem()
            # None: a handler that was not installed from Python, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block in which there is nothing to save, and which a signal ends with `Interrupted`."""
        self.leave()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
        self.leave()

    def _note(self, number, frame):
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        if self.received is None:
            self.received = signal.Signals(number)
            again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
            told = f"\n{self.received.name}: finishing this step, then saving{again}\n"
            # Not print: the handler may come in the middle of one. The terminal may be gone.
            with contextlib.suppress(OSError):
                os.write(2, told.encode())
        if self._at_once:
            self._at_once = False
            raise Interrupted(_NOTHING_LOST)
