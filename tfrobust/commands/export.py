"""Writes a trained classifier in forms that others serve and load, with its model card.

    python bin/export.py --model=model.keras --workdir=served/pets --class_names=cat,dog
    python bin/export.py --model=runs/trades_mer --format=litert,litert_int8,onnx
    python bin/export.py --model=runs/trades_mer --format=card --license=apache-2.0

A run has its export already, in export/; the first is for a classifier that was trained elsewhere. The
folder is one that TensorFlow Serving takes: 1/ holds the SavedModel, and the next export into the same
folder adds 2/. README.md is the model card, which names the accuracies that reports give; --evaluation
and --certification name further ones.

The second converts the classifier of an export to other formats, beside it, and measures clean and robust
accuracy again on each: adversarial images of the original, and Square on the converted classifier itself.
It needs pip install 'tfrobust[litert,onnx]'. The third writes the card again.

Exit status: 0 done; 2 something in the request cannot work.
"""

import pathlib

from absl import flags

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import Command, require_flag, use_data_dir
from tfrobust.errors import UserError
from tfrobust.ops.random.seeds import SEED_LIMIT
from tfrobust.runs import kinds
from tfrobust.runs.exported import find_classifier, list_versions
from tfrobust.runs.reports.identity import Identity

SERVED, CARD = "saved_model", "card"
# The images by which activations of int8 get their ranges.
_CALIBRATION = 256


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_string(
        "model", None, "Folder of a run or of an export, or a .keras file.", **given
    )
    flags.DEFINE_string(
        "workdir", None, "Folder of the export. Default: export in the folder of the run.", **given
    )
    flags.DEFINE_list(
        "format",
        [SERVED],
        "saved_model (with the .keras file), litert, litert_float16, litert_int8, onnx, card.",
        **given,
    )
    flags.DEFINE_list("class_names", [], "In the order of the logits. Default: the run's.", **given)
    flags.DEFINE_integer(
        "version", None, "Number of the SavedModel. Default: the next one.", 1, **given
    )
    flags.DEFINE_string("license", None, "For the card, such as apache-2.0.", **given)
    flags.DEFINE_multi_string("evaluation", [], "Folder of an evaluation, for the card.", **given)
    flags.DEFINE_multi_string(
        "certification", [], "Folder of a certification, for the card.", **given
    )
    flags.DEFINE_bool("measure", True, "Measure the accuracy of converted formats again.", **given)
    flags.DEFINE_string(
        "data",
        None,
        "As for tfrobust evaluate, for converted formats. Default: the run's.",
        **given,
    )
    flags.DEFINE_string(
        "data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.", **given
    )
    flags.DEFINE_enum("norm", None, ["Linf", "L2", "L1"], "Default: the run's, or Linf.", **given)
    flags.DEFINE_string(
        "epsilon", None, "Radius in pixels of [0, 1], such as 8/255. Default: the run's.", **given
    )
    flags.DEFINE_integer("examples", None, "Measure on the first so many.", 1, **given)
    flags.DEFINE_integer("queries", 5000, "Of Square, for each example.", 1, **given)
    flags.DEFINE_integer("seed", 0, "Seed of the attacks.", 0, SEED_LIMIT - 1, **given)


def _check(values):
    found = find_classifier(require_flag(values, "model"))
    if found.is_saved_model:
        raise UserError(
            f"{values.model} is a SavedModel, of which no Keras model can be made. Give the .keras file."
        )
    for name in values.format:
        if name not in (SERVED, CARD):
            _check_format(name)
    folder = _choose_folder(values, found)
    first_look.check_writable(folder)
    there = kinds.check_ours(folder, kinds.EXPORT)
    if SERVED in values.format and found.path.parent == folder and list_versions(folder):
        raise UserError(
            f"{folder} is the export of this classifier already. Give another --workdir, or --format=card "
            "for a new model card."
        )
    if values.format == [CARD] and not there:
        raise UserError(f"There is no export in {folder}. Leave out --format to make one.")
    for given, kind, command in (
        (values.evaluation, kinds.EVALUATION, "evaluate"),
        (values.certification, kinds.CERTIFICATION, "certify"),
    ):
        first_look.check_parts(given, kind, f"Give the --workdir of a bin/{command}.py.")
    first_look.check_radius(values.epsilon, values.norm)
    first_look.check_data(values.data, values.data_dir)
    if found.run is None and _list_converted(values) and (values.measure or _needs_images(values)):
        _check_measures(values)


def _check_measures(values):
    needed = ("data", "epsilon") if values.measure else ("data",)
    missing = " and ".join(f"--{name}=..." for name in needed if not getattr(values, name))
    if missing:
        otherwise = "" if _needs_images(values) else ", or --nomeasure"
        what = "measured under attack" if values.measure else "calibrated on images"
        raise UserError(
            f"Converted files are {what}, and {values.model} is of no run that says on which: give "
            f"{missing}{otherwise}."
        )


def _check_format(name):
    from tfrobust.runs.conversion.formats import check_format

    return check_format(name)


def _list_converted(values):
    return [name for name in values.format if name not in (SERVED, CARD)]


def _needs_images(values):
    return any(_check_format(name).needs_calibration for name in _list_converted(values))


def _choose_folder(values, found):
    if values.workdir:
        return pathlib.Path(values.workdir)
    if found.run is None and kinds.EXPORT.read(found.path.parent) is None:
        require_flag(values, "workdir")
    return found.path.parent


def _run(values):
    from tfrobust.runs.origin import read_origin
    from tfrobust.serving.card import update_card
    from tfrobust.serving.card.sources import find_certifications, find_evaluations
    from tfrobust.serving.reexport import check_same_classifier, reexport

    found = find_classifier(values.model)
    folder = _choose_folder(values, found)
    origin = parts.name_classes(values, read_origin(found))
    if SERVED in values.format or kinds.EXPORT.read(folder) is None:
        reexport(found, folder, origin.class_names, values.version)
    check_same_classifier(found, folder)
    changes = {"license": values.license} if values.license else {}
    identity = Identity.find(kinds.EXPORT.read(folder) or {})
    measured = [
        ([] if found.run is None else find(found.run, identity)) + given
        for find, given in (
            (find_evaluations, values.evaluation),
            (find_certifications, values.certification),
        )
    ]
    print(update_card(folder, measured[0], changes, measured[1]))
    for name in _list_converted(values):
        print(_convert(values, folder, found, origin, name))
    return 0


def _convert(values, folder, found, origin, name):
    from tfrobust import evaluation
    from tfrobust.serving.conversion import convert_export

    if not values.measure and not _check_format(name).needs_calibration:
        return convert_export(folder, name)
    examples = threat_model = calibration = None
    with use_data_dir(values.data_dir):
        data, threat_model = parts.choose_setting(values, found.run)
        if values.measure:
            examples = evaluation.load_examples(data, "test", origin)
            examples = examples.first(values.examples) if values.examples else examples
            examples = examples.load()
        if _check_format(name).needs_calibration:
            train = evaluation.load_examples(data, "train", origin)
            # Spread over all of them, which may be in the order of the classes.
            spread = train.shard(0, max(1, len(train) // _CALIBRATION))
            calibration = spread.first(_CALIBRATION).load().x
    return convert_export(
        folder, name, calibration, examples, threat_model, values.queries, values.seed
    )


COMMAND = Command("export", __doc__, _define, _run, _check, usage="--model=RUN_OR_FILE [flags]")
