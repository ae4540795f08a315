"""Runs commands, several at a time, and stops them all when asked."""

import dataclasses
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Sequence

from tfrobust.runs import kinds
from tfrobust.runs.signals import AskedToStop

_POLL = 0.1


@dataclasses.dataclass(frozen=True)
class Task:
    """Commands that belong to one run, one after the other.

    Args:
        name: of the run.
        commands: lists of words.
        log: file to which all that they print is appended.
        folders: that they write; while another process is in one, the task waits.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    log: pathlib.Path
    folders: tuple[pathlib.Path, ...] = ()


@dataclasses.dataclass
class _Running:
    task: Task
    left: list
    process: subprocess.Popen


def run_tasks(
    tasks: Sequence[Task],
    jobs: int,
    stop: AskedToStop,
    on_end: Callable[[Task, int], bool],
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Runs all tasks, each in processes of its own.

    A task ends at its first command with a status other than 0. When `stop` becomes true, no further one
    begins, those that run get SIGTERM, and the function returns when they have saved and ended; so it does
    where anything is raised. Processes that an earlier call left behind, as one that was killed does, are
    waited for.

    Args:
        tasks: `Task`s; they begin in this order.
        jobs: how many run at a time, at least 1.
        stop: `AskedToStop`.
        on_end: function of a task that has ended and of its status; False to begin no further one.
        tell: function of a line that is shown.
    """
    waiting, goes_on, told = list(tasks), True, False
    busy: set[str] = set()
    running: list[_Running] = []
    try:
        while running or (waiting and goes_on and not stop):
            while waiting and goes_on and not stop and len(running) < jobs:
                task = _take_free(waiting, busy, tell)
                if task is None:
                    break
                first = _start(task, task.commands[0])
                running.append(_Running(task, list(task.commands[1:]), first))
            time.sleep(_POLL)
            if stop and not told:
                told = True
                _terminate(running)
            for job in list(running):
                status = job.process.poll()
                if status is None:
                    continue
                if status == 0 and job.left and not stop:
                    job.process = _start(job.task, job.left.pop(0))
                    continue
                running.remove(job)
                if not (stop and (job.left or status)):
                    goes_on = on_end(job.task, status) and goes_on
    finally:
        _terminate(running)
        for job in running:
            job.process.wait()


def _take_free(waiting, busy, tell):
    """The first task that no other process is at, out of those that wait; None if there is none."""
    for task in waiting:
        if not any(kinds.is_claimed(folder) for folder in task.folders):
            waiting.remove(task)
            return task
        if task.name not in busy:
            busy.add(task.name)
            tell(f"{task.name}  waits: a process that an earlier call began is still at it")
    return None


def _terminate(running):
    for job in running:
        job.process.terminate()


def _start(task, command):
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with open(task.log, "ab") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        # A session of its own: Ctrl-C reaches the sweep, which tells each run once.
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ,
        )


def read_last_line(path: str | os.PathLike) -> str:
    """The last line of a log that says anything, for a message."""
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
