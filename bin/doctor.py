"""Looks whether tfrobust can work on this machine: see `python bin/doctor.py --help`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tfrobust_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main("doctor"))
