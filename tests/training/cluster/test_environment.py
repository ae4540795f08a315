"""Who trains together: what TF_CONFIG and SLURM say, and what of it cannot work."""

import json

import pytest
from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver

from tfrobust.errors import UserError
from tfrobust.training.cluster.environment import Cluster, find_cluster, split_bindings
from tfrobust.training.cluster.slurm import expand_counts, expand_hosts


def tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


SLURM = {
    "SLURM_STEP_NODELIST": "n[9-10],m",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_JOB_ID": "40007",
}


def slurm(index, node, local):
    task = {"SLURM_PROCID": index, "SLURM_NODEID": node, "SLURM_LOCALID": local}
    return SLURM | {name: str(number) for name, number in task.items()}


def test_tf_config():
    hosts = ["a:1", "b:2"]
    assert find_cluster(tf_config({"worker": hosts}, index=1)) == Cluster(
        ("a:1", "b:2"), 1, "TF_CONFIG"
    )
    mixed = {"worker": hosts, "chief": ["c:3"]}
    assert find_cluster(tf_config(mixed, "chief")).index == 0
    assert find_cluster(tf_config(mixed, "worker", 1)) == Cluster(
        ("c:3", "a:1", "b:2"), 2, "TF_CONFIG"
    )
    # It goes before SLURM's variables.
    assert find_cluster(slurm(0, 0, 0) | tf_config({"worker": hosts})).addresses == ("a:1", "b:2")


def test_slurm():
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    found = [find_cluster(slurm(i, *place)) for i, place in enumerate(places)]
    assert [cluster.index for cluster in found] == list(range(5))
    (addresses,) = {cluster.addresses for cluster in found}
    # SLURM's order, not that of the letters; 12000 + 40007 % 20000, and one more for a second task.
    assert addresses == ("n9:12007", "n9:12008", "n10:12007", "n10:12008", "m:12007")


@pytest.mark.parametrize(
    "text", ["n1", "n1,m2", "gpu[01-03,07],login", "n[1-2],m5,o[3-4,6,7-9]", "node[098-101]"]
)
def test_lists_of_hosts_as_tensorflow_reads_them(text):
    assert expand_hosts(text) == slurm_cluster_resolver.expand_hostlist(text)


def test_counts_as_tensorflow_reads_them():
    text = "3(x2),2,1"
    assert expand_counts(text) == slurm_cluster_resolver.expand_tasks_per_node(text) == [3, 3, 2, 1]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "set TF_CONFIG for each process, such as .* or start the processes with srun"),
        ({"TF_CONFIG": "worker 1"}, "must be JSON such as"),
        ({"TF_CONFIG": "[]"}, "must be JSON such as"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}), "names 'ps': only workers"),
        (tf_config({"worker": ["a:1"], "evaluator": ["b:1"]}), "names 'evaluator'"),
        (tf_config({"chief": ["a:1", "b:1"]}, "chief"), "several chiefs"),
        (tf_config({"worker": ["a:1", "b:1"]}, index=2), "'worker' 2, which is not in its cluster"),
        (tf_config({"worker": ["a:1", "b"]}), "host:port. Received: 'b'"),
        (tf_config({"worker": ["a:1", "a:1"]}), "names an address twice"),
        ({k: v for k, v in slurm(0, 0, 0).items() if "PROCID" not in k}, "SLURM_PROCID is not set"),
        (slurm(1, 1, 0), "task 1 as number 0 on machine 1: not block by block"),
        (slurm(0, 0, 0) | {"SLURM_STEP_NODELIST": "n1"}, "1 machines and 3 counts"),
        (slurm(0, 0, 0) | {"SLURM_STEP_TASKS_PER_NODE": "2,x"}, "is not such as"),
    ],
)
def test_what_cannot_work(environment, message):
    with pytest.raises(UserError, match=message):
        find_cluster(environment)


def test_bindings_are_compared_one_by_one():
    assert split_bindings("# a = 1\n\na.b = 2\nc = [1,\n  2]\n") == {
        "# a": "1",
        "a.b": "2",
        "c": "[1,",
        "2]": "",
    }
