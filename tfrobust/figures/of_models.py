"""Figures that need passes of models."""

import keras
import numpy as np
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.evaluation.fingerprint import identify
from tfrobust.figures.linearity import measure_linearity_errors
from tfrobust.figures.planes import loss_over_plane, random_direction, signed_gradient
from tfrobust.figures.request import Drawn, Request
from tfrobust.figures.weight_planes import draw_filter_normalised, loss_over_weights
from tfrobust.ops.random.keys import content_keys, seed_pair
from tfrobust.plots import plot_histograms, plot_perturbations, plot_surfaces


def draw_loss_landscape(request: Request) -> Drawn:
    """Loss around one image over the sign of its gradient and random signs, models side by side.

    RAT, figures 2 and 3.
    """

    def ascend(forward, image, label):
        return _to_length_one(signed_gradient(forward, image, label), request.threat_model)

    return _draw_image_plane(request, ascend, "sign of gradient")


def draw_loss_surface(request: Request) -> Drawn:
    """Loss around one image over the direction of an attack and random signs, models side by side.

    LLR, figure A1: the direction from the image to what PGD-20 finds, in units of the radius.
    """

    def attack(forward, image, label):
        threat_model = request.threat_model
        (found,) = _attack(forward, image[None], np.array([label]), threat_model, request.seed)
        return (found - image) / threat_model.radius()

    return _draw_image_plane(request, attack, "direction of attack")


def draw_weight_landscape(request: Request) -> Drawn:
    """Loss on some images over two random, filter-normalised directions of the weights."""
    for name, subject in request.subjects.items():
        if not isinstance(subject.model, keras.Model):
            raise UserError(f"{name} is no Keras model, so its weights cannot be changed.")
    examples = request.take_first(256)
    places = _places(request)

    def compute(subject, tell):
        directions = [draw_filter_normalised(subject.model, 2 * request.seed + i) for i in range(2)]
        model = subject.model
        return loss_over_weights(model, examples.x, examples.y, *directions, places, tell)

    settings = _settings(request, "weight_landscape", examples) | _plane(request)
    losses = _compute_for_each(request, settings, compute)
    labels = ("first direction", "second direction")
    return _surfaces(losses, places, labels, "filter norms")


def draw_linearity(request: Request) -> Drawn:
    """Histogram of the square root of gamma, the error of linearising the loss in the ball (50 steps).

    LLR, figure F3.
    """
    examples, threat_model = request.take_first(), request.threat_model

    def compute(subject, tell):
        return measure_linearity_errors(
            subject.forward, examples.x, examples.y, threat_model, seed=request.seed, on_batch=tell
        )

    settings = _settings(request, "linearity", examples) | _ball(request)
    gamma = _compute_for_each(request, settings, compute)
    roots = {name: np.sqrt(values) for name, values in gamma.items()}
    rows = [
        (name, int(number), float(value))
        for name, values in gamma.items()
        for number, value in zip(examples.ids, values, strict=True)
    ]
    figure = plot_histograms(roots, f"sqrt(gamma({threat_model.epsilon}, x)) (sqrt of nats)")
    return Drawn(figure, ("model", "id", "gamma"), rows)


def draw_perturbations(request: Request) -> Drawn:
    """Clean images, what PGD-20 makes of them, and the scaled perturbation, with both predictions.

    LLR, figures F2 and F4.
    """
    if len(request.paths) != 1:
        raise UserError(f"This figure shows one model. Received: {len(request.paths)} of them.")
    threat_model = request.threat_model
    (subject,) = request.subjects.values()
    forward, names = subject.forward, subject.origin.class_names
    chosen = request.take_first(8) if request.example is None else request.take_one()

    def compute():
        request.tell(0.0, request.names[0])
        found = _attack(forward, chosen.x, chosen.y, threat_model, request.seed)
        probabilities = [tf.nn.softmax(forward(tf.constant(x))).numpy() for x in (chosen.x, found)]
        return {"found": found, "before": probabilities[0], "after": probabilities[1]}

    arrays = request.keep(_settings(request, "perturbations", chosen) | _ball(request), compute)
    before = _describe(arrays["before"], names, chosen.y)
    after = _describe(arrays["after"], names)
    rows: list[tuple] = []
    for place, number in enumerate(chosen.ids):
        size = float(np.abs(arrays["found"][place] - chosen.x[place]).max())
        rows.append((int(number), int(chosen.y[place]), before[place], after[place], size))
    figure = plot_perturbations(chosen.x, arrays["found"], before, after, threat_model.radius())
    return Drawn(figure, ("id", "label", "clean", "adversarial", "largest_change"), rows)


def _describe(probabilities, names, labels=None):
    """The predicted classes with their probabilities, as text; with labels also what they should be."""
    told = []
    for place, row in enumerate(probabilities):
        found, right = row.argmax(), None if labels is None else labels[place]
        shown = [str(c) if names is None else names[c] for c in (found, right) if c is not None]
        name = shown[0] if right in (None, found) else ", not ".join(shown)
        told.append(f"{name} ({100 * row.max():.0f} %)")
    return told


def _draw_image_plane(request, direct, label):
    chosen, radius, places = request.take_one(), request.threat_model.radius(), _places(request)
    image, y = chosen.x[0], int(chosen.y[0])
    random = _to_length_one(random_direction(image.shape, request.seed), request.threat_model)

    def compute(subject, tell):
        first = radius * direct(subject.forward, image, y)
        return loss_over_plane(subject.forward, image, y, first, radius * random, places, tell)

    settings = _settings(request, f"plane of {label}", chosen) | _ball(request) | _plane(request)
    losses = _compute_for_each(request, settings, compute)
    return _surfaces(losses, places, (label, "random signs"), request.threat_model.describe())


def _compute_for_each(request, settings, compute):
    """What `compute(subject, tell)` gives for each model; it is told from the start what goes on."""

    def compute_all():
        found = {}
        for name, subject in request.subjects.items():
            request.tell(0.0, name)
            found[name] = compute(subject, lambda share, name=name: request.tell(share, name))
        return found

    return request.keep(settings, compute_all)


def _to_length_one(direction, threat_model):
    """A direction of length one in the threat model's norm, so that it ends where the ball does."""
    length = float(threat_model.distance(tf.constant(direction[None]), 0.0 * direction[None])[0])
    return direction / length if length > 0 else direction


def _surfaces(losses, places, labels, unit):
    rows = [
        (name, float(a), float(b), float(values[i, j]))
        for name, values in losses.items()
        for i, a in enumerate(places)
        for j, b in enumerate(places)
    ]
    figure = plot_surfaces(losses, places, labels, unit)
    return Drawn(figure, ("model", *labels, "loss"), rows)


def _attack(forward, x, y, threat_model, seed):
    keys = content_keys(seed_pair(seed), tf.constant(x))
    found = tf.function(PGD(threat_model, steps=20), autograph=False)(
        forward, tf.constant(x), tf.constant(y, tf.int32), seed=keys
    )
    return found.x.numpy()


def _places(request):
    return np.linspace(-request.extent, request.extent, request.points)


def _settings(request, name, examples):
    """What all figures depend on; what their flags add comes from `_ball` and `_plane`."""
    return {
        "figure": name,
        "models": [
            [model, identify(subject, examples.image_shape).to_key()]
            for model, subject in request.subjects.items()
        ],
        "examples": examples.digest(),
        "seed": request.seed,
    }


def _ball(request):
    return {"threat_model": repr(request.threat_model)}


def _plane(request):
    return {"points": request.points, "extent": request.extent}
