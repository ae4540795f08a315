"""The files of docs/clusters.md: they parse, and their commands are ones that tfrobust's flags accept."""

import json
import os
import pathlib
import re
import stat
import subprocess

import pytest
import yaml
from absl import flags

from tfrobust.commands import evaluate, train
from tfrobust.commands.parts import evaluation
from tfrobust.training.cluster.environment import find_cluster

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "clusters.md").read_text()
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
COMMANDS = {"bin/train.py": train.COMMAND, "bin/evaluate.py": evaluate.COMMAND}
# What it was called with and TF_CONFIG, one line of JSON for each call.
PYTHON = """#!/bin/bash
printf '%s\\n' "${TF_CONFIG:-}" "$@" > "$CALLS/$RANDOM$RANDOM"
exit 0
"""
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
exec "$@"
"""


def called(tmp_path, text, *arguments, **environment):
    """What a script calls Python with: the value of TF_CONFIG, and the command line."""
    for name, body in (("venv/python", PYTHON), ("bin/python", PYTHON), ("bin/srun", SRUN)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(body)
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
    (tmp_path / ".venv").mkdir(exist_ok=True)
    (tmp_path / ".venv" / "bin").symlink_to(tmp_path / "venv")
    calls = tmp_path / "calls"
    calls.mkdir()
    script = tmp_path / "script"
    script.write_text(text)
    environment |= {"CALLS": str(calls), "SLURM_SUBMIT_DIR": str(tmp_path)}
    environment |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["bash", script, *arguments], cwd=tmp_path, env=environment, check=True)
    (call,) = calls.iterdir()
    config, *line = call.read_text().split("\n")[:-1]
    return config, line


def parse(line):
    """The flags of a command line, as the command itself reads them."""
    values = flags.FlagValues()
    COMMANDS[line[0]].define(values)
    _, *rest = values(line)
    assert rest == []
    return values


def check_training(config, line, index):
    values = parse(line)
    assert values.strategy == "multi_worker" and values.workdir
    assert all((ROOT / name).is_file() for name in values.gin_file)
    if config:
        cluster = find_cluster({"TF_CONFIG": config})
        assert cluster.index == index and len(cluster.addresses) == 2


def test_the_page_has_all_files():
    assert list(FILES) == [
        "train.sbatch",
        "evaluate.sbatch",
        "merge.sbatch",
        "train.yaml",
        "evaluate.yaml",
        "train.sh",
    ]


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("yaml")])
def test_scripts_are_bash(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    subprocess.run(["bash", "-n", tmp_path / name], check=True)


def test_training_by_slurm(tmp_path):
    check_training(*called(tmp_path, FILES["train.sbatch"]), 0)


def test_evaluation_by_slurm(tmp_path):
    environment = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}
    _, line = called(tmp_path, FILES["evaluate.sbatch"], **environment)
    assert evaluation.parse_shard(parse(line).shard) == (3, 8)
    (tmp_path / "merge").mkdir()
    _, line = called(tmp_path / "merge", FILES["merge.sbatch"])
    folders = parse(line).merge
    assert len(folders) == 8 and folders[3] == "evaluations/trades_awp/shard-3"


def read_job(name):
    documents = list(yaml.safe_load_all(FILES[name]))
    job = documents[-1]
    assert job["apiVersion"] == "batch/v1" and job["kind"] == "Job"
    assert job["spec"]["completionMode"] == "Indexed"
    return documents, job, job["spec"]["template"]["spec"]["containers"][0]


def test_training_by_kubernetes(tmp_path):
    (service, _), job, container = read_job("train.yaml")
    assert container["command"] == ["bash", "-c"]
    config, line = called(tmp_path, container["args"][0], JOB_COMPLETION_INDEX="1")
    # The script writes TF_CONFIG over two lines.
    config, line = config + line[0], line[1:]
    check_training(config, line, 1)
    # The name of pod i of an indexed Job, below the service's.
    hosts = json.loads(config)["cluster"]["worker"]
    name, subdomain = job["metadata"]["name"], job["spec"]["template"]["spec"]["subdomain"]
    assert hosts == [f"{name}-{i}.{subdomain}:12345" for i in range(job["spec"]["completions"])]
    assert service["metadata"]["name"] == subdomain
    assert service["spec"]["selector"] == {"job-name": name}


def test_evaluation_by_kubernetes(tmp_path):
    _, job, container = read_job("evaluate.yaml")
    _, line = called(tmp_path, container["args"][0], JOB_COMPLETION_INDEX="5")
    assert evaluation.parse_shard(parse(line).shard) == (5, job["spec"]["completions"])


def test_training_on_plain_machines(tmp_path):
    config, line = called(tmp_path, FILES["train.sh"], "1", "node0", "node1")
    check_training(config, line, 1)
    assert json.loads(config)["cluster"]["worker"] == ["node0:12345", "node1:12345"]
