"""The page on pictures of one's own, as it is written: python -m pytest -m slow tests/test_own_images.py"""

import csv
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.data.photos import draw_photos

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "own_images.md"
FILES = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)
RUNS = re.compile(r"^<!-- run -->\n```bash\n(.*?)^```$", re.M | re.S)


def follow(page, folder):
    """Writes the files of a page into a folder, from which commands of the repository can be given."""
    for name in ("bin", "gin", "tfrobust"):
        (folder / name).symlink_to(ROOT / name)
    for name, text in FILES.findall(page.read_text()):
        (folder / name).write_text(text)


def run(command, folder, **expected):
    words = [sys.executable if word == "python" else word for word in command.split()]
    told = subprocess.run(
        " ".join(words), shell=True, cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert told.returncode == expected.get("status", 0), told.stdout[-2000:] + told.stderr[-2000:]
    return told.stdout + told.stderr


def write_data(folder):
    draw_photos(folder / "photos")
    draw_photos(folder / "more_photos", 20, seed=1, classes=("triangle", "circle"))
    pictures = sorted((folder / "photos").glob("*/*"))
    with open(folder / "list.csv", "w", newline="") as file:
        rows = [(path.relative_to(folder), path.parent.name) for path in pictures]
        csv.writer(file).writerows([("path", "label"), *rows])
    x, y = np.random.default_rng(0).integers(0, 256, (90, 12, 10, 3), np.uint8), np.arange(90) % 3
    np.savez(folder / "arrays.npz", x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.mark.slow
def test_the_page_holds_as_it_is_written(tmp_path):
    follow(PAGE, tmp_path)
    write_data(tmp_path)
    for block in RUNS.findall(PAGE.read_text()):
        for command in block.splitlines():
            run(command, tmp_path)
    report = (tmp_path / "runs" / "photos" / "report.json").read_text()
    right = [int(n) for n in re.findall(r'"right": (\d+)', report)]
    assert min(right[:2]) >= 30  # of 36


def test_a_module_of_the_working_directory_is_looked_for_before_tensorflow_is(tmp_path):
    follow(PAGE, tmp_path)
    code = "import sys; sys.path[:0] = ['bin', '.']; import tfrobust_command as c;"
    code += "status = c.main('train', ['x', '--gin_file=mine.gin', '--trust', '--dry_run']);"
    code += "assert 'tensorflow' not in sys.modules; sys.exit(status)"
    os.rename(tmp_path / "my_data.py", tmp_path / "your_data.py")
    told = run(f'python -c "{code}"', tmp_path, status=2)
    assert "imports my_data, and there is no such module in" in told and str(tmp_path) in told
    (tmp_path / "my_data.py").write_text("def loaded():\n    raise SystemExit('it was run')\n")
    told = run(f'python -c "{code}"', tmp_path, status=2)
    assert "my_data has no load. Did you mean 'loaded'?" in told
    (tmp_path / "my_data.py").write_text("def load(image):\n    raise SystemExit('it was run')\n")
    told = run(f'python -c "{code}"', tmp_path, status=2)
    assert "my_data.load has no argument images. Did you mean 'image'?" in told
