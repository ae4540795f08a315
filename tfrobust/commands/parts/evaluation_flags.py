"""The flags of `evaluate`."""

from absl import flags

from tfrobust.ops.random.seeds import SEED_LIMIT


def define_flags(values: flags.FlagValues) -> None:
    """Defines them."""
    given = {"flag_values": values}
    flags.DEFINE_string(
        "model", None, "Folder of a run, .keras file, or folder of a SavedModel.", **given
    )
    flags.DEFINE_string(
        "suite", "autoattack", "Name of the suite; --suite=help lists them.", **given
    )
    flags.DEFINE_multi_string(
        "gin_file",
        [],
        "Files that bind evaluation.custom.attacks, in place of --suite.",
        **given,
    )
    flags.DEFINE_multi_string("gin_bindings", [], "Lines of gin that override the files.", **given)
    flags.DEFINE_enum(
        "norm",
        None,
        ["Linf", "L2", "L1"],
        "Norm of the threat model. Default: the run's, or Linf.",
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
        "examples", None, "Evaluate only so many examples, the first ones.", lower_bound=1, **given
    )
    flags.DEFINE_integer("seed", 0, "Seed of all random numbers.", 0, SEED_LIMIT - 1, **given)
    flags.DEFINE_multi_string("surrogate", [], "A run or .keras file to transfer from.", **given)
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the evaluation. Default: evaluation/SUITE in the run, or runs/evaluation/NAME/SUITE.",
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
        "shard", None, "i/n: evaluate every n-th example, from number i (counted from 0).", **given
    )
    flags.DEFINE_list("merge", [], "Folders of all shards, to make one report of them.", **given)
    flags.DEFINE_enum(
        "checks",
        "auto",
        ["auto", "full", "contract", "none"],
        "contract: no checks with attacks of their own; auto: contract after one short attack, else full.",
        **given,
    )
    flags.DEFINE_enum(
        "nan_counts",
        "broken",
        ["broken", "robust"],
        "How to count an example that no attack broke and for which the classifier gives NaN or infinity.",
        **given,
    )
    flags.DEFINE_string(
        "certified",
        None,
        "Folder of bin/certify.py, for the same model: the report then has both bounds.",
        **given,
    )
    flags.DEFINE_bool(
        "skip_certified", False, "Don't attack what is certified; needs --certified.", **given
    )
    flags.DEFINE_string(
        "statement",
        "",
        "What the defence does and which adaptive attack was tried, for the report.",
        **given,
    )
    flags.DEFINE_bool(
        "strict", False, "Exit with 4 if a check found a reason not to trust the number.", **given
    )
    flags.DEFINE_bool(
        "force", False, "Continue where a check before the attacks found an error.", **given
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Run code outside tfrobust that gin files or the SavedModel name. Read it first.",
        **given,
    )
    flags.DEFINE_bool("images", False, "Keep the adversarial images, in adversarial*.npz.", **given)
    flags.DEFINE_integer(
        "slots",
        None,
        "The largest batch size, of all streams. Default: at most 256 a stream, by a short measurement.",
        1,
        2**20,
        **given,
    )
    flags.DEFINE_string(
        "streams",
        "auto",
        "Threads of one core each that share the attacks: a number, or auto, which measures what is faster.",
        **given,
    )
    flags.DEFINE_integer(
        "chunk", None, "The most examples held at once. Default: what takes 256 MiB.", 1, **given
    )
    flags.DEFINE_enum("strategy", "none", ["none", "mirrored"], "mirrored: use all GPUs.", **given)
    flags.DEFINE_bool("jit_compile", False, "Compile the attacks with XLA.", **given)
