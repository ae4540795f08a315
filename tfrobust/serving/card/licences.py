"""Licences as the Hugging Face hub names them in the head of a model card."""

import re

# https://huggingface.co/docs/hub/repositories-licenses
HUB = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc
    cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
    cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0
    cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl
    mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr unknown
    """.split()
)


def head_lines(license: str | None) -> dict[str, str]:
    """What the head of a card says of a licence, name -> text.

    One that the hub does not know is "other" with a name of its own; where nobody chose, it is "unknown".

    Args:
        license: as its owner calls it; None for nothing said.

    Example:
        >>> from tfrobust.serving.card.licences import head_lines
        >>> head_lines("Apache-2.0")
        {'license': 'apache-2.0'}
        >>> head_lines("In-house terms, 2026")
        {'license': 'other', 'license_name': 'in-house-terms-2026'}
        >>> head_lines(None)
        {'license': 'unknown'}
    """
    if not license:
        return {"license": "unknown"}
    if license.lower() in HUB:
        return {"license": license.lower()}
    name = re.sub(r"[^a-z0-9.+]+", "-", license.lower()).strip("-")
    return {"license": "other", "license_name": name or "other"}
