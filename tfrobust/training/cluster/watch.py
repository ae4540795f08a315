"""Whether the other workers live.

A step waits for all workers, in TensorFlow's own code. Its coordination service ends most waits for one
that is gone, but not all: so each process also asks by itself.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence

from tfrobust.errors import Interrupted

INTERVAL = 3.0
"""Seconds between two looks."""
PATIENCE = 4
"""Looks in a row at which a worker must be missing."""
GRACE = 8.0
"""Seconds that the main thread has to end by itself, before the process is ended."""
STATUS = 75
AGAIN = "Start all workers again with the same commands to go on."


class Watch:
    """Looks at the other workers in a thread; ends the process where one is gone and nothing else ends it.

    The chief looks at all, the others at the chief. A worker is gone if nobody listens at its address any
    more, or its machine does not answer. One that is only slow or paused still has its address.

    Args:
        addresses: host:port of all workers.
        index: number of this process.
        on_loss: called before the process is ended.
    """

    def __init__(
        self, addresses: Sequence[str], index: int, on_loss: Callable[[], None] = lambda: None
    ) -> None:
        others = range(1, len(addresses)) if index == 0 else [0]
        self._others = {other: addresses[other] for other in others}
        self.on_loss = on_loss
        self.lost: int | None = None
        """The number of the worker that is gone, or None."""
        self._stopped = threading.Event()
        self._noticed = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Begins to look; all workers listen by now."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more: the workers part in peace."""
        self._stopped.set()

    def check(self) -> None:
        """Raises `Interrupted` if a worker is known to be gone."""
        if self.lost is not None:
            raise self.interruption()

    def wait_for_loss(self) -> bool:
        """Whether a worker is gone, as far as it shows within the time that it takes to be sure."""
        return self._noticed.wait(INTERVAL * (PATIENCE + 2))

    def interruption(self) -> Interrupted:
        """What is told when a worker is gone."""
        gone = f"Worker {self.lost} at {self._others[self.lost or 0]} is gone"
        return Interrupted(f"{gone}; what was saved before stays.", AGAIN)

    def _look(self):
        missing = dict.fromkeys(self._others, 0)
        while not self._stopped.wait(INTERVAL):
            for other, address in self._others.items():
                missing[other] = 0 if _listens(address) else missing[other] + 1
                if missing[other] >= PATIENCE:
                    self._end(other)
                    return

    def _end(self, other):
        self.lost = other
        self._noticed.set()
        time.sleep(GRACE)
        if self._stopped.is_set():
            return
        # The main thread waits inside TensorFlow, where no exception of Python reaches it.
        print(f"interrupted: {self.interruption()}", file=sys.stderr, flush=True)
        try:
            self.on_loss()
        finally:
            end_process(STATUS)


def end_process(status: int) -> None:
    """Ends the process from any thread, and without TensorFlow's farewell to processes that are gone.

    `sys.exit` ends the thread only, and that farewell may wait for ever.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _listens(address):
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=INTERVAL):
            return True
    except OSError:
        return False
