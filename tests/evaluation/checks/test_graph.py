"""What lies between pixels and logits, read from graphs."""

import functools

import tensorflow as tf

from tfrobust.evaluation.checks.before.graph import scan


def kinds(function):
    signature = [tf.TensorSpec((None, 4), tf.float32)]
    return scan(tf.function(function, signature, autograph=False).get_concrete_function())


W = tf.constant([[1.0, -1.0]] * 4)


def test_ordinary_operations_are_not_suspected():
    assert kinds(lambda x: tf.nn.relu(x) @ W) == {}
    # Shapes are whole numbers, and no path of the pixels.
    for size in (tf.size, lambda x: tf.reduce_prod(tf.shape(x))):
        rows = functools.partial(lambda s, x: tf.cast(s(x) / 4, tf.int32), size)
        assert kinds(lambda x, rows=rows: tf.reshape(x, [rows(x), 4]) @ W) == {}


def test_only_the_path_counts():
    def beside(x):
        tf.round(x)
        return x @ tf.round(W)

    assert kinds(beside) == {}
    assert kinds(lambda x: tf.round(x) @ W) == {"rounding": ["Round"]}


def test_randomness_counts_wherever_it_enters():
    assert kinds(lambda x: x @ (W + tf.random.normal(W.shape))) == {
        "randomness": ["RandomStandardNormal"]
    }
    found = kinds(lambda x: x @ W + tf.random.stateless_uniform([2], [1, 2]))
    assert list(found) == ["randomness"]


def test_casts_to_whole_numbers_and_thresholds():
    found = kinds(lambda x: tf.cast(tf.cast(4 * x, tf.int32), tf.float32) @ W)
    assert found == {"rounding": ["Cast"]}
    assert "low precision" in kinds(lambda x: tf.cast(tf.cast(x, tf.float16), tf.float32) @ W)


def test_functions_loops_and_branches_are_looked_into():
    inner = tf.function(lambda x, y: tf.floor(x) + y, autograph=False)
    assert kinds(lambda x: inner(x, W[:, 0]) @ W) == {"rounding": ["Floor"]}
    # The pixels are the argument that is not rounded.
    assert kinds(lambda x: inner(W[:, 0], x) @ W) == {}

    def loop(x):
        return tf.while_loop(lambda i, z: i < 2, lambda i, z: (i + 1, tf.sign(z)), (0, x))[1] @ W

    assert "Sign" in kinds(loop)["rounding"]

    switch = tf.Variable(True)

    def branch(x):
        # The predicate does not depend on the pixels; the branch does.
        return tf.cond(switch, lambda: tf.math.rint(x), lambda: x) @ W

    assert kinds(branch) == {"rounding": ["Rint"]}


def test_gradients_inside_and_gradients_by_hand():
    def inner(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.nn.relu(x) ** 2)
        return (x - tape.gradient(value, x)) @ W

    assert "inner gradient" in kinds(inner)
    assert list(kinds(lambda x: tf.nn.silu(x) @ W)) == ["custom gradient"]


def test_python_code():
    assert "Python code" in kinds(
        lambda x: tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), (None, 4)) @ W
    )


def test_moments_and_logsumexp_stop_gradients_rightly():
    def normalised(x):
        mean, variance = tf.nn.moments(x, axes=[1], keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-3) @ W

    assert kinds(normalised) == {}
    assert kinds(lambda x: x @ W - tf.reduce_logsumexp(x @ W, axis=1, keepdims=True)) == {}
    assert kinds(lambda x: (x * tf.stop_gradient(x)) @ W) == {"stopped gradient": ["StopGradient"]}
