"""Who trains together, as TF_CONFIG or SLURM tells each process."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tfrobust.errors import UserError
from tfrobust.training.cluster.slurm import read_slurm

_EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, and which of them this process is.

    Args:
        addresses: host:port of each worker; the first is the chief's.
        index: number of this process in them.
        source: where it was read, for messages: "TF_CONFIG" or "SLURM".
    """

    addresses: tuple[str, ...]
    index: int
    source: str


def find_cluster(environment: Mapping[str, str]) -> Cluster:
    """Reads who trains together.

    `TF_CONFIG`, as TensorFlow documents it, goes before the variables of a SLURM job step, which `srun` sets.

    Args:
        environment: of the process, such as `os.environ`.

    Returns:
        A `Cluster`.

    Raises:
        UserError: there is neither, or it is not complete.
    """
    if environment.get("TF_CONFIG"):
        return _read_tf_config(environment["TF_CONFIG"])
    if "SLURM_STEP_NODELIST" in environment:
        addresses, index = read_slurm(environment)
        return Cluster(addresses, index, "SLURM")
    raise UserError(
        "strategy='multi_worker' needs to know the workers: set TF_CONFIG for each process, such as "
        f"{_EXAMPLE}, or start the processes with srun in a SLURM job. Neither was found."
    )


def split_bindings(text: str) -> dict[str, str]:
    """The lines of a configuration by what they bind, to be compared one by one."""
    pairs = (line.partition(" = ") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _read_tf_config(text):
    try:
        content: Any = json.loads(text)
        jobs = {name: list(hosts) for name, hosts in content["cluster"].items() if hosts}
        kind, index = content["task"]["type"], content["task"]["index"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG must be JSON such as {_EXAMPLE}. Received: {text[:200]!r}."
        ) from error
    strange = sorted(set(jobs) - {"chief", "worker"})
    if strange or len(jobs.get("chief", ())) > 1:
        what = strange[0] if strange else "several chiefs"
        raise UserError(
            f"TF_CONFIG names {what!r}: only workers, and one chief among them, train together here. "
            "Evaluate with tfrobust evaluate."
        )
    order = [(name, i) for name in ("chief", "worker") for i in range(len(jobs.get(name, ())))]
    if (kind, index) not in order:
        raise UserError(
            f"TF_CONFIG gives this process the task {kind!r} {index!r}, which is not in its cluster of "
            f"{len(order)}: {', '.join(f'{name} {i}' for name, i in order)}."
        )
    addresses = tuple(jobs[name][i] for name, i in order)
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r"\S+:\d{1,5}", address):
            raise UserError(f"TF_CONFIG must name each worker as host:port. Received: {address!r}.")
    if len(set(addresses)) < len(addresses):
        raise UserError(f"TF_CONFIG names an address twice. Received: {', '.join(addresses)}.")
    return Cluster(addresses, order.index((kind, index)), "TF_CONFIG")
