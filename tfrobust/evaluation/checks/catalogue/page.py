"""Writes `docs/checks.md`.

python -m tfrobust.evaluation.checks.catalogue.page > docs/checks.md
"""

from tfrobust.evaluation.checks.after.noise import PASSES
from tfrobust.evaluation.checks.beside.budget import COST, FEWEST
from tfrobust.evaluation.checks.catalogue.entries import list_checks
from tfrobust.evaluation.checks.check import Check, Limits
from tfrobust.evaluation.reports.passes import AUTOATTACK

_HEAD = """\
# Checks of an evaluation

<!-- Made from the checks themselves; don't edit it. To write it again:
python -m tfrobust.evaluation.checks.catalogue.page > docs/checks.md -->

Robust accuracy is an upper bound, and a weak attack makes a high one. `tfrobust.evaluate` therefore checks
the data, the classifier and its own attacks, and says in `report.md`, and in `report.json` under
`findings`, what it saw and what to do. A finding is *passed*; *info*, worth knowing; *warning*, look before
you trust the number; *severe*, the number is not trustworthy; or *error*, the evaluation means nothing (an
error before the attacks stops it, unless it is forced).

`checks="full"` makes all checks, `"contract"` leaves out those beside the attacks, `"none"` makes none.
`"auto"`, the default, is "contract" after a suite of one attack of at most {short} passes of an example,
such as `pgd_20`, and "full" otherwise. In `tfrobust evaluate` it is `--checks`. Limits and sizes are settings
of the check that uses them, and are changed by its id; the report lists what was changed:

<!-- not run: a line of yours, with your model -->
```python
tfrobust.evaluate(model, (images, labels), attack, thresholds={{"C8": {{"share": 0.01}}}})
```

and for the command `--thresholds=C8.share=0.01,C36.share=1`.

Where a source has a number, it is the default: AutoAttack's code for C1 `slack`, C5 `difference` and C8
`square_share`; Carlini et al., "On Evaluating Adversarial Robustness", 2019, for C15 `long_samples`; Pintor
et al., "Indicators of Attack Failure", 2022, for C12 `late_progress`. C17 `gap` is where a softmax in
float32 becomes exactly 1. All other defaults are our own choice.

## What they cost

A pass is a forward or a backward pass of one example. The checks before the attacks make about forty passes
of each of the first {examples} examples, those after the attacks {votes} of each example (C22). Those beside
the attacks may make {share:.0%} of the passes that the attacks made; with `checks="full"` {floor:,} in any
case, which is what AutoAttack makes for {robust:.1f} robust examples of ten classes. They never take more
than {seconds} seconds on the machine at hand: they are granted passes that take half of that at the pace of
the attacks (rounded down to 1, 2 or 5 times a power of ten, so that what is looked at hardly ever changes
from run to run), and when it is over none is begun. With few passes they look at fewer examples, at least
{fewest}, and make C9, C11, C12, C14, C16, C18b, C23, C31 and, as far as passes are left, the others. With a
report folder, a quarter of their share goes to the curve of accuracy against the radius. C36 says what was
spent, what was left out, and what all of them take; its settings, such as `share`, change it.

What the suite's attacks found is used: examples that they broke get no noise (C15); an attack of at least
{steps} steps on margin or DLR, or with targets, stands for the checks' own in C12, C13, C15 and C16, and is
what one step is compared with in C9. The history of C12 and the seeds of C13 and C33 come from one attack,
which is traced once for all starts and radii. Noise is keyed by the examples' ids.
"""

_GROUPS = {
    "before": "## Before the attacks\n\nWhat is given, and what the classifier makes of it.",
    "beside": "## Beside the attacks\n\nShort attacks of their own on a few examples: an attack that cannot "
    "climb a classifier\nis not the same as a classifier that is robust.",
    "after": "## After the attacks\n\nWhat the finished evaluation says about itself.",
}


def make_page() -> str:
    """The text of `docs/checks.md`: how the checks are used, what they cost, and an entry for each.

    Example:
    >>> make_page().splitlines()[0]
    '# Checks of an evaluation'
    """
    limits = Limits()
    cost = vars(limits[COST])
    robust, votes = cost["floor"] / AUTOATTACK, limits[PASSES].passes
    parts = [_HEAD.format(**cost, votes=votes, robust=robust, fewest=FEWEST)]
    for when, head in _GROUPS.items():
        parts += [head, *map(_entry, list_checks(when))]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _entry(check: Check) -> str:
    lines = [
        f"### {check.id}: {check.title}",
        "",
        f"*Measures:* {check.measures}",
        "",
        f"*Why:* {check.why}",
        "",
        f"*What to do:* {check.advice}",
    ]
    if check.settings:
        rows = [f"| `{n}` | {s.default:g} | {s.text} |" for n, s in check.settings.items()]
        lines += ["", "| setting | default | meaning |", "| --- | --- | --- |", *rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print(make_page(), end="")
