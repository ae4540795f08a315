"""Draws the learning curves of runs.

    python bin/plot.py --output=curves.png runs/trades runs/trades_mer

Exit status: 0 done; 2 something in the request cannot work.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("output", "curves.png", "Picture to write; its ending says in which format.")


def main(argv):
    from tfrobust.errors import UserError
    from tfrobust.plots import plot_curves

    try:
        plot_curves(argv[1:]).savefig(FLAGS.output, dpi=150)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {FLAGS.output}")
    return 0


if __name__ == "__main__":
    app.run(main)
