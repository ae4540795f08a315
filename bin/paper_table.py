"""Prints a table of a paper with our runs beside it: see `python bin/paper_table.py --help`."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from tfrobust.commands.paper_table import COMMAND  # noqa: E402

if __name__ == "__main__":
    sys.exit(COMMAND.main())
