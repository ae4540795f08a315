"""Whether attacks broke what is proven to be unbreakable."""

import typing

import numpy as np

from tfrobust.evaluation.checks.answers import pick_ids
from tfrobust.evaluation.checks.check import Check
from tfrobust.evaluation.checks.finding import Finding

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.evaluation import Evaluation

CERTIFICATES = Check(
    "C43",
    "certificates",
    measures="Examples that are certified at the radius of the attacks, and that an attack broke, or that "
    "are misclassified as they are.",
    why="There can be none: either the certificate or the evaluation is wrong.",
    advice="Believe neither bound. Report it as a fault of tfrobust, with the model and contradictions.npz.",
)


def check_certificates(evaluation: "Evaluation") -> Finding | None:
    """C43: no certified example was broken; None where nothing was certified."""
    radii = evaluation.certified_radii
    if radii is None:
        return None
    # Not `evaluation.certified`, which asks for the right class at the clean image, too.
    certified = (np.nan_to_num(radii) >= evaluation.threat_model.radius()) & (radii > 0.0)
    wrong = certified & ~evaluation.standing
    spared = 0 if evaluation.spared is None else int(evaluation.spared.sum())
    count = int(certified.sum())
    if wrong.any():
        first = evaluation.first_broken_by[wrong]
        names = {evaluation.outcomes[i].name if i >= 0 else "the clean image alone" for i in first}
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
