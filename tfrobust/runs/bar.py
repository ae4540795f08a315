"""What a person sees while an evaluation goes on."""

import sys
import time

from tfrobust.runs.progress import clock


class Bar:
    """A bar with the time left on a terminal; otherwise one plain line for each attack.

    Args:
        stream: where to write; standard output by default, None for silence.
        width: columns of the bar.
    """

    def __init__(self, stream=sys.stdout, width=24):
        self.stream, self.width = stream, width
        self._live = stream is not None and stream.isatty()
        self._began = self._first = 0.0

    def begin(self, title, share=0.0):
        """A new attack begins, or goes on where `share` of it is done already."""
        self._title, self._began, self._first = title, time.monotonic(), share

    def show(self, share, note):
        """`share` of the attack is done; `note` says what has been found."""
        if not self._live:
            return
        filled = int(self.width * share)
        bar = "=" * filled + "." * (self.width - filled)
        passed, done = time.monotonic() - self._began, share - self._first
        left = clock(passed / done * (1.0 - share)) if done > 0 else "?"
        self._write(f"\r[{bar}] {self._title}  {note}  ETA {left}\x1b[K")

    def end(self, title, note):
        """An attack is over, or was before."""
        begin, end = ("\r", "\x1b[K\n") if self._live else ("", "\n")
        self._write(f"{begin}{title}  {note}{end}")

    def _write(self, text):
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()
