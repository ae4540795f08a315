"""Whether attacks can be run on a classifier."""

from collections.abc import Sequence

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.compiled.classifier import Classifier


def check_needs(subject: Classifier, attacks: Sequence[tuple[str, Attack]]) -> None:
    """Raises `UserError` for names that repeat, and for attacks that need more than the subject gives."""
    names = [name for name, _ in attacks]
    if len(set(names)) < len(names):
        raise UserError(f"Attacks of a suite need different names. Received: {names}.")
    for name, attack in attacks:
        lacks = attack.needs_gradient and not subject.has_gradient
        if lacks or (attack.needs_scores and not subject.has_scores):
            raise UserError(
                f"The attack {name} needs {'gradients' if lacks else 'scores'}, which the "
                f"{subject.description} does not give. Choose attacks that need less, such as "
                f"{'square or rays' if subject.has_scores else 'rays'}."
            )
