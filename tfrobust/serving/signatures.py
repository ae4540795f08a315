"""What a SavedModel answers to: signatures from uint8 images, from pixels, and from JPEG and PNG bytes."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfrobust.contract.assertions import after, require
from tfrobust.data.resize import crop_and_resize

Shape = tuple[int | None, int | None, int]
# How the bytes of a picture begin.
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# What a picture can be decoded to: luminance, RGB, and RGB with transparency.
_DECODED_CHANNELS = (1, 3, 4)


def make_signatures(
    model: keras.Model, image_shape: Shape, class_names: Sequence[str] | None
) -> dict[str, tuple[Callable[[tf.Tensor], dict[str, tf.Tensor]], tf.TensorSpec]]:
    """The signatures of an exported classifier, by name: a function, and the `tf.TensorSpec` of its argument.

    Args:
        model: from pixels in [0, 1] to logits.
        image_shape: (h, w, c); h and w may be None.
        class_names: in the order of the logits; None for numbers.

    Returns:
        Dict of `serving_default` (uint8 images), `pixels` (float32 in [0, 1]) and, for 1, 3 or 4 channels,
        `encoded` (strings, each a JPEG or PNG file).

    Example:
        >>> from tfrobust.serving.signatures import make_signatures
        >>> made = make_signatures(tfrobust.models.digits_cnn(), (8, 8, 1), None)
        >>> sorted(made)
        ['encoded', 'pixels', 'serving_default']
        >>> made["serving_default"][0](tf.zeros((2, 8, 8, 1), tf.uint8))["class_name"].shape
        TensorShape([2])
    """

    def classify(pixels):
        logits = tf.cast(model(pixels, training=False), tf.float32)
        classes = tf.argmax(logits, axis=-1)
        names = tf.as_string(classes)
        if class_names is not None:
            names = tf.gather(tf.constant(list(class_names)), classes)
        named = {"logits": logits, "probabilities": tf.nn.softmax(logits)}
        return named | {"class": classes, "class_name": names}

    def of_images(images):
        return classify(_to_pixels(_check_size(images, image_shape)))

    def of_pixels(pixels):
        return classify(_check_size(pixels, image_shape))

    def of_encoded(encoded):
        return classify(_to_pixels(_decode(encoded, image_shape)))

    signatures = {
        "serving_default": (of_images, _specify(image_shape, tf.uint8, "images")),
        "pixels": (of_pixels, _specify(image_shape, tf.float32, "pixels")),
    }
    if image_shape[-1] in _DECODED_CHANNELS:
        signatures["encoded"] = (of_encoded, tf.TensorSpec((None,), tf.string, "encoded"))
    return signatures


def _specify(image_shape, dtype, name):
    return tf.TensorSpec((None, *image_shape), dtype, name=name)


def _check_size(images, image_shape):
    # TensorFlow Serving feeds whatever it is sent; hidden from the optimizer of graphs, which else takes the
    # shape of the signature for granted and removes the check.
    shape = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=images, shape=None))
    # One picture without a batch has three numbers, which are made four.
    sides = tf.unstack(tf.concat([shape, [0, 0, 0, 0]], 0)[:4], 4)
    fits = [
        tf.equal(s, seen) for s, seen in zip(image_shape, sides[1:], strict=True) if s is not None
    ]
    said = f"Images must be of shape (b, {_write_shape(image_shape)}). Received: shape"
    held = require(tf.reduce_all(tf.stack(fits)), said, *sides)
    return after(held, images)


def _to_pixels(images):
    """The numbers of `contract.from_uint8`, whose table takes a tenth of what a small network does.

    The divisor is hidden, as above: of a known one the optimizer makes a product with a rounded 1/255.
    """
    white = tf.raw_ops.PlaceholderWithDefault(input=tf.constant(255.0), shape=[])
    return tf.cast(images, tf.float32) / white


def _write_shape(image_shape):
    return ", ".join("any" if side is None else str(side) for side in image_shape)


def _decode(encoded, image_shape):
    """Files, string (b,), to uint8 (b, h, w, c) of the size of the model; as they are where it takes any."""
    channels = image_shape[-1]

    def decode(one):
        begins = tf.strings.substr(one, 0, len(_PNG))
        is_jpeg = tf.equal(tf.strings.substr(one, 0, len(_JPEG)), _JPEG)
        held = require(
            is_jpeg | tf.equal(begins, _PNG),
            "Encoded images must be the bytes of JPEG or PNG files; in JSON base64, in an object with the "
            "key b64. Received: something else, of so many bytes:",
            tf.strings.length(one),
        )
        picture = tf.io.decode_image(after(held, one), channels, expand_animations=False)
        return tf.ensure_shape(picture, (None, None, channels))

    if None not in image_shape:
        return tf.map_fn(
            lambda one: crop_and_resize(decode(one), image_shape[:2]),
            encoded,
            fn_output_signature=tf.TensorSpec(image_shape, tf.uint8),
        )
    some = require(tf.size(encoded) > 0, "Give at least one image.")
    encoded = after(some, encoded)
    first = tf.shape(decode(encoded[0]))

    def decode_equal(one):
        picture = decode(one)
        held = require(
            tf.reduce_all(tf.equal(tf.shape(picture), first)),
            "The model takes images of any size, so that those of one request must be of one size. Received: "
            "one of",
            tf.shape(picture),
        )
        return after(held, picture)

    spec = tf.TensorSpec((None, None, channels), tf.uint8)
    return _check_size(tf.map_fn(decode_equal, encoded, fn_output_signature=spec), image_shape)
