"""Finding data sets that TensorFlow Datasets (TFDS) has prepared, without using the network."""

import difflib
import os
import re
from typing import TYPE_CHECKING

from tfrobust.errors import UserError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


def find_builder(
    name: str, data_dir: str | os.PathLike | None = None, download: bool = False
) -> "tfds.core.DatasetBuilder":
    """Finds the TFDS builder of a data set that is prepared on this machine.

    Args:
        name: TFDS name, optionally with "/config" and ":version".
        data_dir: folder of prepared data sets; default: the environment variable TFDS_DATA_DIR, then
            ~/tensorflow_datasets.
        download: whether TFDS may download and prepare it.

    Returns:
        `tfds.core.DatasetBuilder`.

    Raises:
        UserError: it is not there; the message says where it was searched and how to prepare it.

    Example:
        >>> find_builder("cifar10", data_dir="empty")
        Traceback (most recent call last):
            ...
        tfrobust.errors.UserError: The data set 'cifar10' is not prepared in empty, ...
    """
    import tensorflow_datasets as tfds  # slow to import, and no other data set needs it

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    data_dir = os.path.expanduser(os.fspath(data_dir))
    advice = (
        f"Prepare it with `tfds build {name} --data_dir={data_dir}` (or download=True) on a machine with "
        "a network connection, or set TFDS_DATA_DIR or --data_dir to the folder that contains it, or use "
        "the embedded `digits`."
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
            else "Check the name, give the path of a folder of pictures, or use the embedded `digits`."
        )
        raise UserError(
            f"There is no data set {name!r} in {data_dir}, and TFDS {tfds.__version__} has none with this "
            f"name. {hint}"
        )
    if not download:
        there = [n for n in known if os.path.isdir(os.path.join(data_dir, n))]
        seen = f"which contains {', '.join(there)}" if there else "which contains no TFDS data set"
        if bare in there:
            seen = "where its folder has no complete copy of that version or config"
        seen = seen if os.path.isdir(data_dir) else "which does not exist"
        raise UserError(f"The data set {name!r} is not prepared in {data_dir}, {seen}. {advice}")
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    # The network, the disk and the code of the data set raise errors of many kinds.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"The data set {name!r} could not be downloaded and prepared in {data_dir} "
            f"({reason}). {advice}"
        ) from error
    return builder
