"""Functions that make the attacks of a suite, by name."""

from collections.abc import Callable

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.threat_models.base import ThreatModel

Attacks = list[tuple[str, Attack]]


class NamedSuites(dict):
    """Name -> function from a threat model, and models to transfer from, to (name, `Attack`) pairs.

    Example:
    >>> from tfrobust.evaluation.named_suites import NamedSuites
    >>> ours = NamedSuites()
    >>> @ours.enter(tfrobust.Linf)
    ... def pgd_3(threat_model):
    ...     return [("pgd", tfrobust.PGD(threat_model, steps=3))]
    >>> [name for name, attack in ours["pgd_3"](tfrobust.Linf("8/255"))]
    ['pgd']
    """

    def enter(self, *norms: type[ThreatModel], surrogates: bool = False) -> Callable:
        """A decorator that enters a function under its name.

        Args:
            *norms: the kinds of threat model that it is for; none for any.
            surrogates: whether it takes models that stand in for the one under attack.
        """

        def enter(function: Callable[..., Attacks]) -> Callable[..., Attacks]:
            name = function.__name__

            def build(
                threat_model: ThreatModel, given: tuple = ()
            ) -> tuple[tuple[str, Attack], ...]:
                if norms and not isinstance(threat_model, norms):
                    raise UserError(
                        f"The suite {name} is made for {' and '.join(kind.__name__ for kind in norms)}. "
                        f"Received: threat_model={threat_model!r}."
                    )
                if surrogates and not given:
                    raise UserError(
                        f"The suite {name} transfers images from other models: give them as `surrogates`, "
                        "such as a model of another seed, trained in the same way."
                    )
                if given and not surrogates:
                    raise UserError(f"The suite {name} takes no `surrogates`. Leave them out.")
                return tuple(function(threat_model, *((tuple(given),) if surrogates else ())))

            build.__doc__ = function.__doc__
            self[name] = build
            return function

        return enter
