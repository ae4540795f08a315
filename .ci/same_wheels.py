"""Compares the files of two wheels: python .ci/same_wheels.py ONE.whl OTHER.whl ."""

import sys
import zipfile


def read_members(path):
    """Name of each file -> its checksum; but for the list of them all, whose order is free."""
    with zipfile.ZipFile(path) as wheel:
        return {m.filename: m.CRC for m in wheel.infolist() if not m.filename.endswith("/RECORD")}


one, other = map(read_members, sys.argv[1:])
differ = sorted(name for name in one | other if one.get(name) != other.get(name))
if differ:
    sys.exit(f"The wheels differ in {len(differ)} of {len(one | other)} files: {differ[:5]}")
print(f"{len(one)} files, all the same")
