"""Threat models as people write them, from what reports keep."""

import re


def describe_threat_model(text: str) -> str:
    """Returns `text`, a threat model as reports keep it, in the words of a caption.

    Args:
        text: the `repr` of a threat model; any other text comes back as it is.

    Example:
        >>> from tfrobust.runs.reports.threat_model import describe_threat_model
        >>> describe_threat_model("Linf(epsilon='8/255')"), describe_threat_model("L2(epsilon=0.5)")
        ('Linf 8/255', 'L2 0.5')
    """
    found = re.fullmatch(r"(\w+)\(epsilon='?([\d./e+-]+)'?\)", text)
    return text if found is None else f"{found[1]} {found[2]}"
