"""The text of a model card: Markdown, with a head in YAML that the Hugging Face hub reads."""

import json
import pathlib
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import markdown
from tfrobust.runs.reports.run_report import describe_method
from tfrobust.serving.card.licences import head_lines

_HERE = pathlib.Path(__file__).parent
_CHOICE = {
    "best_robust": "the highest validation accuracy under attack",
    "best_clean": "the highest validation accuracy",
    "last": "the last one",
}


def render_card(content: dict[str, Any]) -> str:
    """The card of an export.

    Args:
        content: of its `export.json`.

    Returns:
        Markdown.

    Raises:
        UserError: `content` lacks what the card says.
    """
    import jinja2  # only who writes a card needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A string of JSON is one of YAML.
    environment.filters["yaml"] = _write_yaml
    environment.filters |= {"plain": markdown.plain, "cell": markdown.cell, "code": markdown.code}
    environment.filters |= {"percent": _percent, "interval": _interval, "accuracy": _accuracy}
    training = content.get("training")
    method = describe_method(training) if training else None
    names = [one["data"] for one in _list_measured(content)]
    names += [training["data"]] if training else []
    try:
        return environment.get_template("card.md.jinja").render(
            export=content,
            training=training,
            evaluations=content.get("evaluations", []),
            certifications=content.get("certifications", []),
            both_sides=_find_both_sides(content),
            conversions=content.get("conversions", {}),
            method=method,
            title=f"{method} on {training['data']}" if training else "Image classifier",
            datasets=sorted({_name_data(name) for name in names}),
            data_name=_name_data,
            threat=describe_threat,
            threats=_list_threats(content),
            choice=_CHOICE,
            license=content.get("license"),
            licence=head_lines(content.get("license")),
        )
    except (jinja2.UndefinedError, KeyError, TypeError) as error:
        raise UserError(
            f"export.json lacks what its card says: {error}. Export the classifier again."
        ) from error


def describe_threat(norm: str, epsilon: float | str) -> str:
    """A threat model in words.

    Example:
        >>> from tfrobust.serving.card.page import describe_threat
        >>> describe_threat("L2", 0.5)[-43:]
        'length is at most 0.5 (pixels from 0 to 1).'
    """
    what = {
        "Linf": f"each colour value of each pixel by at most {epsilon} of the range from black to white",
        "L2": f"any pixels, by a change whose Euclidean length is at most {epsilon}",
        "L1": f"any pixels, by changes whose absolute values add up to at most {epsilon}",
    }[norm]
    counted = "" if norm == "Linf" else " (pixels from 0 to 1)"
    return f"The attacker knows the network and its weights and changes {what}{counted}."


def _list_threats(content):
    """Each threat model of which the card has a number, once."""
    training = content.get("training") or {}
    found = [(one["norm"], one["epsilon"]) for one in _list_measured(content)]
    if training.get("threat_model"):
        found.append((training["threat_model"]["norm"], training["threat_model"]["epsilon"]))
    return list(dict.fromkeys((norm, str(epsilon)) for norm, epsilon in found))


def _list_measured(content):
    return [*content.get("evaluations", []), *content.get("certifications", [])]


def _find_both_sides(content):
    """Evaluations with certificates that no certification of the card tells of."""
    asked = ("data", "norm", "epsilon", "examples")
    known = {tuple(str(one[name]) for name in asked) for one in content.get("certifications", [])}
    return [
        one
        for one in content.get("evaluations", [])
        if one.get("certified") and tuple(str(one[name]) for name in asked) not in known
    ]


def _name_data(name):
    return name.removesuffix(" test")


def _accuracy(counted):
    return counted["right"] / counted["total"]


def _percent(counted):
    return f"{100 * _accuracy(counted):.2f} %"


def _interval(counted):
    low, high = counted["interval"]
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def _write_yaml(value):
    """A value as YAML on one line: JSON, without the characters that YAML takes for the end of a line."""
    return "".join(
        c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(value, ensure_ascii=False)
    )
