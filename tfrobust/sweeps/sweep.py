"""Runs what is missing of a sweep, and writes what came out."""

import pathlib
import time
from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from tfrobust.errors import Interrupted, UserError
from tfrobust.plots.pixels import encode_figure
from tfrobust.plots.sweeps import plot_sweep
from tfrobust.runs import files
from tfrobust.runs.reports.run_report import read_duration
from tfrobust.runs.signals import AskedToStop
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import Point
from tfrobust.sweeps.results import (
    Group,
    Result,
    evaluation_folder,
    find_evaluation,
    group_results,
    read_evaluation_seconds,
    read_result,
)
from tfrobust.sweeps.tables import format_csv, format_groups
from tfrobust.sweeps.work import Task, read_last_line, run_tasks

REFUSED, DIVERGED = 2, 3


class Sweep:
    """Trains and evaluates the points of a sweep that are not complete.

    Args:
        folder: `SweepFolder`.
        commands: from "train" and "evaluate" to the words that call them.
        gin_file: path of the file that all runs share.
        gin_bindings: lines of gin that all runs share.
        suite: name of a suite under which finished runs are evaluated, or None.
        flags: from "train" and "evaluate" to further flags of all calls.
    """

    def __init__(
        self,
        folder: SweepFolder,
        commands: dict[str, Sequence[str]],
        gin_file: str,
        gin_bindings: Sequence[str] = (),
        suite: str | None = None,
        flags: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder, self.commands, self.gin_file = folder, commands, gin_file
        self.gin_bindings, self.suite, self.flags = tuple(gin_bindings), suite, flags or {}

    def missing(self) -> list[Point]:
        """The points that were asked for and are not complete."""
        return [point for point in self.folder.asked if not self.is_complete(point)]

    def is_complete(self, point: Point) -> bool:
        """Whether the run of a point has ended, and is judged."""
        return not any(self._steps(point))

    def list_untrained(self) -> list[Point]:
        """The points that were asked for and whose training has not ended."""
        return [p for p in self.folder.asked if not is_trained(self.folder.run_folder(p))]

    def list_unjudged(self) -> list[Point]:
        """The points that were asked for and have not been evaluated under the suite, if there is one."""
        return [p for p in self.folder.asked if self.suite and not self._find_evaluation(p)]

    def list_durations(self) -> list[float]:
        """Seconds of each training that has ended, with its test and export."""
        runs = map(self.folder.run_folder, self.folder.points)
        return [read_duration(run) for run in runs if is_trained(run)]

    def list_evaluation_seconds(self) -> list[float]:
        """Seconds of each evaluation under the suite that has ended."""
        found = filter(None, map(self._find_evaluation, self.folder.points))
        return [read_evaluation_seconds(folder) for folder in found]

    def _find_evaluation(self, point):
        return find_evaluation(self.folder.run_folder(point), self.suite)

    def training_command(self, point: Point, *more: str) -> tuple[str, ...]:
        """The words of the command that trains a point."""
        lines = (*self.gin_bindings, *point.bindings)
        return (
            *self.commands["train"],
            f"--gin_file={self.gin_file}",
            *(f"--gin_bindings={line}" for line in lines),
            f"--workdir={self.folder.run_folder(point)}",
            *self.flags.get("train", ()),
            *more,
        )

    def results(self) -> list[Result]:
        """What the runs of all points came to, those of former calls too."""
        return [
            read_result(self.folder.run_folder(point), point, self.suite)
            for point in self.folder.points
        ]

    def run(self, jobs: int, stop: AskedToStop, tell: Callable[[str], None]) -> list[str]:
        """Runs what is missing, and writes table, figure and dashboard when runs have ended, and at the end.

        Args:
            jobs: runs at a time.
            stop: `AskedToStop`; the runs then save and end.
            tell: function of a line that is shown.

        Returns:
            The names of runs that failed.

        Raises:
            UserError: a command refused its request before any run of the sweep was complete; the others
                that ran have ended.
            Interrupted: `stop` became true.
        """
        todo = self.missing()
        tasks = [
            Task(p.name, tuple(self._steps(p)), self.folder.log(p), self._folders(p)) for p in todo
        ]
        failed, refused = [], []
        write = _Seldom(self.write)

        def on_end(task, status):
            told = {0: "done", DIVERGED: "diverged"}.get(status, f"failed with status {status}")
            last = "" if status == 0 else f": {read_last_line(task.log)} (see {task.log})"
            tell(f"{task.name}  {told}{last}")
            if status:
                failed.append(task.name)
            if status == REFUSED:
                refused.append(f"{task.name}: {read_last_line(task.log)}")
            write()
            # What no run can do is seen at once; what one of many cannot do keeps none of the others waiting.
            return status != REFUSED or any(self.is_complete(point) for point in self.folder.points)

        run_tasks(tasks, jobs, stop, on_end, tell)
        self.write()
        if stop:
            raise Interrupted(f"Stopped on request; the runs in {self.folder.path} are saved.")
        if refused and not any(self.is_complete(point) for point in self.folder.points):
            raise UserError(f"A run cannot work, and no further one was begun: {refused[0]}")
        return failed

    def write(self) -> str:
        """Writes sweep.md, sweep.csv, sweep.png and the dashboard's files; returns the table."""
        from tfrobust.sweeps.hparams import write_hparams

        results = self.results()
        groups = group_results(results)
        table = format_groups(groups, self.suite)
        path = self.folder.path
        files.write_text(path / "sweep.md", f"# {self.gin_file}\n\n{table}")
        files.write_text(path / "sweep.csv", format_csv(results))
        if any(result.accuracies for result in results):
            picture = encode_figure(draw_groups(groups, self.suite), "png", dpi=150)
            files.write_bytes(path / "sweep.png", picture)
            write_hparams(self.folder, results)
        return table

    def _folders(self, point):
        """The folders that the commands of a point write."""
        run = self.folder.run_folder(point)
        return (run,) if self.suite is None else (run, evaluation_folder(run, self.suite))

    def _steps(self, point):
        """The commands that a point still needs."""
        run = self.folder.run_folder(point)
        if not is_trained(run):
            yield self.training_command(point)
        if self.suite is not None and self._find_evaluation(point) is None:
            yield (
                *self.commands["evaluate"],
                f"--model={run}",
                f"--suite={self.suite}",
                f"--workdir={evaluation_folder(run, self.suite)}",
                *self.flags.get("evaluate", ()),
            )


class _Seldom:
    """Calls a function unless that would take more than a twentieth of the time: large tables take long."""

    def __init__(self, function):
        self._function, self._next = function, 0.0

    def __call__(self):
        began = time.monotonic()
        if began >= self._next:
            self._function()
            self._next = time.monotonic() + 20 * (time.monotonic() - began)


def draw_groups(groups: Sequence[Group], suite: str | None) -> Figure:
    """The sweep's figure: accuracies against the first swept name, a line for each value of the others."""
    titles = {"clean": "clean accuracy", "robust": "robust accuracy, test attack"}
    titles |= {} if suite is None else {"suite": f"robust accuracy, {suite}"}
    panels: dict[str, dict] = {title: {} for title in titles.values()}
    for group in groups:
        (first, *others) = group.values or (("", "all"),)
        label = ", ".join(f"{name} {value}" for name, value in others)
        for measure, title in titles.items():
            mean = group.mean(measure)
            if mean is not None:
                point = (first[1], mean, group.deviation(measure) or 0.0)
                panels[title].setdefault(label, []).append(point)
    swept = groups[0].values
    return plot_sweep(
        {title: curves for title, curves in panels.items() if curves}, swept[0][0] if swept else ""
    )


def is_trained(run: pathlib.Path) -> bool:
    """Whether the run in a folder has ended and left its export."""
    # What `Workspace.is_complete` asks for; the command looks again.
    return all(
        (run / name).is_file() for name in ("report.json", "report.md", "export/export.json")
    )
