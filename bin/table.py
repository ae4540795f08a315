"""Makes the README's table of results out of the folders of runs.

    python bin/table.py runs/*                          prints the table
    python bin/table.py --readme=README.md runs/*       puts it between the README's markers

Every number is read from a run's report.json; nothing is typed in.
"""

import json
import pathlib
import re

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string("readme", None, "File in which the table between the markers is replaced.")

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
HEAD = """| gin file | method | data | threat model | clean | PGD-20 | 95 % interval | training |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def row(folder):
    """One line of the table."""
    result = json.loads(pathlib.Path(folder, "report.json").read_text(encoding="utf-8"))
    gin = result["gin_files"][-1]
    clean, robust = (result[key]["right"] / result[key]["total"] for key in ("clean", "robust"))
    low, high = result["robust"]["interval"]
    epsilon = re.search(r"epsilon=([^)]*)", result["threat_model"])[1].strip("'")
    return (
        f"| [{pathlib.Path(gin).stem}]({gin}) | {result['method']} | {result['data']} "
        f"| {result['threat_model'].split('(')[0]} {epsilon} | {100 * clean:.2f} | {100 * robust:.2f} "
        f"| {100 * low:.1f} to {100 * high:.1f} | {result['training_seconds']:.0f} s |"
    )


def main(argv):
    folders = [f for f in argv[1:] if pathlib.Path(f, "report.json").is_file()]
    if not folders:
        raise app.UsageError("Give the folders of finished runs, such as runs/*.")
    table = "\n".join([HEAD, *sorted(map(row, folders), key=_data_first)])
    if not FLAGS.readme:
        print(table)
        return
    path = pathlib.Path(FLAGS.readme)
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def _data_first(line):
    return line.split("|")[3], line


if __name__ == "__main__":
    app.run(main)
