"""The programs of attacks whose turn comes later, traced beside the attacks before them."""

import concurrent.futures
from collections.abc import Callable
from typing import Any


class Ahead:
    """Does what will be needed later, in order, in a thread of its own; a context manager.

    Compiling an attack's steps holds one core for a second, where the attacks before it wait for their own
    compilation, or leave rows and cores idle at their end.

    Example:
    >>> from tfrobust.evaluation.engine.scheduling.ahead import Ahead
    >>> done = []
    >>> with Ahead() as ahead:
    ...     ahead.begin("square", lambda: done.append("square"))
    ...     ahead.wait("square")
    >>> done
    ['square']
    """

    def __init__(self) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._begun: dict[str, concurrent.futures.Future] = {}

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *error: Any) -> None:
        self._thread.shutdown(cancel_futures=True)

    def begin(self, name: str, function: Callable[[], None]) -> None:
        """Has `function` called when those before it are done; once for each name."""
        if name not in self._begun:
            self._begun[name] = self._thread.submit(function)

    def wait(self, name: str) -> None:
        """Waits for what was begun under a name, if anything was, and raises its error."""
        if name in self._begun:
            self._begun[name].result()
