"""What a person sees while something goes on."""

import shutil
import sys
import textwrap
import weakref
from typing import TextIO

import tqdm.auto
import tqdm.notebook


def fold(text: str, stream: TextIO | None = None) -> str:
    """Breaks lines between words where `stream` is a terminal that is narrower; elsewhere nothing changes.

    Args:
        text: lines; what follows a line of a list is set in as the list is. Rows of tables stay whole.
        stream: where the text will be written; standard output if None.

    Example:
    >>> import io
    >>> from tfrobust.runs.bar import fold
    >>> fold("a file is no terminal", io.StringIO())
    'a file is no terminal'
    """
    stream = stream or sys.stdout
    if not stream.isatty():
        return text
    columns = shutil.get_terminal_size().columns
    folded = [
        line
        if line.startswith("|")
        else textwrap.fill(
            line,
            columns,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    ]
    return "\n".join(folded)


def close_bars() -> None:
    """Takes away what an exception has left standing, before anything else is told."""
    for bar in list(_STANDING):
        bar.close()


_STANDING: weakref.WeakSet["Bar"] = weakref.WeakSet()


class Bar:
    """A tqdm bar with the time left on a terminal and in a notebook; otherwise plain lines.

    Args:
        stream: where to write; None for silence.

    Example:
    >>> import sys
    >>> bar = tfrobust.evaluation.Bar(sys.stdout)
    >>> bar.begin("apgd-ce")
    >>> bar.end("apgd-ce", "robust accuracy <= 45.00 %")
    apgd-ce  robust accuracy <= 45.00 %
    """

    def __init__(self, stream: TextIO | None = sys.stdout) -> None:
        self.stream = stream
        in_notebook = issubclass(tqdm.auto.tqdm, tqdm.notebook.tqdm)
        self._is_live = stream is not None and (stream.isatty() or in_notebook)
        self._bar, self.title = None, ""

    @property
    def columns(self) -> int | None:
        """Columns of the terminal that is written to; None for a notebook, a file and silence."""
        if self.stream is None or not self.stream.isatty():
            return None
        return shutil.get_terminal_size().columns

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar now, for which `show` has something to do."""
        return self._bar is not None

    def begin(self, title: str, share: float = 0.0) -> None:
        """Something begins, or goes on where `share` of it, in [0, 1], is done already."""
        self.close()
        self.title = title
        if self._is_live:
            _STANDING.add(self)
            self._bar = tqdm.auto.tqdm(
                total=1.0,
                initial=share,
                desc=title,
                file=self.stream,
                leave=False,
                dynamic_ncols=True,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}",
            )

    def show(self, share: float, note: str) -> None:
        """`share` of it is done; `note` says what has been found."""
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(share - self._bar.n)

    def write(self, text: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        elif self.stream is not None:
            print(text, file=self.stream, flush=True)

    def end(self, title: str, note: str) -> None:
        """It is over, or was before."""
        self.close()
        self.write(f"{title}  {note}")

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            _STANDING.discard(self)
