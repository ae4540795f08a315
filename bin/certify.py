"""Proves the robustness of a classifier, example by example: see `python bin/certify.py --help`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tfrobust_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main("certify"))
