"""Measures what a training step costs, or an evaluation, in passes through the classifier.

    python bin/benchmark.py
    python bin/benchmark.py --width=16 --methods=ADV-10,TRADES-10 --repeats=10
    python bin/benchmark.py --device --batch_size=128 --precision=mixed_bfloat16
    python bin/benchmark.py --evaluate=runs/trades --evaluate=runs/mnist_adv_one_step --examples=500

Everything is measured in one process and in turns: the passes with our BatchNormalization and with
Keras's, the optimizer's update, and each method's training step, as `fit` runs it, beside its passes one
after the other.

F is a forward pass and I a forward pass and back to the images, both in inference mode; W is a forward
pass in training mode and back to the weights, without the optimizer's update; "with update" counts that
too. CPU is the ratio before it in seconds of all threads together, which other processes disturb less.
Times and ratios are medians; peaks are tensors beyond those between two calls, such as the
weights; on a CPU only tensors of more than 256 KiB are counted.

With --evaluate it measures AutoAttack on finished runs in place of training steps: the passes of an
example that nothing breaks beside those of AutoAttack's own code, and the wall time of the search beside
that of its passes alone, in batches of the same size.

With --device it measures steps alone, one method after the other: images a second, peak memory and passes
in one table, with the device and the versions above it, to be sent or kept. It takes --precision and
--jit_compile.

    python bin/benchmark.py --autoattack=runs/trades --python=torch/bin/python

With --autoattack it times our AutoAttack, tracing included, and that of torchattacks with the settings of
AutoAttack's paper, in a process of its own, on the same weights, images and radius, one after the other, and
prints how many examples each leaves robust. It needs PyTorch, and is no dependency of tfrobust. The
Adversarial Robustness Toolbox is not timed: its AutoAttack on four digits had not ended after a quarter of
an hour, beside other work.

    python bin/benchmark.py --data=memory --batch_size=512
    python bin/benchmark.py --data=pictures --image_size=224 --batch_size=128

With --data=memory it measures training batches of images in memory: images a second of time and of
processor time, with augmentation and without, whole batches and image by image; and short fits on
arrays with tf.data's autotune thread, which an iterator waits for at its end, beside those without it.
With a folder it measures how many training images are read in a second from JPEG files in a folder for each
class, cropped at random and mirrored, beside a plain tf.data pipeline on the same files, in turns.

    python bin/benchmark.py --export=runs/trades_mer

With --export it measures the signatures of an export's SavedModel, for 1 image and for 64, beside
`tf.function` of the Keras model alone, in turns.

Exit status: 0 done; 2 something in the request cannot work.
"""

import math
import os
import platform
import sys

from absl import flags

from tfrobust.commands.parts.benchmark import IN_MEMORY, check
from tfrobust.commands.start.command_line import Command


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_enum(
        "model", "preact_resnet18", ["preact_resnet18", "digits_cnn"], "Classifier.", **given
    )
    flags.DEFINE_integer("width", 64, "Filters of preact_resnet18's first stage.", 1, 4096, **given)
    flags.DEFINE_integer("batch_size", 32, "Images in a batch.", 1, 2**20, **given)
    flags.DEFINE_integer("image_size", 32, "Height and width of the images.", 8, 4096, **given)
    flags.DEFINE_integer("repeats", 5, "Rounds. Passes have four times as many.", 1, 10**6, **given)
    flags.DEFINE_list(
        "methods", [], "Methods to measure, such as ADV-1,TRADES-10. Default: all.", **given
    )
    flags.DEFINE_bool("device", False, "Measure steps alone, on the device at hand.", **given)
    flags.DEFINE_enum(
        "precision",
        "float32",
        ["float32", "mixed_bfloat16", "mixed_float16"],
        "In what --device computes.",
        **given,
    )
    flags.DEFINE_bool("jit_compile", False, "Compile the steps of --device with XLA.", **given)
    flags.DEFINE_string(
        "data", None, "Folder of JPEG files by class, or memory: batches to measure.", **given
    )
    flags.DEFINE_multi_string("evaluate", [], "Folder of a run to measure AutoAttack on.", **given)
    flags.DEFINE_multi_string("autoattack", [], "Folder of a run to time AutoAttacks on.", **given)
    flags.DEFINE_multi_string(
        "export", [], "Folder of a run or of an export to measure the latency of.", **given
    )
    flags.DEFINE_list(
        "libraries",
        ["torchattacks"],
        "Whose AutoAttack to time, with --autoattack: torchattacks.",
        **given,
    )
    flags.DEFINE_string(
        "python",
        None,
        "Python that has these libraries, with --autoattack. Default: the one that runs this.",
        **given,
    )
    flags.DEFINE_string("suite", "autoattack", "What to measure with --evaluate.", **given)
    flags.DEFINE_integer(
        "examples",
        None,
        "Only the first so many test examples, with --evaluate or --autoattack.",
        lower_bound=1,
        **given,
    )
    flags.DEFINE_bool("layers", True, "Compare the BatchNormalization layers too.", **given)


def _run(values):
    if values.data is not None:
        from tfrobust.benchmarks import data, pictures

        sizes = values.image_size, values.batch_size, values.repeats
        if values.data == IN_MEMORY:
            return data.measure_memory(*sizes)
        return pictures.measure_pictures(values.data, *sizes)
    if values.export:
        from tfrobust.benchmarks.exports import measure_exports

        return measure_exports(values.export, values.repeats)
    if not (values.evaluate or values.autoattack):
        return _measure_device(values) if values.device else _measure_steps(values)
    from tfrobust.benchmarks import runs

    if values.evaluate:
        return runs.measure_evaluations(values.evaluate, values.suite, values.examples)
    others = values.libraries, values.python or sys.executable
    return runs.compare_autoattacks(values.autoattack, *others, values.examples)


def _measure_steps(values):
    import keras
    import tensorflow as tf

    from tfrobust import __version__
    from tfrobust.benchmarks import benchmark_table as table
    from tfrobust.benchmarks import calls as calls_room
    from tfrobust.benchmarks import passes
    from tfrobust.benchmarks import steps as benchmark
    from tfrobust.benchmarks.measuring.costs import measure_calls, take_median
    from tfrobust.benchmarks.measuring.memory import measure_process_peak
    from tfrobust.models.swap import with_stock_batch_normalization

    # Each method has a function of its own, which TensorFlow takes for retracing.
    tf.get_logger().setLevel("ERROR")
    subjects = benchmark.choose_methods(values.methods)
    keras.utils.set_random_seed(0)
    model = _make_model(values, (values.image_size, values.image_size, 3))
    x, y = _make_batch(values, model)
    devices = ", ".join(device.name for device in tf.config.list_logical_devices())
    print(
        f"tfrobust {__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        f"Python {platform.python_version()}; {platform.machine()}, {os.cpu_count()} cores, {devices}\n"
        f"{_describe(model, x)}, medians of {values.repeats} rounds",
        flush=True,
    )

    def compare(title, calls, rounds):
        costs = measure_calls(calls, rounds)
        rows = table.format_pass_rows(costs, passes.PASSES)
        table.print_table((title, *table.PASS_HEAD[1:]), rows)

    ours = passes.make_passes(model, x, y)
    theirs = passes.make_passes(with_stock_batch_normalization(model), x, y)
    compare("classifier", passes.pair_passes(ours, theirs), 4 * values.repeats)
    if values.layers:
        for shape in passes.find_normalized_shapes(model, values.batch_size):
            title = f"BatchNormalization {shape}"
            compare(title, passes.make_normalization_passes(shape), 20 * values.repeats)

    steps = {
        name: calls_room.RepeatedStep(subject, model, x, y) for name, subject in subjects.items()
    }
    calls = {
        "update": calls_room.make_update(model),
        **calls_room.list_calls(subjects, ours, steps),
    }
    costs = measure_calls(calls, values.repeats)
    traces = {name: step.traces for name, step in steps.items()}
    rows = table.format_step_rows(subjects, costs, traces)
    table.print_table(table.STEP_HEAD, rows)
    print(
        f"\nupdate of all weights (SGD with momentum): {take_median(costs['update']).wall * 1e3:.3g} ms\n"
        f"peak memory of the process: {measure_process_peak() / 2**30:.2f} GiB"
    )


def _measure_device(values):
    import keras
    import tensorflow as tf

    from tfrobust.benchmarks import device, steps

    tf.get_logger().setLevel("ERROR")
    subjects = steps.choose_methods(values.methods)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(values.precision)
    model = _make_model(values, (values.image_size, values.image_size, 3))
    compiled = "with XLA" if values.jit_compile else "without XLA"
    x, y = _make_batch(values, model)
    print(
        f"{device.describe_device()}\n{_describe(model, x)}, {values.precision}, {compiled}, "
        f"medians of {values.repeats} steps",
        flush=True,
    )
    device.measure_device(subjects, model, x, y, values.repeats, values.jit_compile)


def _make_model(values, image_shape):
    from tfrobust import models

    small = values.model == "digits_cnn"
    return (
        models.digits_cnn(image_shape)
        if small
        else models.preact_resnet18(values.width, image_shape)
    )


def _make_batch(values, model):
    import tensorflow as tf

    x = tf.random.stateless_uniform((values.batch_size, *model.input_shape[1:]), (0, 1))
    return x, tf.random.stateless_uniform((values.batch_size,), (0, 2), 0, 10, tf.int32)


def _describe(model, x):
    weights = sum(math.prod(v.shape) for v in model.trainable_variables)
    return f"{model.name}, {weights:,} trainable weights, images {tuple(x.shape)}"


COMMAND = Command("benchmark", __doc__, _define, _run, check)
