"""What the parts of a step may see."""

from tfrobust.errors import UserError


class StepContext:
    """Inputs, labels, named points and one shared forward pass for each of them.

    Attributes:
        y: labels, shape (b,).
        points: dict from a point's name ("clean", "adversarial", ...) to its images, (b, h, w, c).
        perturbation: the `Perturbation` that the attack returned, or None.
        batch: the `GlobalBatch`.
        epoch: epochs that have passed, a float32 scalar.
        parts: dict from a part's name to its values per example, shape (b,): what is logged.
    """

    def __init__(self, forward, y, points, perturbation, batch, epoch):
        self._forward = forward
        self._logits = {}
        self.y = y
        self.points = points
        self.perturbation = perturbation
        self.batch = batch
        self.epoch = epoch
        self.parts = {}

    def logits(self, point):
        """Logits at a point in training mode, shape (b, k): computed on first use, then shared."""
        if point not in self._logits:
            if point not in self.points:
                raise UserError(
                    f"This method has no point named {point!r}. It has: {sorted(self.points)}."
                )
            self._logits[point] = self._forward(self.points[point])
        return self._logits[point]

    def computed(self):
        """Names and logits of the points that have been forwarded."""
        return dict(self._logits)

    def record(self, name, values):
        """Notes values per example, shape (b,), for the logs, and returns them."""
        self.parts[name] = values
        return values
