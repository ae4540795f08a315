"""How many passes the checks beside the attacks may make after a suite."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfrobust.evaluation.checks.beside.budget import COST, Grant
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.finding import Finding

if TYPE_CHECKING:
    from tfrobust.attacks.base import Attack
    from tfrobust.evaluation.engine.outcome import Outcome


def grant_passes(
    outcomes: "Sequence[Outcome]", reserved: float, limits: Limits, is_asked: bool = False
) -> Grant:
    """Passes that the checks beside the attacks may make.

    Args:
        outcomes: of the attacks.
        reserved: passes of their share that go elsewhere.
        limits: `Limits`.
        is_asked: whether they were asked for by name, so that `floor` holds.

    Example:
    >>> grant_passes((), 0, Limits()).passes, grant_passes((), 0, Limits(), is_asked=True).passes
    (0.0, 24000)
    """
    bounds = limits[COST]
    made = float(sum(sum(outcome.passes) for outcome in outcomes))
    searching = sum(outcome.seconds - outcome.tracing_seconds for outcome in outcomes)
    passes = max(0.0, bounds.share * made - reserved)
    rule = f"{bounds.share:.2g} of what the attacks made"
    if is_asked and passes <= bounds.floor:
        passes = bounds.floor
        rule = (
            "the least that they always may make (`floor`), since "
            f"{bounds.share:.2g} of what the attacks made is less"
        )
    pace = made / searching if made and searching > 0 else None
    # Half, so that it is hardly ever the clock that ends them.
    timely = passes if pace is None else bounds.seconds / 2 * _round_down(pace)
    if timely < passes:
        passes = timely
        rule = (
            f"what takes about half of {bounds.seconds:g} seconds (`seconds`) at the attacks' pace"
        )
    return Grant(passes, rule, bounds.seconds, pace)


def is_short(attacks: "Sequence[Attack]", num_classes: int, limits: Limits) -> bool:
    """Whether a suite is one attack of so few passes that checks beside it would take far longer.

    Example:
    >>> attacks = [tfrobust.PGD(tfrobust.Linf(0.1), steps=20)]
    >>> is_short(attacks, 10, Limits()), is_short(2 * attacks, 10, Limits())
    (True, False)
    """
    passes = [attack.passes(num_classes) for attack in attacks]
    return len(passes) == 1 and passes[0] is not None and sum(passes[0]) <= limits[COST].short


def explain_short(limits: Limits) -> Finding:
    """C36 after a suite of one short attack, beside which nothing was checked."""
    return COST.skip(
        f"the suite is one attack of at most {limits[COST].short} passes of an example (`short`), and the "
        'checks beside the attacks would take far longer. checks="full" (--checks=full) makes them.'
    )


def _round_down(pace):
    """1, 2 or 5 times a power of ten: the clock's noise then hardly ever changes what is looked at."""
    power = 10.0 ** math.floor(math.log10(pace))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= pace)
