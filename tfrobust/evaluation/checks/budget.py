"""How many passes the checks of behaviour may make."""

from tfrobust.evaluation.checks.answers import skipped
from tfrobust.evaluation.checks.finding import Finding

# Fewer examples than that say nothing of a share.
FEWEST = 16


class NotAfforded(Exception):
    """A check needs more passes than are left."""


class Budget:
    """Passes that may still be made; a forward or backward pass of one example is one.

    Args:
        most: how many in all; None for any number.
    """

    def __init__(self, most=None):
        self.most, self.spent, self.lacking = most, 0, {}

    @property
    def left(self):
        return float("inf") if self.most is None else max(0, self.most - self.spent)

    def examples(self, cost, most):
        """How many examples of which each costs so many passes, up to `most`."""
        return most if self.most is None else int(min(most, self.left // cost))

    def take(self, passes):
        """Notes passes before they are made.

        Raises:
            NotAfforded: there are not so many left.
        """
        if passes > self.left:
            raise NotAfforded(
                f"it takes {int(passes):,} passes more; of {int(self.most):,} {int(self.left):,} are left."
            )
        self.spent += passes

    def made(self, id, title, check):
        """The `Finding` of a check, or why it could not be afforded."""
        try:
            return check()
        except NotAfforded as why:
            self.lacking[id] = title
            return skipped(id, title, why)

    def finding(self, looked_at, given, share):
        """C36: what the checks of behaviour cost, and what they went without."""
        text = (
            f"The checks of behaviour made {int(self.spent):,} passes of the {int(self.most):,} that they "
            f"may make, {share:.2g} of what the attacks made, and looked at {looked_at} of {given} examples."
        )
        if self.lacking:
            text += (
                f" Not afforded: {', '.join(self.lacking)}. Raise the threshold `budget` for more."
            )
        level = "info" if self.lacking else "passed"
        return Finding("C36", "cost of the checks", level, self.spent, self.most, text)
