"""Tries what a run needs, in a process of its own, which may die of it; one line of JSON for each trial."""

import json
import sys
import time


def tell(trial: str, **found: object) -> None:
    """Prints what came of a trial."""
    print(json.dumps({"trial": trial, **found}), flush=True)


def try_import() -> None:
    """Imports TensorFlow and Keras and lists the devices."""
    began = time.perf_counter()
    import keras
    import tensorflow as tf

    from tfrobust.ops.onednn import is_left_off

    tell(
        "import",
        tensorflow=tf.__version__,
        keras=keras.__version__,
        backend=keras.backend.backend(),
        seconds=time.perf_counter() - began,
        devices=[
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ],
        built_with_cuda=tf.test.is_built_with_cuda(),
        onednn_left_off=is_left_off(),
    )


def try_steps() -> None:
    """Times a training step of a small convolutional network plainly, in mixed precision and with XLA.

    In turns, so that what else the machine does meets all of them alike.
    """
    import tensorflow as tf

    mixed = "mixed_float16" if tf.config.list_physical_devices("GPU") else "mixed_bfloat16"
    settings = {"plain": ("float32", False), mixed: (mixed, False), "XLA": ("float32", True)}
    steps, first = {}, {}
    for name, setting in settings.items():
        try:
            step = _make_step(*setting)
            first[name] = _time(step)
        except Exception as error:
            tell("step", name=name, error=f"{type(error).__name__}: {error}"[:500])
        else:
            steps[name] = step
    rounds = [{name: _time(step) for name, step in steps.items()} for _ in range(10)]
    for name in steps:
        tell("step", name=name, first=first[name], later=min(times[name] for times in rounds))


def try_resnet() -> None:
    """Times a training step of a narrow ResNet, by which oneDNN is judged: it gains most there."""
    from tfrobust.models import preact_resnet18

    step = _make_gradient(preact_resnet18(width=16), compiled=False)
    _time(step)
    tell("resnet", later=min(_time(step) for _ in range(5)))


def _make_step(policy, compiled):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu", dtype=policy),
            layers.Conv2D(32, 3, 2, activation="relu", dtype=policy),
            layers.Flatten(),
            layers.Dense(10, dtype="float32"),
        ]
    )
    return _make_gradient(model, compiled)


def _make_gradient(model, compiled):
    import tensorflow as tf

    x, y = tf.random.stateless_uniform((32, 32, 32, 3), (0, 1)), tf.zeros(32, tf.int32)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(jit_compile=compiled)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True))
            )
        return loss, tape.gradient(loss, variables)

    return step


def _time(step):
    began = time.perf_counter()
    loss, _gradients = step()
    float(loss)
    return time.perf_counter() - began


def try_main_job() -> None:
    """Trains a classifier of the digits robustly for a few steps and attacks it."""
    began = time.perf_counter()
    loss = _train_digits()
    tell("main job", loss=loss, seconds=time.perf_counter() - began)


def _train_digits():
    import keras

    import tfrobust
    from tfrobust.data import digits
    from tfrobust.models import digits_cnn

    train = digits().train
    method = tfrobust.recipes.trades(digits_cnn(), "Linf", 0.15)
    method.compile(keras.optimizers.SGD(0.1))
    found = method.fit(train.images[:192], train.labels[:192], batch_size=64, epochs=1, verbose=0)
    return found.history["loss"][-1]


if __name__ == "__main__":
    # The folder of this file comes first, and that of the package has to be there.
    sys.path[0] = sys.argv[1]
    if sys.argv[2:] == ["resnet"]:
        try_resnet()
    else:
        try_import()
        try_steps()
        try_main_job()
