"""What a training step of LLR on ImageNet asks of a number of GPUs, by arithmetic.

    python -m tfrobust.benchmarks.scaling

Nothing here is measured: shapes of ResNet-152, passes of a method, and what a maker says of a GPU.
"""

import dataclasses
import math
from collections.abc import Iterator

BLOCKS = ((64, 3), (128, 8), (256, 36), (512, 3))
"""Filters and bottleneck blocks of ResNet-152's four stages."""
IMAGES = 1_281_167
"""Of ImageNet's training split."""
BYTES = 4
"""Of a float32 number."""


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution without bias, followed by BatchNormalization.

    Args:
        kernel: height and width of its kernel.
        inputs, outputs: channels.
        size: height and width of its result.
    """

    kernel: int
    inputs: int
    outputs: int
    size: int

    @property
    def weights(self) -> int:
        """Numbers in its kernel."""
        return self.kernel**2 * self.inputs * self.outputs

    @property
    def results(self) -> int:
        """Numbers in its result for one image."""
        return self.size**2 * self.outputs


def list_convolutions(image_size: int = 224) -> Iterator[Convolution]:
    """Yields the convolutions of ResNet-152, with strides in the 3 x 3 ones."""
    size = math.ceil(image_size / 2)
    yield Convolution(7, 3, 64, size)
    size = math.ceil(size / 2)
    inputs = 64
    for stage, (filters, blocks) in enumerate(BLOCKS):
        for block in range(blocks):
            before, size = size, math.ceil(size / 2) if stage and not block else size
            yield Convolution(1, inputs, filters, before)
            yield Convolution(3, filters, filters, size)
            yield Convolution(1, filters, 4 * filters, size)
            if not block:
                yield Convolution(1, inputs, 4 * filters, size)
            inputs = 4 * filters


def count_parameters(classes: int = 1000) -> int:
    """Trainable numbers of ResNet-152: kernels, scales and offsets of BatchNormalization, the last layer."""
    convolutions = list(list_convolutions())
    normalisation = 2 * sum(one.outputs for one in convolutions)
    return sum(one.weights for one in convolutions) + normalisation + (2048 + 1) * classes


def count_operations(classes: int = 1000) -> int:
    """Floating-point operations of a forward pass of one image; a product and a sum are two."""
    products = sum(one.weights * one.size**2 for one in list_convolutions())
    return 2 * (products + 2048 * classes)


def count_passes(inner_steps: int) -> int:
    """What a step of LLR costs, in forward passes F; a pass back to images or to weights is one more each.

    F and back to the images for the gradient at x, and for each inner step; F twice for the loss (at x with
    the batch's statistics, at x + d) and back to the images at x; then back through all of that, to what came
    before and to the weights, twice its own cost.

    Args:
        inner_steps: K, steps of the search for d.
    """
    attack = 2 * (1 + inner_steps)
    loss = 2 + 1
    return attack + loss + 2 * loss


@dataclasses.dataclass(frozen=True)
class Machines:
    """GPUs, and what is assumed of them.

    Args:
        gpus: how many.
        teraflops: operations that one does in a second, 10^12, at best.
        share: of that which a convolutional network reaches.
        gigabytes: bytes between two GPUs in a second, 10^9, at the slowest place of the ring.
        latency: seconds of a sum over all GPUs of a few numbers.
    """

    gpus: int
    teraflops: float = 156.0
    share: float = 0.35
    gigabytes: float = 100.0
    latency: float = 30e-6


EIGHT = Machines(8)
SIXTY_FOUR = Machines(64, gigabytes=25.0, latency=60e-6)


def estimate(
    machines: Machines, inner_steps: int, epochs: int, batch_size: int = 512
) -> dict[str, float]:
    """What a step of LLR on ImageNet takes, by name.

    Args:
        machines: the `Machines`.
        inner_steps: K.
        epochs: of the whole training.
        batch_size: images on all GPUs together.
    """
    convolutions = list(list_convolutions())
    layers = len(convolutions)
    parameters, n = count_parameters(), machines.gpus
    images = batch_size / n
    # For each convolution its result, the normalised one and the one after softplus.
    stored = 3 * BYTES * sum(one.results for one in convolutions)
    # At x, the way back to x, which is differentiated too, and at x + d.
    graphs = 3
    variables = 3 * BYTES * parameters  # weights, momentum, gradients
    ring = 2 * (n - 1) / n * BYTES * parameters
    # Mean and variance of the pass at x, and a sum each time that pass is differentiated: back to x,
    # then for the weights through both.
    sums = layers * (2 + 1 + 3)
    compute = (
        count_passes(inner_steps) * count_operations() * images / (machines.teraflops * 1e12)
    ) / machines.share
    gradients, statistics = ring / (machines.gigabytes * 1e9), sums * machines.latency
    step = compute + gradients + statistics
    return {
        "images for each GPU": images,
        "passes": count_passes(inner_steps),
        "memory for each GPU (GB)": (variables + graphs * stored * images) / 1e9,
        "all-reduce of gradients, sent by each GPU (MB)": ring / 1e6,
        "sums for BatchNormalization": sums,
        "compute (ms)": 1e3 * compute,
        "all-reduce of gradients (ms)": 1e3 * gradients,
        "sums for BatchNormalization (ms)": 1e3 * statistics,
        "step (ms)": 1e3 * step,
        "training (hours)": epochs * (IMAGES // batch_size) * step / 3600,
        "images a second from disk": batch_size / step,
        "MB a second from disk, at 110 kB for each": batch_size / step * 0.11,
    }


def format_table() -> str:
    """The estimates for LLR at 4/255 (K = 2) and 16/255 (K = 10) on 8 and on 64 GPUs, as Markdown."""
    columns = {
        f"K = {steps}, {machines.gpus} GPUs": estimate(machines, steps, epochs)
        for steps, epochs in ((2, 100), (10, 55))
        for machines in (EIGHT, SIXTY_FOUR)
    }
    lines = [f"| a step of 512 images | {' | '.join(columns)} |", "| --- " * 5 + "|"]
    for name in next(iter(columns.values())):
        values = " | ".join(f"{column[name]:,.0f}" for column in columns.values())
        lines.append(f"| {name} | {values} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"ResNet-152: {count_parameters():,} parameters, {count_operations() / 1e9:.1f} GFLOP")
    print(format_table())
