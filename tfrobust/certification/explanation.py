"""A certification in sentences, for readers who don't know the field."""

from typing import Any

from tfrobust.evaluation.reports.headline import describe_change, name_data

# Of all certificates by bounds.
BOUND_LIMITS = (
    "Where a bound certifies nothing, nothing is known: the example may be robust all the same. "
    "Bounds become looser with the radius and with each layer; they are closest for networks that "
    "were trained on them.",
    "What is proven is proven of the network as it runs in float32. Bounds are calculated in "
    "float64 and widened by what float32 can round off in sums of any order. Convolutions by "
    "Winograd's transform, and TensorFloat-32 on GPUs, round otherwise.",
)


def explain(content: dict[str, Any]) -> tuple[str, str, str]:
    """Returns three sentences: what was certified, against what, and what was proven.

    Args:
        content: the part "certification" of `report.json`.

    Example:
    >>> from tfrobust.certification.explanation import explain
    >>> counts = {"clean": {"count": 9, "accuracy": 0.9}, "certified": {"count": 0, "accuracy": 0.0}}
    >>> content = {"model": "run a", "data": "b.npz", "examples": 10, "norm": "Linf", "epsilon": "8/255"}
    >>> explain({**content, **counts, "certain": True, "abstained": 0})[0]
    'The classifier (run a) was shown 10 images of b.npz, and recognises 9 (90.00 %) of them as they are.'
    """
    number, data, right = content["examples"], name_data(content["data"]), _share(content["clean"])
    if content["certain"]:
        what = (
            f"The classifier ({content['model']}) was shown {number} images of {data} and recognises "
            f"{right} of them as they are."
        )
    else:
        abstained = content["abstained"]
        what = (
            f"The classifier ({content['model']}) was smoothed: it is asked many copies of an image with "
            f"random noise, and the class that wins most votes counts. Of {number} images of {data} it "
            "recognises "
            f"{right} in this way" + (f", and abstains on {abstained}." if abstained else ".")
        )
    change = describe_change(content["norm"], content["epsilon"])
    how = (
        "It was then calculated, not tried, whether changing the image "
        f"{change} could lead to a wrong answer."
    )
    return what, how, _tell_proven(content)


def _tell_proven(content):
    certified = content["certified"]
    if not certified["count"]:
        return (
            "For none of them was it proven that it cannot. That does not mean that it can: attacks show how "
            "many are broken."
        )
    sure = (
        ""
        if content["certain"]
        else ", up to a small probability of an error that is stated below,"
    )
    return (
        f"For {_share(certified)} of all it is proven{sure} that it cannot: no attack of this strength, "
        f"known or unknown, brings the accuracy on these images below {100 * certified['accuracy']:.2f} %. "
        "Nothing is proven about the others; they may be robust or not."
    )


def _share(count):
    return f"{count['count']} ({100 * count['accuracy']:.2f} %)"
