"""A sweep whose commands take no time: what stands for training and evaluation."""

import sys

from tfrobust.runs.signals import AskedToStop
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import parse_grid
from tfrobust.sweeps.sweep import Sweep

# Leaves what a run leaves, with an accuracy that follows from BETA; 7 diverges, 8 is refused, 9 is killed.
TRAIN = """
import json, os, pathlib, re, signal, sys
given = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:] if not a.startswith("--gin_b"))
lines = [a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith("--gin_b")]
bound = {k.strip(): float(v) for k, v in (line.split("=") for line in lines)}
print("started", bound)
if bound["BETA"] == 9:
    os.kill(os.getpid(), signal.SIGKILL)
if bound["BETA"] in (7, 8):
    print("error: no such beta")
    sys.exit({7: 3, 8: 2}[bound["BETA"]])
folder = pathlib.Path(given["workdir"])
(folder / "export").mkdir(parents=True)
right = int(50 + bound["BETA"] + bound.get("training.train.seed", 0))
counts = {"right": right, "total": 100, "interval": [0.1, 0.9]}
report = {"method": "TRADES", "data": "digits", "threat_model": "Linf(epsilon=0.15)", "gin_files": [],
          "clean": {**counts, "right": 90}, "robust": counts, "training_seconds": 2.0,
          "test_attack": "PGD", "seed": bound.get("training.train.seed", 0)}
rows = "".join(f"{i},true,{'true' if i < right else 'false'}\\n" for i in range(100))
(folder / "test_examples.csv").write_text("id,clean_right,robust\\n" + rows)
(folder / "report.md").write_text("")
(folder / "export" / "export.json").write_text("{}")
(folder / "report.json").write_text(json.dumps(report))
"""


EVALUATE = """
import json, pathlib, sys
given = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:])
folder = pathlib.Path(given["workdir"])
folder.mkdir(parents=True)
(folder / "report.json").write_text(json.dumps({"tfrobust": {"schema": 1, "robust": {"accuracy": 0.25}}}))
"""


NEVER = AskedToStop(lambda: False)


def make_sweep(tmp_path, grid, seeds=(), suite=None, **shared):
    for name, text in (("train", TRAIN), ("evaluate", EVALUATE)):
        (tmp_path / f"{name}.py").write_text(text)
    folder = SweepFolder(tmp_path / "sweep", {"suite": suite, **shared}, parse_grid(grid, seeds))
    commands = {n: (sys.executable, str(tmp_path / f"{n}.py")) for n in ("train", "evaluate")}
    return Sweep(folder, commands, "gin/trades.gin", suite=suite)


def run(sweep, jobs=2, stop=NEVER):
    told = []
    with sweep.folder.claim():
        failed = sweep.run(jobs, stop, told.append)
    return failed, told
