"""An extra term of the loss."""

import dataclasses

import keras
import tensorflow as tf

from tfrobust.ops.schedules import Schedule, check_schedule
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True)
class Regularizer(Spec):
    """A number per example that is added to the loss, times `weight`.

    Args:
        weight: factor, a number or a `Schedule`.

    Example:
        >>> import dataclasses
        >>> from tfrobust.losses.margin import margin
        >>> @dataclasses.dataclass(frozen=True)
        ... class LargeMargin(tfrobust.Regularizer):
        ...     def __call__(self, context):
        ...         return margin(context.y, context.logits("clean"))
        >>> LargeMargin(0.1)
        LargeMargin(weight=0.1)
    """

    weight: float | Schedule = 1.0

    # Whether a weight perturbation such as AWP is searched with this term in the loss.
    seen_by_weight_perturbation = True

    # What of the term needs one class for each image, in words; "" if it is defined for soft labels too.
    needs_class = ""
    # What of the whole batch the term needs, in words, so that no part of a batch has it; "" for nothing.
    sums_over_batch = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names under which the term records more than its own value."""
        return ()

    @property
    def watched(self) -> tuple[str, ...]:
        """Points at which the term asks for `StepContext.pullback`."""
        return ()

    @property
    def differentiates_twice(self) -> bool | str:
        """Whether the term contains a derivative: True, or "inference" if of inference mode only."""
        return False

    def check(self) -> None:
        check_schedule(self.weight, "weight")

    @property
    def name(self) -> str:
        """Under this name the unweighted mean appears in the logs."""
        return type(self).__name__.lower()

    def check_classifier(self, classifier: keras.Model) -> None:
        """Refuses, or warns of, a classifier for which the term does not make sense."""

    def prepare(self, context: TermContext) -> None:
        """Called before the method's loss: the term may say what it expects of the passes to come."""

    def __call__(self, context: TermContext) -> tf.Tensor:
        """The term, shape (b,). `context` is the `StepContext` of the running step."""
        raise NotImplementedError
