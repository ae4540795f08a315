"""The flags of commands that judge a classifier on examples, and the first look at them."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from tfrobust.commands.parts import evaluation as parts
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import require_flag, use_data_dir
from tfrobust.errors import UserError
from tfrobust.ops.random.seeds import SEED_LIMIT
from tfrobust.runs.exported import find_classifier
from tfrobust.runs.kinds import Kind
from tfrobust.runs.origin import read_origin


def define_flags(values: flags.FlagValues, norms: Sequence[str], folder: str) -> None:
    """Defines the flags for the classifier, the threat model, the examples and the folder.

    Args:
        values: where they are defined.
        norms: of threat models, the first one being the default.
        folder: name of the default folder in a run, such as "evaluation".
    """
    given: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string(
        "model", None, "Folder of a run, .keras file, or folder of a SavedModel.", **given
    )
    flags.DEFINE_enum(
        "norm",
        None,
        list(norms),
        f"Norm of the threat model. Default: the run's, or {norms[0]}.",
        **given,
    )
    flags.DEFINE_string(
        "epsilon", None, "Radius in pixels of [0, 1], such as 8/255. Default: the run's.", **given
    )
    flags.DEFINE_string(
        "data",
        None,
        "digits, a TFDS name, a folder with a folder of pictures for each class, a CSV file that lists "
        "pictures, or an .npz file. Default: the run's.",
        **given,
    )
    flags.DEFINE_list(
        "class_names",
        [],
        "Names of the model's classes in the order of its logits, by which those of the data are matched. "
        "Default: those of the run or export.",
        **given,
    )
    flags.DEFINE_string(
        "data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.", **given
    )
    flags.DEFINE_enum(
        "split", "test", ["test", "validation", "train"], "The part of the data.", **given
    )
    flags.DEFINE_integer(
        "examples", None, "Only so many examples, the first ones.", lower_bound=1, **given
    )
    flags.DEFINE_integer("seed", 0, "Seed of all random numbers.", 0, SEED_LIMIT - 1, **given)
    flags.DEFINE_string(
        "workdir",
        None,
        f"Folder of the reports. Default: {folder}/SUITE in the run, or runs/evaluation/NAME/SUITE.",
        **given,
    )
    flags.DEFINE_enum(
        "resume",
        "auto",
        ["auto", "never", "must"],
        "auto continues what is in the folder, never refuses it, must needs it.",
        **given,
    )
    flags.DEFINE_string(
        "shard", None, "i/n: only every n-th example, from number i (counted from 0).", **given
    )
    flags.DEFINE_list("merge", [], "Folders of all shards, to make one report of them.", **given)


def check_flags(values: flags.FlagValues, kind: Kind) -> bool:
    """Raises `UserError` for values of these flags that cannot work; says whether the model is a run's.

    Args:
        values: of the flags.
        kind: of the folder that is written.
    """
    found = find_classifier(require_flag(values, "model"))
    if values.shard is not None:
        parts.parse_shard(values.shard)
    if values.shard is not None and values.merge:
        raise UserError(
            "--shard makes a part and --merge joins the parts. Give one of the two, not both."
        )
    if "" in values.merge:
        raise UserError("--merge holds an empty name. Give folders with a comma between two.")
    first_look.check_parts(values.merge, kind)
    first_look.check_radius(values.epsilon, values.norm)
    first_look.check_data(values.data, values.data_dir)
    if values.data is not None:
        with use_data_dir(values.data_dir):
            origin = parts.name_classes(values, read_origin(found))
            first_look.check_pictures(values.data, values.split, origin)
    if found.run is None or (values.data is not None and parts.has_threat_model(values)):
        require_flag(values, "data")
    if found.run is None or values.norm is not None:
        require_flag(values, "epsilon")
    if values.workdir:
        first_look.check_workdir(values.workdir, kind, values.resume)
    else:
        first_look.check_writable(found.run or "runs")
    return found.run is not None
