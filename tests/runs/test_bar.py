"""Progress: a bar on a terminal, plain lines elsewhere, nothing where nobody looks."""

import io
import types

from tfrobust.runs.bar import Bar
from tfrobust.training.callbacks.progress import Progress, write_clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def go(bar):
    bar.begin("apgd-ce", 0.25)
    bar.show(0.5, "robust accuracy <= 80 %")
    bar.end("apgd-ce", "robust accuracy <= 75 %")


def test_a_file_gets_lines_only():
    stream = io.StringIO()
    go(Bar(stream))
    assert stream.getvalue() == "apgd-ce  robust accuracy <= 75 %\n"


def test_a_terminal_gets_a_bar_that_goes_away():
    stream = Terminal()
    go(Bar(stream))
    told = stream.getvalue()
    assert "apgd-ce  25%|" in told and "\r" in told
    assert told.endswith("apgd-ce  robust accuracy <= 75 %\n")


def test_nobody_looks():
    go(Bar(None))


def test_a_run_has_a_line_for_each_epoch():
    stream = io.StringIO()
    progress = Progress(epochs=3, steps_per_epoch=4, stream=stream)
    steps = iter([4, 8, 8])
    count = types.SimpleNamespace(numpy=lambda: next(steps))
    optimizer = types.SimpleNamespace(iterations=count)
    progress.set_model(types.SimpleNamespace(optimizer=optimizer, updates_per_step=1))
    progress.on_train_begin()
    progress.on_epoch_begin(1)
    progress.on_train_batch_end(3, {"loss": 0.5})
    progress.on_epoch_end(1, {"val_accuracy": 0.25, "accuracy": 1.0, "loss": 0.5})
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("epoch 2/3  ")
    assert "s  loss 0.5000  accuracy 1.0000  val_accuracy 0.2500  ETA 0:0" in line


def test_the_clock():
    assert [write_clock(s) for s in (5.9, 65, 3665)] == ["0:05", "1:05", "1:01:05"]
