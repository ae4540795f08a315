"""The workers of a SLURM job step, from the variables that `srun` sets.

TensorFlow's `SlurmClusterResolver` sorts the hosts by name where SLURM counts in the order of its list (n9
before n10), asks nvidia-smi on machines that have none, and chooses GPUs that SLURM has chosen already.
"""

import itertools
import re
from collections.abc import Mapping

from tfrobust.errors import UserError

# Jobs that share a machine get different ports; below those that systems hand out by themselves.
_FIRST_PORT, _PORTS = 12000, 20000


def read_slurm(environment: Mapping[str, str]) -> tuple[tuple[str, ...], int]:
    """The addresses of the tasks of this job step, and the number of this process.

    Task i of the step is worker i. Its port follows from the number of the job, and its place on its machine.

    Args:
        environment: of the process.

    Returns:
        host:port of each task, and the index of this one.

    Raises:
        UserError: a variable is missing, or tasks are not distributed block by block.
    """
    read = {
        name: _read(environment, name)
        for name in (
            "STEP_NODELIST",
            "STEP_TASKS_PER_NODE",
            "PROCID",
            "NODEID",
            "LOCALID",
            "JOB_ID",
        )
    }
    hosts = expand_hosts(read["STEP_NODELIST"])
    counts = expand_counts(read["STEP_TASKS_PER_NODE"])
    if len(hosts) != len(counts):
        raise UserError(
            f"SLURM names {len(hosts)} machines and {len(counts)} counts of tasks: "
            f"{read['STEP_NODELIST']}, {read['STEP_TASKS_PER_NODE']}."
        )
    first = _FIRST_PORT + int(read["JOB_ID"]) % _PORTS
    places = [(node, local) for node, count in enumerate(counts) for local in range(count)]
    index = int(read["PROCID"])
    here = int(read["NODEID"]), int(read["LOCALID"])
    if index >= len(places) or places[index] != here:
        raise UserError(
            f"SLURM runs task {index} as number {here[1]} on machine {here[0]}: not block by block. Start "
            "the workers with srun --distribution=block."
        )
    return tuple(f"{hosts[node]}:{first + local}" for node, local in places), index


def _read(environment, name):
    value = environment.get(f"SLURM_{name}")
    if not value:
        raise UserError(f"SLURM_{name} is not set: start the workers with srun.")
    return value


def expand_hosts(text: str) -> list[str]:
    """The machines of a SLURM list, in its order.

    Args:
        text: such as "gpu[01-03,7],login".

    Returns:
        A list such as ["gpu01", "gpu02", "gpu03", "gpu7", "login"].

    Example:
    >>> from tfrobust.training.cluster.slurm import expand_hosts
    >>> expand_hosts("rack[0-1]n[9-10]")
    ['rack0n9', 'rack0n10', 'rack1n9', 'rack1n10']
    """
    hosts = []
    for name in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        parts = [
            _expand_ranges(part[1:-1]) if part.startswith("[") else [part]
            for part in re.findall(r"\[[^\]]*\]|[^\[\]]+", name)
        ]
        hosts += ["".join(pieces) for pieces in itertools.product(*parts)]
    return hosts


def _expand_ranges(text):
    for one in text.split(","):
        first, _, last = one.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))


def expand_counts(text: str) -> list[int]:
    """The number of tasks on each machine, from SLURM's short form.

    Args:
        text: such as "4(x2),1".

    Returns:
        A list such as [4, 4, 1].
    """
    counts = []
    for one in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", one)
        if match is None:
            raise UserError(
                f"SLURM_STEP_TASKS_PER_NODE is not such as '4(x2),1'. Received: {text!r}."
            )
        counts += [int(match[1])] * int(match[2] or 1)
    return counts
