"""Everything a Keras model carries from one step to the next, by name, to the last bit."""

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError


def collect_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All variables of a model: what to save so that training goes on as if never interrupted.

    Those are the weights, the statistics, the states of seed generators, the optimizer's variables
    and the metrics' variables (partial sums in the middle of an epoch).

    Args:
        model: a built `keras.Model`, compiled or not. Keras makes the optimizer's variables and those
            of compiled metrics at the first batch, and in `fit` before `on_train_begin`.

    Returns:
        name -> variable, in a fixed order. A name is `group/position/path`, the path without the
        numbers by which Keras tells layers of one process apart: every process gets the same names.
    """
    optimizer = getattr(model, "optimizer", None)
    if not model.built or (optimizer is not None and not optimizer.built):
        raise RuntimeError(
            f"The variables of {model.name} are not all made: build it and its optimizer first."
        )
    groups = {
        "model": model.variables,
        "optimizer": optimizer.variables if optimizer is not None else (),
        "metrics": getattr(model, "metrics_variables", ()),
    }
    named, seen = {}, set()
    for group, variables in groups.items():
        for position, variable in enumerate(v for v in variables if id(v) not in seen):
            seen.add(id(variable))
            path = re.sub(r"_\d+(?=[/_]|$)", "", variable.path)
            named[f"{group}/{position:04d}/{path}"] = variable
    return named


def snapshot(
    model: keras.Model, exchange: Callable[[Any], list[Any]] = lambda value: [value]
) -> dict[str, np.ndarray]:
    """The values of `collect_variables(model)`, copied.

    Args:
        model: as in `collect_variables`.
        exchange: gives a JSON value to all processes that train together, and returns theirs in order.

    Returns:
        name -> array. A variable whose copies differ between replicas, such as a metric's partial
        sum, gives one array for each: `name@0`, `name@1`, and so on.
    """
    arrays, copied = {}, {}
    for name, variable in collect_variables(model).items():
        copied[name] = [np.asarray(copy.numpy()) for copy in list_copies(variable)]
    # Those that differ between replicas, the same of them in each process.
    own = {
        name: [{"shape": copy.shape, "bytes": copy.tobytes().hex()} for copy in copied[name]]
        for name, variable in collect_variables(model).items()
        if isinstance(variable.value, tf.distribute.DistributedValues)
        and variable.value.synchronization == tf.VariableSynchronization.ON_READ
    }
    everyone = exchange(own)
    for name in own:
        dtype = copied[name][0].dtype
        copied[name] = [
            np.frombuffer(bytes.fromhex(copy["bytes"]), dtype).reshape(copy["shape"])
            for process in everyone
            for copy in process[name]
        ]
    for name, copies in copied.items():
        if all(copy.tobytes() == copies[0].tobytes() for copy in copies):
            arrays[name] = copies[0]
        else:
            arrays |= {f"{name}@{i}": copy for i, copy in enumerate(copies)}
    return arrays


def restore(
    model: keras.Model, arrays: dict[str, np.ndarray], index: int = 0, count: int = 1
) -> None:
    """Assigns what `snapshot` returned to a model that is made the same way; all of it or nothing.

    Args:
        model: as in `collect_variables`.
        arrays: name -> array.
        index: number of this process among those that train together.
        count: how many there are.

    Raises:
        UserError: names, shapes or dtypes differ; they are listed, and no variable has changed.
    """
    saved: dict[str, list[np.ndarray]] = {}
    for key, array in arrays.items():
        saved.setdefault(re.sub(r"@\d+$", "", key), []).append(array)
    missing: list[str] = []
    differing: list[str] = []
    assignments: list[tuple[Any, np.ndarray]] = []
    for name, variable in collect_variables(model).items():
        copies, values = list_copies(variable), saved.pop(name, [])
        wanted = f"{variable.dtype} {tuple(variable.shape)}"
        found = sorted({f"{array.dtype} {array.shape}" for array in values})
        if not values:
            missing.append(name)
        elif len(values) not in (1, len(copies) * count):
            expected = len(copies) * count
            differing.append(f"{name} (saved of {len(values)} replicas, expected {expected})")
        elif found != [wanted]:
            differing.append(f"{name} (saved {found[0]}, expected {wanted})")
        else:
            first = index * len(copies)
            own = values[first : first + len(copies)] if len(values) > 1 else values * len(copies)
            assignments += zip(copies, own, strict=True)
    extra = list(saved)
    if missing or differing or extra:
        problems = {"not saved": missing, "of another kind": differing, "not in the model": extra}
        told = "; ".join(
            f"{what}: {_join_names(names)}" for what, names in problems.items() if names
        )
        raise UserError(
            f"The saved state does not fit this model: {told}. "
            "Make the model, the optimizer and the metrics as the run that saved it made them."
        )
    for copy, array in assignments:
        copy.assign(array)


def list_copies(variable: keras.Variable) -> list[tf.Variable]:
    """The `tf.Variable`s behind a Keras variable: one, or one for each replica."""
    value = variable.value
    return list(getattr(value, "values", (value,)))


def _join_names(names, most=5):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
