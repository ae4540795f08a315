"""Measures what a training step or an evaluation costs: see `python bin/benchmark.py --help`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tfrobust_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main("benchmark"))
