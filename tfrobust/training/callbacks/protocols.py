"""What `train` asks of a callback beyond Keras's own events, if the callback has it."""

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Remembers(Protocol):
    """Remembers something from epoch to epoch: a run that is resumed gives it back.

    Attributes:
        name: what it is called in the checkpoint.
    """

    name: str

    def get_state(self) -> Any:
        """What it remembers, as JSON values."""

    def set_state(self, state: Any) -> None:
        """Takes back what `get_state` returned."""


@runtime_checkable
class RemembersArrays(Protocol):
    """Remembers arrays too, which a checkpoint keeps beside those of the model."""

    def get_arrays(self) -> dict[str, np.ndarray]:
        """What it remembers, name -> array."""

    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes back what `get_arrays` returned."""


@runtime_checkable
class NeedsExperiment(Protocol):
    """Needs more of the run than its method: the data, the number of steps."""

    def set_experiment(self, experiment: Any) -> None:
        """Takes the `Experiment`, before the first step; it may refuse it."""
