"""Whether attacks broke what is proven to be unbreakable."""

import typing

from tfrobust.evaluation.checks.answers import pick_ids
from tfrobust.evaluation.checks.check import Check
from tfrobust.evaluation.checks.finding import Finding

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.outcome import Evaluation

CERTIFICATES = Check(
    "C43",
    "certificates",
    measures="Examples that are certified at the radius of the attacks, and that an attack broke.",
    why="There can be none: either the certificate or the evaluation is wrong.",
    advice="Believe neither bound. Report it as a fault of tfrobust, with the model and contradictions.npz.",
)


def check_certificates(evaluation: "Evaluation") -> Finding | None:
    """C43: no certified example was broken; None where nothing was certified."""
    certified = evaluation.certified
    if certified is None:
        return None
    broken = evaluation.clean & ~evaluation.standing
    wrong = certified & broken
    spared = 0 if evaluation.spared is None else int(evaluation.spared.sum())
    count = int(certified.sum())
    if wrong.any():
        names = {evaluation.outcomes[i].name for i in evaluation.first_broken_by[wrong]}
        text = (
            f"{int(wrong.sum())} of {count} certified examples were broken by {', '.join(sorted(names))}: "
            "the certificate or the attack is wrong. Their adversarial images are in contradictions.npz, if "
            "the evaluation has a folder."
        )
        return CERTIFICATES.finding(
            "error", float(wrong.sum()), 0.0, text, pick_ids(evaluation.ids, wrong)
        )
    left_out = f" {spared} of them were not attacked." if spared else ""
    text = f"None of the {count} certified examples was broken.{left_out}"
    return CERTIFICATES.finding("passed", 0.0, 0.0, text)
