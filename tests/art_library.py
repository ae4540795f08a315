"""The Adversarial Robustness Toolbox, imported by one process at a time."""

import os
import pathlib
import tempfile
import warnings

import filelock
import pytest


def import_art() -> None:
    """Imports ART, or skips what asks for it.

    Its first import on a machine writes a file into the home folder, and looks twice whether it is there:
    fails with a NameError where another process writes it in between, as pytest's second one does.
    """
    lock = pathlib.Path(tempfile.gettempdir(), f"tfrobust_art_{os.getuid()}.lock")
    with filelock.FileLock(lock), warnings.catch_warnings():
        # It says which other libraries it has not found.
        warnings.simplefilter("ignore")
        pytest.importorskip("art.config", reason="ART is compared with where it is installed")
