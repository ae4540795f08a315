"""Finding a data set that TensorFlow Datasets (TFDS) has prepared, without asking the network."""

import difflib
import os
import re

from tfrobust.errors import UserError


def find_builder(name, data_dir=None, download=False):
    """Returns the TFDS builder of a data set that is prepared on this machine.

    Args:
        name: TFDS name, with "/config" and ":version" if wanted.
        data_dir: folder that holds prepared data sets; default: TFDS_DATA_DIR, then
            ~/tensorflow_datasets.
        download: whether TFDS may download and prepare it.

    Returns:
        `tfds.core.DatasetBuilder`.

    Raises:
        UserError: it is not there; says where it was sought and how to prepare it.
    """
    import tensorflow_datasets as tfds  # slow to import, of no use to other data sets

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    data_dir = os.path.expanduser(os.fspath(data_dir))
    advice = (
        f"Prepare it with `tfds build {name} --data_dir={data_dir}` (or download=True) where "
        "there is a network, or give the folder that holds it as TFDS_DATA_DIR or --data_dir, or "
        "use the embedded `digits`."
    )
    if not isinstance(name, str) or not re.fullmatch(
        r"\w+(/[\w.-]+)?(:[\d*]+(\.[\d*]+){2})?", name
    ):
        raise UserError(
            "`name` must be a TFDS name such as 'mnist', 'name/config' or 'name:1.0.0'. "
            f"Received: {name!r}."
        )
    try:
        # From the files alone: no code of the data set, older versions too, no network.
        return tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        pass
    bare = name.split("/")[0].split(":")[0]
    known = tfds.list_builders(with_community_datasets=False)
    if bare not in known:
        near = difflib.get_close_matches(bare, known, 1)
        hint = (
            f"Did you mean {near[0]!r}?"
            if near
            else "Check the name, or use the embedded `digits`."
        )
        raise UserError(
            f"There is no data set {name!r} in {data_dir}, and TFDS {tfds.__version__} knows none "
            f"of that name. {hint}"
        )
    if not download:
        there = [n for n in known if os.path.isdir(os.path.join(data_dir, n))]
        seen = f"which holds {', '.join(there)}" if there else "which holds no TFDS data set"
        if bare in there:
            seen = "where its folder has no complete copy of that version or config"
        seen = seen if os.path.isdir(data_dir) else "which does not exist"
        raise UserError(f"The data set {name!r} is not prepared in {data_dir}, {seen}. {advice}")
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # whatever the network, the disk or the data set's code raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"The data set {name!r} could not be downloaded and prepared in {data_dir} "
            f"({reason}). {advice}"
        ) from error
    return builder
