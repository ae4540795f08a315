"""An extra term of the loss."""

import dataclasses

from tfrobust.ops.schedules import Schedule, check_schedule
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True)
class Regularizer(Spec):
    """A number per example that is added to the loss, times `weight`.

    Args:
        weight: factor, a number or a `Schedule`.
    """

    weight: float | Schedule = 1.0

    # Whether a weight perturbation such as AWP is searched with this term in the loss.
    seen_by_weight_perturbation = True

    @property
    def parts(self):
        """Names under which the term records more than its own value."""
        return ()

    @property
    def watched(self):
        """Points at which the term asks for `StepContext.pullback`."""
        return ()

    @property
    def differentiates_twice(self):
        """Whether the term contains a derivative: True, or "inference" if of inference mode only."""
        return False

    def check(self):
        check_schedule(self.weight, "weight")

    @property
    def name(self):
        """Under this name the unweighted mean appears in the logs."""
        return type(self).__name__.lower()

    def check_classifier(self, classifier):
        """Refuses, or warns of, a classifier for which the term does not make sense."""

    def prepare(self, context):
        """Called before the method's loss: the term may say what it expects of the passes to come."""

    def __call__(self, context):
        """The term, shape (b,). `context` is the `StepContext` of the running step."""
        raise NotImplementedError
