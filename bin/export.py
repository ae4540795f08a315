"""Writes a trained classifier in forms that others load: see `python bin/export.py --help`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tfrobust_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main("export"))
