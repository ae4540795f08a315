"""The reports of a certification: `certified.csv`, `report.json`, `report.md` and `report.html`."""

import csv
import io
import math
import os
import pathlib
from typing import Any

import numpy as np

from tfrobust.certification.certification import Certification
from tfrobust.certification.explanation import explain
from tfrobust.certification.page import write_page
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.runs import files, markdown
from tfrobust.runs.reports.certification_report import REPORT, SCHEMA, TABLE
from tfrobust.spec import as_config

TEXT = "report.md"
COLUMNS = ("id", "label", "prediction", "certified", "radius", "proven_by", "image")


def write_reports(certification: Certification, folder: str | os.PathLike) -> None:
    """Writes all of them into a folder that exists, the page last, each whole or not at all."""
    folder, report = pathlib.Path(folder), summarize_certification(certification)
    files.write_text(folder / TABLE, format_rows(certification))
    files.write_json(folder / REPORT, report)
    files.write_text(folder / TEXT, format_report(report))
    write_page(folder)


def find_prover(certification: Certification) -> np.ndarray:
    """Int (n,): which certificate proved the largest radius, the first of equal ones; -1 where none did."""
    radii = np.array([proof.radii for proof in certification.proofs])
    return np.where(radii.max(axis=0) > 0.0, np.argmax(radii, axis=0), -1)


def format_rows(certification: Certification) -> str:
    """A row for each example, by `COLUMNS`; an abstention is a prediction of -1, "image" a hash."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    provers = find_prover(certification)
    certified, radii = certification.certified, certification.radii
    for i in range(len(certification.ids)):
        writer.writerow(
            (
                int(certification.ids[i]),
                int(certification.labels[i]),
                int(certification.predictions[i]),
                "true" if certified[i] else "false",
                repr(float(radii[i])),
                certification.proofs[provers[i]].name if provers[i] >= 0 else "",
                certification.images[i],
            )
        )
    return text.getvalue()


def summarize_certification(certification: Certification) -> dict[str, Any]:
    """The content of `report.json`: JSON values; accuracies in [0, 1] with 95 % intervals.

    Args:
        certification: `Certification` of at least one example.
    """
    epsilon = as_config(certification.threat_model.epsilon)
    radii = sorted({float(r) for r in np.round(certification.radii, 12) if r > 0.0})
    radii = (
        [radii[i] for i in np.unique(np.linspace(0, len(radii) - 1, 50).astype(int))]
        if radii
        else []
    )
    return {
        "certification": {
            "schema": SCHEMA,
            "headline": headline(certification),
            "model": certification.model,
            "data": certification.data,
            "norm": certification.norm,
            "epsilon": epsilon,
            "radius": certification.threat_model.radius(),
            # None where there is no limit.
            "reach": certification.reach if math.isfinite(certification.reach) else None,
            "suite": certification.suite,
            "certain": certification.is_certain,
            "identity": certification.identity.to_json(),
            "seed": certification.seed,
            "examples": len(certification.ids),
            "clean": _count(certification.clean),
            "certified": _count(certification.certified),
            "abstained": int(np.sum(certification.predictions == -1)),
            "curve": {
                "epsilon": radii,
                "accuracy": [certification.compute_accuracy(r) for r in radii],
            },
            "certificates": [_summarize(proof, certification) for proof in certification.proofs],
            "seconds": certification.seconds,
            "environment": certification.environment,
        }
    }


def _summarize(proof, certification):
    proved = (proof.radii >= certification.threat_model.radius()) & (proof.radii > 0.0)
    return {
        "name": proof.name,
        "certificate": repr(proof.certificate),
        "how": proof.certificate.explain(),
        "limits": list(proof.certificate.list_limits()),
        "attempted": int(proof.attempted.sum()),
        "certified": int(proved.sum()),
        "passes": int(proof.passes.sum()),
        "seconds": proof.seconds,
    }


def _count(flags):
    number, total = int(np.sum(flags)), len(flags)
    low, high = binomial_interval(number, total)
    return {"count": number, "accuracy": number / total, "low": low, "high": high}


def headline(certification: Certification) -> str:
    """One sentence that says what was proven, of how many examples and with which certainty."""
    n, certified = len(certification.ids), int(certification.certified.sum())
    low, high = binomial_interval(certified, n)
    epsilon = as_config(certification.threat_model.epsilon)
    norm = type(certification.threat_model).__name__
    alpha = max((getattr(p.certificate, "alpha", 0.0) for p in certification.proofs), default=0.0)
    sure = (
        "no image within it is misclassified"
        if certification.is_certain
        else f"for each with probability {1 - alpha:g}, of the smoothed classifier"
    )
    return (
        f"Certified accuracy >= {100 * certified / n:.2f} % ({100 * low:.1f} to {100 * high:.1f} at 95 %) at "
        f"{norm} {epsilon}: {certified} of {n} examples, {sure}."
    )


def format_report(report: dict[str, Any]) -> str:
    """The text of `report.md`."""
    content = report["certification"]
    rows = [
        [
            markdown.cell(c["name"]),
            str(c["attempted"]),
            str(c["certified"]),
            f"{c['passes']:,}",
            f"{c['seconds']:.1f}",
            markdown.code(c["certificate"]),
        ]
        for c in content["certificates"]
    ]
    header = ["certificate", "examples", "certified", "passes", "seconds", "settings"]
    lines = [
        f"# Certified accuracy: {100 * content['certified']['accuracy']:.2f} %",
        "",
        markdown.sentence(" ".join(explain(content))),
        "",
        content["headline"],
        "",
        f"- model: {markdown.plain(content['model'])}",
        f"- data: {markdown.plain(content['data'])}, {content['examples']} examples",
        f"- right at the clean image: {content['clean']['count']} "
        f"({100 * content['clean']['accuracy']:.2f} %), abstained: {content['abstained']}",
        "",
        markdown.table(header, rows),
        "A certificate is a lower bound. Attacks give the upper one; `tfrobust evaluate "
        "--certified=FOLDER` shows both in one report.",
        "",
    ]
    return "\n".join(lines)
