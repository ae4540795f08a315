"""Suites: attacks in an order, under a name that means exactly them."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import keras

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.paper_presets import PAPER_PRESETS
from tfrobust.evaluation.presets import ALIASES, PRESETS
from tfrobust.spec import Spec, Written, check_kind, register
from tfrobust.threat_models.base import ThreatModel

NAMED = PRESETS | PAPER_PRESETS


@register
@dataclasses.dataclass(frozen=True)
class Suite(Spec):
    """Attacks that are run one after the other; an example is robust if none of them breaks it.

    Use `suite` for the named ones, `custom` for others. A name other than "custom" stands for exactly one
    list of attacks in a threat model: a suite with anything changed (one more restart, another order,
    another name of an attack, by which its noise is keyed) is "custom".

    Args:
        name: one of `SUITES` other than aliases, or "custom".
        attacks: pairs of a name and an `Attack`, or a dict of them, all of one threat model.
        individual: give every attack all examples that are right at the clean image, instead of
            those that the attacks before it did not break. Use it to compare attacks; it takes longer,
            and all together break the same examples.

    Raises:
        UserError: for names that repeat, attacks of different threat models, or a name that belongs
            to other attacks.

    Example:
    >>> short = tfrobust.evaluation.suite("pgd_20", tfrobust.Linf("8/255"))
    >>> short.name, [name for name, attack in short.attacks], len(short.hash)
    ('pgd_20', ['pgd-20'], 12)
    """

    name: str
    attacks: tuple
    individual: bool = False

    def __post_init__(self):
        # JSON has no tuples, nor have all users.
        pairs = self.attacks
        if isinstance(pairs, dict):
            pairs = tuple(pairs.items())
        if isinstance(pairs, (tuple, list)) and all(_is_pair(pair) for pair in pairs):
            object.__setattr__(self, "attacks", tuple(tuple(pair) for pair in pairs))
        super().__post_init__()

    def check(self) -> None:
        if not isinstance(self.attacks, tuple) or not self.attacks:
            raise UserError(
                "`attacks` must hold pairs of a name and an attack, such as (('pgd', PGD(Linf(0.1))),). "
                f"Received: attacks={self.attacks!r}."
            )
        for pair in self.attacks:
            if not _is_pair(pair):
                raise UserError(
                    f"An attack of a suite is a pair (name, attack). Received: {pair!r}."
                )
            check_kind(f"attacks[{pair[0]!r}]", pair[1], Attack)
        names = [name for name, _ in self.attacks]
        if len(set(names)) < len(names):
            raise UserError(f"Attacks of a suite need different names. Received: {names}.")
        for name, attack in self.attacks:
            if attack.threat_model != self.threat_model:
                raise UserError(
                    "All attacks of a suite search the same threat model, the first one's. Received: "
                    f"{self.threat_model!r} and, for {name}, {attack.threat_model!r}."
                )
        if self.name == "custom":
            return
        if self.name in ALIASES or self.attacks != _build(
            self.name, self.threat_model, self.source_models
        ):
            raise UserError(
                f"The name {self.name!r} belongs to another list of attacks. Use suite({self.name!r}, "
                "threat_model) for that, or custom(attacks) for yours."
            )

    @property
    def threat_model(self) -> ThreatModel:
        """That of all attacks."""
        return self.attacks[0][1].threat_model

    @property
    def source_models(self) -> tuple:
        """The models that images come from, where attacks transfer them: each once, in order."""
        found: list = []
        for _, attack in self.attacks:
            found += [model for model in attack.source_models if model not in found]
        return tuple(found)

    @property
    def hash(self) -> str:
        """12 hexadecimal digits, a hash of all settings of the attacks and their order.

        The same on any machine. Surrogates count by their path as it is written, models by their
        weights, functions by their name.
        """
        config = {
            "attacks": [[name, _plain(attack)] for name, attack in self.attacks],
            "individual": self.individual,
        }
        return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def suite(
    name: str,
    threat_model: ThreatModel | None,
    surrogates: Sequence = (),
    individual: bool = False,
) -> Suite:
    """Makes the suite of a name for a threat model.

    "autoattack" is "autoattack_standard"; in L1 its APGD-CE has five restarts and its APGD-T five
    targets, and both begin with larger radii. "autoattack_plus", for Linf and L2, and "autoattack_rand"
    are AutoAttack's other versions; "pgd_20" is a first look. Names that begin with "atlas_", "rat_",
    "fait_" and "llr_" are what those papers ran, with their step sizes; `list_suites` says
    what the papers leave open and was inferred. You always give the radius: papers that write 0.031 do not
    mean 8/255.

    Args:
        name: one of `SUITES`.
        threat_model: `Linf`, `L2` or `L1`, as far as the suite is made for it.
        surrogates: for "atlas_blackbox" and "rat_blackbox" only: models whose adversarial images are
            tried on the one under attack.
        individual: as in `Suite`.

    Returns:
        A `Suite`, with the name that an alias stands for.

    Raises:
        UserError: for an unknown name, a threat model of a norm that the suite is not made for, or
            missing surrogates.

    Example:
    >>> standard = tfrobust.evaluation.suite("autoattack", tfrobust.L2(0.5))
    >>> [name for name, attack in standard.attacks]
    ['apgd-ce', 'apgd-t', 'fab-t', 'square']
    """
    check_kind("threat_model", threat_model, ThreatModel)
    name = ALIASES.get(name, name)
    return Suite(name, _build(name, threat_model, surrogates), individual)


def custom(attacks: Sequence | dict[str, Attack], individual: bool = False) -> Suite:
    """Makes a suite of your own.

    Args:
        attacks: pairs of a name and an `Attack`, or a dict of them, all of one threat model.
        individual: as in `Suite`.

    Returns:
        A `Suite` with the name "custom".

    Example:
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=50)
    >>> tfrobust.evaluation.custom({"pgd-50": attack}).name
    'custom'
    """
    return Suite("custom", attacks, individual)  # type: ignore[arg-type]


def as_suite(value: Any, threat_model: ThreatModel | None = None) -> Suite:
    """Makes a `Suite` of a name, an attack, several attacks or a suite.

    Args:
        value: `Suite`, name, `Attack`, or what `custom` takes.
        threat_model: needed for a name; otherwise None or the attacks' own.

    Raises:
        UserError: for a name without a threat model, or attacks of another one.

    Example:
    >>> suite = tfrobust.evaluation.as_suite(tfrobust.PGD(tfrobust.Linf("8/255")))
    >>> [name for name, attack in suite.attacks]
    ['pgd']
    """
    if isinstance(value, str):
        return suite(value, threat_model)
    if isinstance(value, Attack):
        value = [(type(value).__name__.lower(), value)]
    result = value if isinstance(value, Suite) else custom(value)
    if threat_model not in (None, result.threat_model):
        raise UserError(
            f"The attacks search {result.threat_model!r}, not threat_model={threat_model!r}. Leave "
            "out `threat_model`, or give the attacks the one that you mean."
        )
    return result


def list_suites() -> dict[str, str]:
    """Returns every name that `suite` knows, with a sentence on what it stands for.

    Example:
    >>> tfrobust.evaluation.list_suites()["autoattack"]
    'the same as autoattack_standard'
    """
    aliases = {name: f"the same as {other}" for name, other in ALIASES.items()}
    return aliases | {name: build.__doc__ for name, build in NAMED.items()}


SUITES = tuple(list_suites())
"""The names of all suites; `list_suites` says what each is."""


def _build(name, threat_model, surrogates):
    if name not in NAMED:
        raise UserError(f"There is no suite {name!r}. Expected one of: {', '.join(SUITES)}.")
    return NAMED[name](threat_model, surrogates)


def _is_pair(value):
    return isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[0], str)


def _plain(value):
    """A setting as JSON values: without the files that classes are in, models by their weights."""
    if isinstance(value, Spec):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, keras.layers.Layer):
        digest = hashlib.sha256()
        for weight in value.weights:
            digest.update(keras.ops.convert_to_numpy(weight).tobytes())
        return digest.hexdigest()
    return getattr(value, "__qualname__", type(value).__name__) if callable(value) else value
