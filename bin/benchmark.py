"""Measures what a training step costs, or an evaluation, in passes through the classifier.

    python bin/benchmark.py
    python bin/benchmark.py --width=16 --methods=ADV-10,TRADES-10 --repeats=10
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

Exit status: 0 done; 2 something in the request cannot work.
"""

import os
import pathlib
import platform
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_enum("model", "preact_resnet18", ["preact_resnet18", "digits_cnn"], "Classifier.")
flags.DEFINE_integer("width", 64, "Filters of preact_resnet18's first stage.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Images in a batch.", lower_bound=1)
flags.DEFINE_integer("image_size", 32, "Height and width of the images.", lower_bound=8)
flags.DEFINE_integer("repeats", 5, "Rounds. Passes have four times as many.", lower_bound=1)
flags.DEFINE_list("methods", [], "Methods to measure, such as ADV-1,TRADES-10. Default: all.")
flags.DEFINE_multi_string("evaluate", [], "Folder of a run to measure AutoAttack on; repeatable.")
flags.DEFINE_string("suite", "autoattack", "What to measure with --evaluate.")
flags.DEFINE_integer("examples", None, "Only the first so many test examples, with --evaluate.")
flags.DEFINE_bool("layers", True, "Compare the BatchNormalization layers by themselves too.")


def main(argv):
    from tfrobust.errors import UserError

    try:
        if len(argv) > 1:
            raise UserError(f"Unknown argument {argv[1]!r}: flags begin with --, see --help.")
        if FLAGS.evaluate:
            evaluations()
        else:
            run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run():
    import keras
    import tensorflow as tf

    from tfrobust import __version__
    from tfrobust.benchmarks import benchmark_table, passes
    from tfrobust.benchmarks import steps as benchmark
    from tfrobust.benchmarks.costs import measured, median
    from tfrobust.benchmarks.memory import process_peak
    from tfrobust.models.swap import with_stock_batch_normalization

    # Each method has a function of its own, which TensorFlow takes for retracing.
    tf.get_logger().setLevel("ERROR")
    subjects = benchmark.chosen(FLAGS.methods)
    keras.utils.set_random_seed(0)
    model = _model((FLAGS.image_size, FLAGS.image_size, 3))
    x = tf.random.stateless_uniform((FLAGS.batch_size, *model.input_shape[1:]), (0, 1))
    y = tf.random.stateless_uniform((FLAGS.batch_size,), (0, 2), 0, 10, tf.int32)
    weights = sum(int(tf.size(v)) for v in model.trainable_variables)
    devices = ", ".join(device.name for device in tf.config.list_logical_devices())
    print(
        f"tfrobust {__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        f"Python {platform.python_version()}; {platform.machine()}, {os.cpu_count()} cores, {devices}\n"
        f"{model.name}, {weights:,} trainable weights, images {tuple(x.shape)}, "
        f"medians of {FLAGS.repeats} rounds",
        flush=True,
    )

    def compare(title, calls, rounds):
        costs = measured(calls, rounds)
        rows = benchmark_table.pass_rows(costs, passes.PASSES)
        _print((title, *benchmark_table.PASS_HEAD[1:]), rows)

    stock = with_stock_batch_normalization(model)
    ours = passes.passes(model, x, y)
    theirs = passes.passes(stock, x, y)
    compare("classifier", passes.side_by_side(ours, theirs), 4 * FLAGS.repeats)
    if FLAGS.layers:
        for shape in passes.normalized_shapes(model, FLAGS.batch_size):
            title = f"BatchNormalization {shape}"
            compare(title, passes.normalization_passes(shape), 20 * FLAGS.repeats)

    steps = {name: benchmark.Step(subject, model, x, y) for name, subject in subjects.items()}
    calls = {"update": benchmark.update(model), **benchmark.calls_of(subjects, ours, steps)}
    costs = measured(calls, FLAGS.repeats)
    traces = {name: step.traces for name, step in steps.items()}
    _print(benchmark_table.STEP_HEAD, benchmark_table.step_rows(subjects, costs, traces))
    print(
        f"\nupdate of all weights (SGD with momentum): {median(costs['update']).wall * 1e3:.3g} ms\n"
        f"peak memory of the process: {process_peak() / 2**30:.2f} GiB"
    )


def evaluations():
    import tensorflow as tf

    from tfrobust import evaluation
    from tfrobust.benchmarks import evaluation as benchmark

    for run_folder in FLAGS.evaluate:
        subject = evaluation.Subject.of(run_folder)
        data, threat_model = evaluation.settings_of_run(run_folder)
        examples = evaluation.load_examples(data)
        if FLAGS.examples:
            examples = examples.first(FLAGS.examples)
        suite = evaluation.suite(FLAGS.suite, threat_model)
        print(
            f"\n{subject.model.name} on {examples.name}, {threat_model}, TensorFlow {tf.__version__}, "
            f"{os.cpu_count()} cores"
        )
        _print(benchmark.HEAD, benchmark.measured(subject, examples, suite))


def _model(image_shape):
    from tfrobust import models

    if FLAGS.model == "digits_cnn":
        return models.digits_cnn(image_shape)
    return models.preact_resnet18(FLAGS.width, image_shape)


def _print(head, rows):
    from tfrobust.benchmarks.benchmark_table import table

    print("", *table(head, rows), sep="\n", flush=True)


if __name__ == "__main__":
    app.run(main)
