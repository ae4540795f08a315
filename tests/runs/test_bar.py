"""Progress: a bar on a terminal, plain lines elsewhere, nothing where nobody looks."""

import io
import re
import types

from tfrobust.runs.bar import Bar, close_bars, fold
from tfrobust.training.callbacks.progress import Progress, fit_line, write_clock


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


def test_lines_are_broken_between_words_on_a_narrow_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    row = "| a row of a table | stays whole |"
    text = f"# A title\n\n{row}\n- one, two, three, four-five, six\nseven eight nine ten\n"
    assert fold(text, io.StringIO()) == text
    lines = fold(text, Terminal()).split("\n")
    assert lines[:4] == ["# A title", "", row, "- one, two, three,"]
    assert lines[4:] == ["  four-five, six", "seven eight nine ten", ""]


def test_what_an_exception_leaves_standing_is_taken_away():
    stream = Terminal()
    bar = Bar(stream)
    bar.begin("apgd-t")
    close_bars()
    assert not bar.is_shown and stream.getvalue().endswith("\r")
    close_bars()


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


def test_an_epochs_line_fits_and_tells_what_matters_first():
    names = ["loss", "accuracy", "adversarial_accuracy", "divergence", "label_loss", "robust_loss"]
    numbers = dict.fromkeys([*names, "val_accuracy", "val_loss", "val_robust_accuracy"], 0.98765)
    line = fit_line("epoch 100/110  1234.5s", numbers, "ETA 1:02:03")
    assert len(line) <= 100 and line.endswith("  ETA 1:02:03")
    assert "  loss 0.9877  val_accuracy 0.9877  val_robust_accuracy 0.9877  " in line
    assert fit_line("epoch 1/2", numbers).count("0.9877") >= 4
    # In a narrow terminal the loss goes first, which the bar shows.
    line = fit_line("epoch 100/110  12.5s", numbers, columns=80)
    assert line == "epoch 100/110  12.5s  val_accuracy 0.9877  val_robust_accuracy 0.9877"


def test_a_line_on_a_terminal_is_no_wider_than_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    stream = Terminal()
    progress = Progress(3, 4, stream)
    optimizer = types.SimpleNamespace(iterations=types.SimpleNamespace(numpy=lambda: 4))
    progress.set_model(types.SimpleNamespace(optimizer=optimizer, updates_per_step=1))
    progress.on_train_begin()
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, dict.fromkeys(("loss", "val_accuracy", "val_robust_accuracy"), 0.5))
    progress.on_train_end()
    (line,) = [p for p in re.split(r"[\r\n]", stream.getvalue()) if p.startswith("epoch")]
    # The time that is left stands in the bar.
    assert "val_robust_accuracy 0.5000" in line and "ETA" not in line and len(line) <= 70


def test_a_long_validation_says_how_far_it_is(monkeypatch):
    stream = Terminal()
    progress = Progress(1, 4, stream, validation_batches=7)
    count = types.SimpleNamespace(numpy=lambda: 2)
    optimizer = types.SimpleNamespace(iterations=count)
    progress.set_model(types.SimpleNamespace(optimizer=optimizer, updates_per_step=1))
    now = 0.0
    monkeypatch.setattr("tfrobust.training.callbacks.progress.time.monotonic", lambda: now)
    shown = []
    progress.on_train_begin()
    monkeypatch.setattr(progress._bar, "show", lambda share, note: shown.append(note))
    progress.on_test_begin()
    for batch, now in enumerate((4.0, 8.0, 12.0)):  # noqa: B007
        progress.on_test_batch_end(batch)
    progress.on_train_end()
    assert shown == ["validation, batch 3 of 7"]
