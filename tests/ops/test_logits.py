"""What the classifier's outputs are taken for."""

import keras
import numpy as np
import tensorflow as tf

from tfrobust.ops.logits import correct, full_precision, inference

NAN = float("nan")


def test_correct():
    logits = tf.constant([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [5.0, 5.0, 0.0], [5.0, 5.0, 0.0]])
    assert correct(tf.constant([2, 0, 0, 1]), logits).numpy().tolist() == [True, False, True, False]


def test_nan_is_never_right():
    logits = tf.constant([[NAN, NAN], [1.0, NAN], [NAN, 1.0], [0.0, np.inf]])
    assert correct(tf.constant([0, 0, 1, 1]), logits).numpy().tolist() == [
        False,
        False,
        False,
        True,
    ]


def test_full_precision():
    for given, expected in ((tf.bfloat16, tf.float32), (tf.float16, tf.float32)):
        assert full_precision(tf.zeros(3, given)).dtype == expected
    assert full_precision(tf.zeros(3, tf.float64)).dtype == tf.float64


def test_inference_calls_keras_models_in_inference_mode():
    seen = []

    class Probe(keras.layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return tf.cast(x, tf.bfloat16)

    assert inference(Probe())(tf.zeros((1, 2))).dtype == tf.float32
    assert inference(lambda x: x + 1)(tf.zeros((1, 2))).numpy().tolist() == [[1.0, 1.0]]
    assert seen == [False]
