"""Looks whether tfrobust can work on this machine, and says what is missing and how to get it.

    python bin/doctor.py
    python bin/doctor.py --workdir=/data/runs --data_dir=/data/tfds
    python bin/doctor.py --notrials               without trials: in a second

It looks at versions beside those that tfrobust was tested with, memory, the disk, data sets and optional
packages. Then it tries in a process of its own, in half a minute, what TensorFlow does here: devices, mixed
precision, XLA, and a few steps of robust training. Nothing is written and nothing is downloaded.

A line says "ok"; "note", which is worth knowing; or "FAULT", without which the main job cannot run.

Exit status: 0 a robust classifier can be trained here; 1 not, and the last lines say why; 2 something in the
request cannot work.
"""

import platform

from absl import flags

from tfrobust.commands.checkup import machine
from tfrobust.commands.checkup.finding import FAULT, Finding
from tfrobust.commands.checkup.trials import run_trials
from tfrobust.commands.start.command_line import DONE, Command
from tfrobust.version import __version__

UNFIT = 1


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_string("workdir", "runs", "Where runs are to be written.", **given)
    flags.DEFINE_string(
        "data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.", **given
    )
    flags.DEFINE_bool("trials", True, "Try what TensorFlow does here.", **given)


def _run(values):
    print(f"tfrobust {__version__}, {platform.platform()}", flush=True)
    faults = []
    for title, look in _list_looks(values):
        findings = look()
        lines = "\n".join(finding.format() for finding in findings)
        print(f"\n{title}\n{lines}", flush=True)
        faults += [finding for finding in findings if finding.level == FAULT]
    if faults:
        reasons = "\n".join(finding.format() for finding in faults)
        print(f"\nA robust classifier cannot be trained here:\n{reasons}")
        return UNFIT
    print(
        "\nA robust classifier can be trained here."
        if values.trials
        else "\nNothing is missing; what TensorFlow does was not tried."
    )
    return DONE


def _list_looks(values):
    requirements: dict = {}

    def look_at_packages():
        try:
            from tfrobust.commands.checkup import requirements as room
        except ImportError as error:
            return [Finding(FAULT, f"{error}.", "Install it with: pip install packaging")]
        requirements.update(room.read_requirements())
        return room.check_requirements(requirements[""])

    def look_at_extras():
        from tfrobust.commands.checkup.requirements import check_extras

        return check_extras(requirements)

    yield "Packages", look_at_packages
    yield (
        "Machine",
        lambda: [
            machine.check_python(),
            machine.check_memory(),
            machine.check_folder(values.workdir),
        ],
    )
    yield "Data", lambda: machine.check_data(values.data_dir)
    if requirements:
        yield "Extras, for what not everybody does", look_at_extras
    if values.trials:
        yield "TensorFlow, tried", run_trials


COMMAND = Command("doctor", __doc__, _define, _run, needs_tensorflow=lambda *_: False)
