"""An extra term of the loss."""

import dataclasses

from tfrobust.ops.schedules import Schedule, checked
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True)
class Regularizer(Spec):
    """A number per example that is added to the loss, times `weight`.

    Args:
        weight: factor, a number or a `Schedule`.
    """

    weight: float | Schedule = 1.0

    @property
    def watched(self):
        """Points at which the term asks for `StepContext.pullback`."""
        return ()

    @property
    def differentiates_twice(self):
        """Whether the term contains a derivative, so that training differentiates twice."""
        return False

    def check(self):
        checked(self.weight, "weight")

    @property
    def name(self):
        """Under this name the unweighted mean appears in the logs."""
        return type(self).__name__.lower()

    def __call__(self, context):
        """The term, shape (b,). `context` is the `StepContext` of the running step."""
        raise NotImplementedError
