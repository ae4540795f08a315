"""`report.json`, `examples.csv` and the images of an evaluation: what other programs read."""

import csv
import io
import os
import pathlib
from collections.abc import Callable

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation.engine.chunks import Found
from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.reports.summary import SCHEMA
from tfrobust.runs import files

REPORT, TABLE = "report.json", "examples.csv"
IMAGES, SAMPLES = "adversarial.npz", "samples.npz"
CHUNK_IMAGES = "adversarial-{:05d}.npz"
CONTRADICTIONS, CHUNK_CONTRADICTIONS = "contradictions.npz", "contradictions-{:05d}.npz"
COLUMNS = (
    "id",
    "label",
    "prediction",
    "clean_right",
    "broken_by",
    "run",
    "step",
    "distance",
    "queries",
    "forwards",
    "backwards",
    "unanswered",
    "certified_radius",
)
MOST_SAMPLES = 16


def read_report(path: str | os.PathLike) -> dict:
    """Reads a `report.json`.

    Args:
        path: the file, or the folder of an evaluation that holds it.

    Returns:
        A dict, see `summary.summarize_evaluation`.

    Raises:
        UserError: it is not a report, or a newer version wrote it.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    >>> evaluation = tfrobust.evaluate(model, data, attack, checks="none", workdir="report")
    >>> tfrobust.evaluation.read_report("report")["tfrobust"]["examples"]
    4
    """
    path = pathlib.Path(path)
    return files.read_json(path / REPORT if path.is_dir() else path, "tfrobust", SCHEMA)


def write_table(path: str | os.PathLike, evaluation: Evaluation) -> None:
    """Writes a row for each example, by `COLUMNS`; what does not apply or was not measured stays empty.

    "broken_by" is the attack that broke it first, "run" and "step" are of that attack and count from
    0; "distance" is the smallest at which any attack found a misclassified image, "queries", "forwards"
    and "backwards" are those of all attacks together. "unanswered" examples were not broken, but
    have an image without finite logits. "certified_radius" is what a certificate proves.
    """
    outcomes, size = evaluation.outcomes, len(evaluation.ids)
    first, nothing = evaluation.first_broken_by, np.full(size, np.nan)

    def get(name):
        return np.array([o.measures.get(name, nothing) for o in outcomes] or [nothing], float)

    lost, proven = evaluation.unanswered, evaluation.certified_radii
    proven = nothing if proven is None else proven
    distances, queries = get("distance"), get("queries")
    smallest = np.min(np.where(np.isnan(distances), np.inf, distances), axis=0)
    asked = np.where(np.isnan(queries).all(axis=0), np.nan, np.nansum(queries, axis=0))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i in range(size):
        breaker = outcomes[first[i]] if first[i] >= 0 else None
        writer.writerow(
            (
                int(evaluation.ids[i]),
                int(evaluation.labels[i]),
                int(evaluation.predictions[i]),
                "true" if evaluation.clean[i] else "false",
                breaker.name if breaker else "",
                int(breaker.run[i]) if breaker else "",
                int(breaker.step[i]) if breaker else "",
                repr(float(smallest[i])) if np.isfinite(smallest[i]) else "",
                int(asked[i]) if np.isfinite(asked[i]) else "",
                sum(int(o.forwards[i]) for o in outcomes),
                sum(int(o.backwards[i]) for o in outcomes),
                "true" if lost[i] else "false",
                repr(float(proven[i])) if np.isfinite(proven[i]) else "",
            )
        )
    files.write_text(path, text.getvalue())


def write_images(path: str | os.PathLike, evaluation: Evaluation | Found) -> None:
    """Writes the adversarial images of all broken examples whose images were kept.

    The arrays are "images", float32 (m, h, w, c), "ids", "labels", and "attacks", names, all (m, ...).

    Raises:
        UserError: the evaluation did not keep them.
    """
    if evaluation.adversarial is None:
        raise UserError(
            "The adversarial images were not kept. Evaluate with keep_images=True, or --images."
        )
    _write_arrays(path, _select(evaluation, _find_broken(evaluation)))


def write_contradictions(
    path: str | os.PathLike, evaluation: Evaluation | Found, certified: np.ndarray
) -> None:
    """Writes the adversarial images of examples that are certified and were broken, as `write_images`.

    There can be none; where there are, they show which of the two bounds is wrong. Otherwise there is no such
    file afterwards.

    Args:
        path: the file.
        evaluation: with the images of its first examples.
        certified: boolean (n,), of all of them.
    """
    broken = _find_broken(evaluation)
    places = broken[certified[broken]]
    if len(places):
        _write_arrays(path, _select(evaluation, places))
    else:
        pathlib.Path(path).unlink(missing_ok=True)


def save_chunks_in(
    folder: pathlib.Path | None, keep_images: bool, find_certified: Callable
) -> Callable[[int, Found], None] | None:
    """A function that writes what must be kept of a chunk, by its number, to files of its own in `folder`.

    Args:
        folder: of the evaluation, or None.
        keep_images: keep all adversarial images; else only those that contradict a certificate.
        find_certified: function of ids, which of them are certified.

    Example:
    >>> save_chunks_in(None, True, lambda ids: ids < 0) is None
    True
    """
    if folder is None:
        return None

    def save(number: int, found: Found) -> None:
        if keep_images:
            write_images(folder / CHUNK_IMAGES.format(number), found)
        certified = find_certified(found.ids)
        write_contradictions(folder / CHUNK_CONTRADICTIONS.format(number), found, certified)

    return save


def write_samples(
    path: str | os.PathLike, evaluation: Evaluation, x: np.ndarray, model: Callable | None = None
) -> None:
    """Writes up to 16 pairs of "clean" and adversarial images, as `write_images`, spread over all.

    Where nothing was broken, or no images were kept, there is no such file afterwards.

    Args:
        path: the file.
        evaluation: `Evaluation`.
        x: clean images, those of `evaluation.adversarial` first.
        model: images to logits, for "found", the classes predicted at the adversarial images. Not of a
            random classifier, of which each pass may say another class.
    """
    places = () if evaluation.adversarial is None else _find_broken(evaluation)
    if not len(places):
        pathlib.Path(path).unlink(missing_ok=True)
        return
    count = min(MOST_SAMPLES, len(places))
    places = places[np.arange(count) * len(places) // count]
    arrays = {**_select(evaluation, places), "clean": np.asarray(x[places], np.float32)}
    if model is not None and evaluation.votes == 1:
        arrays["found"] = np.argmax(model(arrays["images"]), axis=-1)
    _write_arrays(path, arrays)


def _find_broken(evaluation):
    """Places of the broken examples among those whose images are kept."""
    return np.flatnonzero(evaluation.first_broken_by[: len(evaluation.adversarial)] >= 0)


def _select(evaluation, places):
    names = np.array([outcome.name for outcome in evaluation.outcomes], dtype=str)
    return {
        "images": np.asarray(evaluation.adversarial[places], np.float32),
        "ids": evaluation.ids[places],
        "labels": evaluation.labels[places],
        "attacks": names[evaluation.first_broken_by[places]],
    }


def _write_arrays(path, arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    files.write_bytes(path, content.getvalue())
