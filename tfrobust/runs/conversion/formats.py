"""The formats that a classifier is converted to; importing this file imports no TensorFlow."""

import dataclasses
import importlib.util

from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of files for inference.

    Args:
        file: name of the file beside the export.
        needs: modules without which it can neither be written nor run.
        extra: the extra of tfrobust that installs them.
        precision: "float32", "float16" (weights) or "int8" (weights and activations, calibrated).
    """

    file: str
    needs: tuple[str, ...]
    extra: str
    precision: str = "float32"

    @property
    def needs_calibration(self) -> bool:
        """Whether images of the training are needed, for the ranges of activations."""
        return self.precision == "int8"


_LITERT, _ONNX = ("ai_edge_litert",), ("tf2onnx", "onnx", "onnxruntime")
FORMATS = {
    "litert": Format("classifier.tflite", _LITERT, "litert"),
    "litert_float16": Format("classifier-float16.tflite", _LITERT, "litert", "float16"),
    "litert_int8": Format("classifier-int8.tflite", _LITERT, "litert", "int8"),
    "onnx": Format("classifier.onnx", _ONNX, "onnx"),
}


def check_format(name: str) -> Format:
    """The format of a name.

    Raises:
        UserError: there is none of that name, or what it needs is not installed.

    Example:
        >>> from tfrobust.runs.conversion.formats import check_format
        >>> check_format("gguf")
        Traceback (most recent call last):
        tfrobust.errors.UserError: There is no format 'gguf'. Expected one of: saved_model, ...
    """
    if name not in FORMATS:
        known = ", ".join(("saved_model", *FORMATS, "card"))
        raise UserError(f"There is no format {name!r}. Expected one of: {known}.")
    format = FORMATS[name]
    missing = [module for module in format.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"The format {name} needs {', '.join(missing).replace('_', '-')}. Install it by: pip install "
            f"'tfrobust[{format.extra}]'"
        )
    return format
