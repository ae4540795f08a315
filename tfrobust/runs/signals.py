"""Signals that ask the run to stop are noted, and obeyed at the end of the step."""

import os
import signal


class StopRequest:
    """A context manager within which SIGTERM and SIGINT set `received` and interrupt nothing.

    The run looks at `received` after each step, saves and stops. A second SIGINT interrupts at once, with
    `KeyboardInterrupt`. The former handlers come back at the end. Only the main thread may enter it.

    Args:
        signals: the signals to note.
    """

    def __init__(self, signals=(signal.SIGTERM, signal.SIGINT)):
        self.signals = tuple(signals)
        self.received = None
        """The `signal.Signals` that came first, or None."""
        self._interrupted = False
        self._former = {}

    def __enter__(self):
        self.received, self._interrupted = None, False
        for number in self.signals:
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        while self._former:
            number, handler = self._former.popitem()
            # None: a handler that was not installed from Python, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def __bool__(self):
        return self.received is not None

    def _note(self, number, frame):
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        if self.received is None:
            self.received = signal.Signals(number)
            again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
            told = f"\n{self.received.name}: finishing this step, then saving{again}\n"
            # Not print: the handler may come in the middle of one.
            os.write(2, told.encode())
