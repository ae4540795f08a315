"""Figures that need passes of models."""

import keras
import numpy as np
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.figures.kept import hash_weights
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
    return _draw_image_plane(
        request, lambda forward, x, y, model: signed_gradient(forward, x, y), "sign of gradient"
    )


def draw_loss_surface(request: Request) -> Drawn:
    """Loss around one image over the direction of an attack and random signs, models side by side.

    LLR, figure A1: the direction from the image to what PGD-20 finds, in units of the radius.
    """

    def attack(forward, x, y, threat_model):
        found = _attack(forward, x[None], np.array([y]), threat_model, request.seed)[0]
        return (found - x) / threat_model.radius()

    return _draw_image_plane(request, attack, "direction of attack")


def draw_weight_landscape(request: Request) -> Drawn:
    """Loss on some images over two random, filter-normalised directions of the weights."""
    examples, _ = request.setting
    examples = examples.first(min(request.examples, 256))
    models = {name: subject.model for name, subject in request.subjects.items()}
    for name, subject in request.subjects.items():
        if not isinstance(subject.model, keras.Model):
            raise UserError(f"{name} is no Keras model, so its weights cannot be changed.")
    places = _places(request)

    def compute():
        losses = {}
        for name, model in models.items():
            directions = [draw_filter_normalised(model, 2 * request.seed + i) for i in range(2)]
            losses[name] = loss_over_weights(
                model,
                examples.x,
                examples.y,
                *directions,
                places,
                lambda share, name=name: request.tell(share, name),
            )
        return losses

    settings = _settings(request, "weight_landscape", examples=len(examples.y))
    losses = request.keep(settings, compute)
    labels = ("first direction", "second direction")
    return _surfaces(losses, places, labels, "filter norms")


def draw_linearity(request: Request) -> Drawn:
    """Histogram of the square root of gamma, the error of linearising the loss in the ball (50 steps).

    LLR, figure F3.
    """
    examples, threat_model = request.setting
    examples = examples.first(request.examples)

    def compute():
        return {
            name: measure_linearity_errors(
                subject.forward,
                examples.x,
                examples.y,
                threat_model,
                seed=request.seed,
                on_batch=lambda share, name=name: request.tell(share, name),
            )
            for name, subject in request.subjects.items()
        }

    gamma = request.keep(_settings(request, "linearity", examples=len(examples.y)), compute)
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
    examples, threat_model = request.setting
    (forward,) = (subject.forward for subject in request.subjects.values())
    chosen = examples.first(min(request.examples, 8))

    def compute():
        found = _attack(forward, chosen.x, chosen.y, threat_model, request.seed)
        probabilities = [tf.nn.softmax(forward(tf.constant(x))).numpy() for x in (chosen.x, found)]
        return {"found": found, "before": probabilities[0], "after": probabilities[1]}

    arrays = request.keep(_settings(request, "perturbations", examples=len(chosen.y)), compute)
    before, after = (_describe(arrays[name]) for name in ("before", "after"))
    rows: list[tuple] = []
    for place, number in enumerate(chosen.ids):
        size = float(np.abs(arrays["found"][place] - chosen.x[place]).max())
        rows.append((int(number), int(chosen.y[place]), before[place], after[place], size))
    figure = plot_perturbations(chosen.x, arrays["found"], before, after, threat_model.radius())
    return Drawn(figure, ("id", "label", "clean", "adversarial", "largest_change"), rows)


def _describe(probabilities):
    """The predicted classes with their probabilities, as text."""
    return [f"{row.argmax()} ({100 * row.max():.0f} %)" for row in probabilities]


def _draw_image_plane(request, direct, label):
    examples, threat_model = request.setting
    image, y, number = request.choose_example()
    places, radius = _places(request), threat_model.radius()
    random = random_direction(image.shape, request.seed)

    def compute():
        return {
            name: loss_over_plane(
                subject.forward,
                image,
                y,
                radius * direct(subject.forward, image, y, threat_model),
                radius * random,
                places,
                lambda share, name=name: request.tell(share, name),
            )
            for name, subject in request.subjects.items()
        }

    losses = request.keep(_settings(request, f"plane of {label}", example=number), compute)
    return _surfaces(losses, places, (label, "random signs"), str(threat_model.epsilon))


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


def _settings(request, name, **more):
    examples, threat_model = request.setting
    return {
        "figure": name,
        "models": [
            [name, path, hash_weights(subject.model)]
            for (name, subject), path in zip(request.subjects.items(), request.paths, strict=True)
        ],
        "data": examples.name,
        "threat_model": repr(threat_model),
        "points": request.points,
        "extent": request.extent,
        "seed": request.seed,
        **more,
    }
