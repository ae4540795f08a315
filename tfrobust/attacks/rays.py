"""RayS: the distance to the decision boundary from predicted classes alone."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered
from tfrobust.attacks.case import Case, make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, misclassified
from tfrobust.ops.numbers import integer
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel, is_within, to_box

# Where a bisection ends: an L2 length along the ray, in pixel units.
TOLERANCE = 1e-3


@register
@dataclasses.dataclass(frozen=True)
class RayS(IterativeAttack):
    """Searches for the corner direction in which the decision boundary is nearest.

    The ray of s in {-1, 1}^n is x + d s / sqrt(n), cut to the pixel box; d = inf is its corner. From
    s = 1 and d = inf on, blocks of s are flipped: all of it, its halves, its quarters, down to single
    entries, again and again. Where the image at the present d is misclassified after a flip, the boundary
    is bisected down to a tolerance of 0.001, and the flip kept if that came nearer; any other flip
    costs one query and is undone.

    Use it where nothing but the predicted class is known, as the check of a defence that may hide
    its gradients, and for the average distance to the boundary (ADBD), the mean of the measure
    "distance". It draws no random numbers. Each step is one forward pass of one query.

    A call returns the first point within the radius; where there was none the closest misclassified
    point that was found, which lies outside of the threat model, and the clean image where no point
    was misclassified. The measure "distance", in the threat model's norm, is that of the last point
    that was found, inf where no point was misclassified: such an example has no distance,
    and a mean over the others must say how many were left out. "queries" counts those made until the
    distance was within the radius, at most `queries`.

    Args:
        threat_model: `Linf`, `L2` or `L1`; the search is the same for all, what it measures is not.
        queries: for each example, at least 1. A bisection that has begun is finished, which takes up to
            about log2(1000 sqrt(n)) queries more. The leaderboard of RayS gives 40,000.
        stop_at_success: end the search where the distance is within the radius. It costs less, and
            "distance" is then not the distance to the boundary.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> found = tfrobust.RayS(tfrobust.Linf(0.1), queries=40)(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

    Reference: Chen and Gu, "RayS: A Ray Searching Method for Hard-label Adversarial Attack", 2020. As
    in its code, pixels are put in the order channel, row, column before they are cut into blocks. The
    code reports the distance to the white corner where no point was misclassified.
    """

    needs_gradient = False
    needs_scores = False
    measures = ("distance", "queries")

    threat_model: ThreatModel
    queries: int = 10000
    stop_at_success: bool = False

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        check_kind("stop_at_success", self.stop_at_success, bool)
        integer(self.queries, "queries", 1)

    @property
    def measures_boundary(self) -> bool:
        return not self.stop_at_success or self.threat_model.radius() == 0.0

    @property
    def num_steps(self) -> int:
        return self.queries

    def passes(self, num_classes: int) -> tuple[int, int]:
        # It ends the bisection that it is in.
        return self.queries, 0

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        x, count = case.x, tf.zeros_like(case.y)
        zeros, no = tf.zeros_like(case.y, x.dtype), tf.zeros_like(case.y, tf.bool)
        return {
            **make_state(case),
            "best": x,
            "sign": tf.ones_like(x),
            "along": zeros + float("inf"),
            "known_right": zeros,
            "bisects": no,
            "improved": no,
            "level": count,
            "block": count,
            "distance": zeros + float("inf"),
            "queries": count,
        }

    def advance(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        s, x = state, case.x
        size = tf.reduce_prod(tf.shape(x)[1:])
        diagonal = tf.sqrt(tf.cast(size, x.dtype))
        inside, last = _block(s["level"], s["block"], x, size)
        trial = tf.where(inside, -s["sign"], s["sign"])
        middle = (s["known_right"] + s["along"]) / 2.0
        length = tf.where(s["bisects"], middle, s["along"])
        candidate = _point(x, trial, length, diagonal)
        logits = forward(candidate)
        wrong = misclassified(case.y, logits)
        outside = ~self.threat_model.contains(candidate, x, case.radius)
        s = {**s, **record_unanswered(s, candidate, all_finite(logits) | outside)}

        # A flip is tried at the present distance first; a success there does not come nearer yet.
        closer = wrong & (s["bisects"] | tf.math.is_inf(s["along"]))
        along = tf.where(closer, tf.minimum(length, diagonal), s["along"])
        known_right = tf.where(s["bisects"] & ~wrong, middle, s["known_right"])
        bisects = (s["bisects"] | wrong) & (along - known_right > TOLERANCE)
        improved = s["improved"] | closer
        best = tf.where(norms.expand(closer, x), candidate, s["best"])
        distance = tf.where(closer, self.threat_model.distance(candidate, x), s["distance"])

        ends = ~bisects
        near = is_within(distance, case.radius)
        catch = record_success(s, best, ends & near)
        # Counts until the first success, though the search goes on.
        index = s["index"] + tf.cast(~s["broken"], tf.int32)
        forwards = s["forwards"] + 1
        over = forwards >= self.queries
        if self.stop_at_success:
            over |= catch["broken"]
        onward = tf.where(last, s["level"] + 1, s["level"])
        return {
            **s,
            **catch,
            "index": index,
            "best": best,
            "sign": tf.where(norms.expand(ends & improved, x), trial, s["sign"]),
            "along": along,
            "known_right": tf.where(ends, tf.zeros_like(along), known_right),
            "bisects": bisects,
            "improved": improved & ~ends,
            # Blocks of one entry stay so, and 2**30 blocks are more than there are entries.
            "level": tf.where(ends, tf.minimum(onward, 30), s["level"]),
            "block": tf.where(ends, tf.where(last, 0, s["block"] + 1), s["block"]),
            "distance": distance,
            "queries": tf.minimum(index, self.queries),
            "forwards": forwards,
            "done": ends & over,
        }


def _point(x, sign, length, diagonal):
    """The image at `length`, (b,), along the ray; from the box's diagonal on that is its corner."""
    length = norms.expand(length, x)
    corner = tf.where(sign > 0.0, tf.ones_like(x), tf.zeros_like(x))
    return tf.where(length >= diagonal, corner, to_box(x + length * (sign / diagonal)))


def _block(level, block, x, size):
    """Which entries lie in block number `block`, (b,), of 2**`level`; and where it is the last one."""
    count = tf.bitwise.left_shift(tf.ones_like(level), level)
    length = (size + count - 1) // count
    start, end = block * length, tf.minimum((block + 1) * length, size)
    shape = tf.shape(x)[1:]
    # Channels first.
    order = tf.reshape(tf.range(size), tf.concat([shape[-1:], shape[:-1]], axis=0))
    order = tf.transpose(order, [*range(1, x.shape.rank - 1), 0])[None]
    inside = (order >= norms.expand(start, x)) & (order < norms.expand(end, x))
    return inside, (block + 1 >= count) | (end >= size)
