"""Trains one configuration with several values and seeds: see `python bin/sweep.py --help`."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from tfrobust.commands.sweep import COMMAND  # noqa: E402

if __name__ == "__main__":
    sys.exit(COMMAND.main())
