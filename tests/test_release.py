"""A release: its version stands in one place, and the changes say which one it is and of which day."""

import configparser
import datetime
import pathlib
import re

from tfrobust.version import __version__

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_the_top_of_the_changes_is_this_version():
    changes = (ROOT / "tfrobust" / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+) \((\S+)\)$", changes, re.M)
    assert headings[0][0] == __version__
    dates = [datetime.date.fromisoformat(day) for _, day in headings]
    assert dates == sorted(dates, reverse=True)
    # Whatever is joined line by line could double a heading.
    assert len(re.findall(r"^## ", changes, re.M)) == len({version for version, _ in headings})


def test_the_version_is_written_once():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["metadata"]["version"] == "attr: tfrobust.version.__version__"
    holders = [
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("*.py"), *ROOT.glob("*.toml"), *ROOT.glob("tfrobust/**/*.py")]
        if f'"{__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert holders == ["tfrobust/version.py"]
