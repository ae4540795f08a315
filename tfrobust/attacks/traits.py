"""What an attack says about itself, so that other code need not know its class."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tfrobust.errors import UserError
from tfrobust.losses.objectives import Objective
from tfrobust.spec import Spec
from tfrobust.threat_models.base import ThreatModel


@dataclasses.dataclass(frozen=True)
class AttackTraits(Spec):
    """The base of `Attack`: defaults that hold for an attack that overrides nothing.

    Methods, reports and checks go by these, never by an attack's class or by its fields. Override what
    is different.
    """

    if TYPE_CHECKING:

        @property
        def threat_model(self) -> ThreatModel:
            """Every attack has one, most of them as a field."""

    untold = ("threat_model", "jit_compile")  # The threat model is told beside it.

    needs_gradient = True
    """Whether it differentiates the model."""
    needs_scores = True
    """Whether it reads more of the logits than the predicted class."""
    eot = 1  # No field here: subclasses add it after theirs.
    """Passes that each step averages. Above 1 the attack is for models with noise, and what it finds is
    judged by a vote."""
    measures: ClassVar[tuple[str, ...]] = ()
    """Names of what else a state tells at the end of a run, numbers (b,): "distance", "queries"."""
    trusts_answers = False
    """Whether it saves passes whose answer is known if the model is deterministic. The caller tests the
    model by five passes over clean images, and gives the result as `Case.is_random`."""
    counts_passes = False
    """Whether its states count the passes made for each row; reports leave them out otherwise."""

    @property
    def needs_class(self) -> str:
        """What of it needs one class for each image, in words; "" if it can attack soft labels (b, k).

        Nothing does if its objective is `OfLikeliestClass`: it then sees class numbers only.
        """
        return "" if self.of_likeliest_class else "its search ends where that is not predicted"

    @property
    def of_likeliest_class(self) -> bool:
        """Whether it is given the arg max of a soft label."""
        objective = self.climbed_objective
        return objective is not None and objective.of_likeliest_class

    @property
    def climbed_objective(self) -> Objective | None:
        """The objective whose gradient it follows, or None where it follows no objective."""
        return None

    @property
    def num_steps(self) -> int | None:
        """How many steps a run has that nothing ends early; None where it is not made of steps.

        `Perturbation.survived` counts to this number.
        """
        return None

    @property
    def kept_steps(self) -> tuple[int, ...]:
        """The steps after which the iterate is kept, in the order of `Perturbation.path`."""
        return ()

    @property
    def is_targeted(self) -> bool:
        """Whether it aims at classes, one in each run."""
        return False

    @property
    def source_models(self) -> tuple:
        """The models that its images are made on, other than the one that it attacks."""
        return ()

    @property
    def measures_boundary(self) -> bool:
        """Whether the measure "distance" is that to the decision boundary, as far as it was found.

        It is not where a run ends at the first point within the radius: the mean of such distances is
        no average distance to the boundary (ADBD).
        """
        return False

    @property
    def judged_steps(self) -> int | None:
        """How many steps of a run are each judged; None where only what is left at the end is."""
        return None

    def runs(self, num_classes: int) -> int:
        """How many runs an example takes that is never broken: restarts times targets."""
        return 1

    def passes(self, num_classes: int) -> tuple[int, int] | None:
        """Forward and backward passes for an example that is never broken, or None where not known.

        Without the clean pass and the second look at what was found.
        """
        return None

    def check_transfer(self) -> None:
        """Raises `UserError` unless a run ends at one image, chosen without asking the model about it.

        `Transfer` needs that: it makes the image on one model and asks another.
        """
        raise UserError(
            "`attack` must follow the gradient of an objective for a number of steps, as PGD and APGD do. "
            f"Received: {self!r}."
        )
