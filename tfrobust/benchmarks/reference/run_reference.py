"""AutoAttack of another library on a network that was written down; a script of its own process.

    python run_reference.py REQUEST.npz ANSWER.npz

It imports PyTorch and the library, and nothing of tfrobust or TensorFlow, so that it may run in another
Python environment, and neither of the two frameworks meets the other's threads.
"""

import importlib
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np


def main(request: str, answer: str) -> None:
    """Answers "logits" (n, k), "right" (n,), and for each attack seconds, flags and images."""
    given = np.load(request, allow_pickle=False)
    settings = json.loads(str(given["settings"]))
    importlib.import_module(settings["library"])
    arrays = [given[f"array_{i}"] for i in range(settings["arrays"])]
    network = build_network(settings["layers"], arrays)
    x, y = given["x"].transpose(0, 3, 1, 2).copy(), given["y"]
    found = LIBRARIES[settings["library"]](network, x, y, settings)
    np.savez(answer, **found)


def build_network(layers: Sequence[dict[str, Any]], arrays: Sequence[np.ndarray]) -> Any:
    """The PyTorch module of what `network.describe_network` returned, in evaluation mode."""
    import torch

    rest, modules = iter(arrays), []
    for layer in layers:
        own = [torch.tensor(next(rest)) for _ in range(layer["arrays"])]
        modules.append(MODULES[layer["kind"]](torch.nn, layer, own))
    network = torch.nn.Sequential(*modules).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _convolution(nn, layer, own):
    shape = own[0].shape
    module = nn.Conv2d(
        shape[1] * layer["groups"],
        shape[0],
        tuple(shape[2:]),
        tuple(layer["strides"]),
        tuple(layer["padding"]),
        tuple(layer["dilation"]),
        layer["groups"],
        bias=len(own) > 1,
    )
    return _fill(module, own)


def _dense(nn, layer, own):
    outputs, inputs = own[0].shape
    return _fill(nn.Linear(inputs, outputs, bias=len(own) > 1), own)


def _fill(module, own):
    names = ("weight", "bias")
    module.load_state_dict(dict(zip(names, own, strict=False)))
    return module


def _normalisation(nn, layer, own):
    module = nn.BatchNorm2d(len(own[0]), layer["epsilon"])
    names = ("running_mean", "running_var", "weight", "bias")
    module.load_state_dict(dict(zip(names, own, strict=True)), strict=False)
    return module


def _rescaling(nn, layer, own):
    class Rescaling(nn.Module):
        def forward(self, x):
            return x * own[0] + own[1]

    return Rescaling()


def _mean(nn, layer, own):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


MODULES = {
    "convolution": _convolution,
    "dense": _dense,
    "normalisation": _normalisation,
    "rescaling": _rescaling,
    "mean": _mean,
    "padding": lambda nn, layer, own: nn.ZeroPad2d(tuple(layer["sides"])),
    "maximum": lambda nn, layer, own: nn.MaxPool2d(tuple(layer["size"]), tuple(layer["strides"])),
    "average": lambda nn, layer, own: nn.AvgPool2d(tuple(layer["size"]), tuple(layer["strides"])),
    "flatten": lambda nn, layer, own: nn.Flatten(),
    "relu": lambda nn, layer, own: nn.ReLU(),
    "softplus": lambda nn, layer, own: nn.Softplus(),
    "silu": lambda nn, layer, own: nn.SiLU(),
}


def run_torchattacks(
    network: Any, x: np.ndarray, y: np.ndarray, settings: dict[str, Any]
) -> dict[str, Any]:
    """AutoAttack's four attacks, with the settings of its paper, on the images that are still robust."""
    import torch
    import torchattacks

    common = {"norm": settings["norm"], "eps": settings["epsilon"], "seed": settings["seed"]}
    classes = settings["num_classes"]
    attacks = {
        "apgd-ce": torchattacks.APGD(network, steps=100, loss="ce", **common),
        "apgd-t": torchattacks.APGDT(network, steps=100, n_classes=classes, **common),
        "fab-t": torchattacks.FAB(
            network, steps=100, multi_targeted=True, n_classes=classes, **common
        ),
        "square": torchattacks.Square(network, n_queries=5000, resc_schedule=False, **common),
    }
    for name in ("apgd-t", "fab-t"):
        attacks[name].n_target_classes = min(9, classes - 1)
    x, y = torch.tensor(x), torch.tensor(y)

    def attack(name, places):
        return attacks[name](x[places], y[places])

    return _attack_one_after_the_other(network, x, y, attack, attacks, settings["rows"])


def _attack_one_after_the_other(network, x, y, attack, names, rows):
    import torch

    def classify(images):
        with torch.no_grad():
            return network(images)

    # The first pass prepares the kernels.
    logits = classify(x)
    standing = logits.argmax(1) == y
    found = {"logits": logits.numpy(), "right": standing.numpy().copy()}
    for name in names:
        began = time.perf_counter()
        given = torch.nonzero(standing).flatten()
        for places in given.split(rows):
            # The gradient of a whole network is not kept.
            images = attack(name, places)
            standing[places] &= classify(images).argmax(1) == y[places]
        found[f"seconds/{name}"] = np.array(time.perf_counter() - began)
        found[f"attempted/{name}"] = np.array(len(given))
        found[f"standing/{name}"] = standing.numpy().copy()
    return found


LIBRARIES = {"torchattacks": run_torchattacks}

if __name__ == "__main__":
    main(*sys.argv[1:])
