"""Which methods' training steps are measured, and the passes that each is made of."""

import dataclasses
from collections.abc import Callable, Sequence

import keras

from tfrobust.attacks import PGD, Adam, Clean, Corner, EarlyStop, Gaussian
from tfrobust.benchmarks.passes import PASSES
from tfrobust.errors import UserError
from tfrobust.losses import CrossEntropy, LinearityError, ToClean
from tfrobust.methods import (
    ADV,
    ATLAS,
    FAIT,
    GAIRAT,
    GAT,
    HAT,
    LLR,
    MART,
    TRADES,
    Free,
    Natural,
)
from tfrobust.regularizers import (
    Curvature,
    GapLabels,
    GradientAlignment,
    Jacobian,
    MaximalEntropy,
    TaylorTerms,
)
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP, WeightNoise


@dataclasses.dataclass(frozen=True)
class MeasuredMethod:
    """A method whose step is measured.

    Args:
        make: function from a classifier to the method.
        forward: forward passes of a step that nothing is differentiated through.
        to_input: passes forward and back to the images, in inference mode.
        to_weights: passes forward and back to the weights, in training mode.
        jacobians: gradients to the images that are differentiated again. Each goes
            back and back twice through a pass that is counted already, about the cost of one more
            pass to the weights, as which it is counted.
        in_inference_mode: how many of the passes to the weights run in inference mode.
        training_forward: forward passes in training mode that nothing is differentiated through.
        papers: what a step costs in steps of ADV-1 and of ADV-10 on CIFAR-10, in the paper on ATLAS.
    """

    make: Callable
    forward: int = 0
    to_input: int = 0
    to_weights: int = 1
    papers: tuple = (None, None)
    jacobians: int = 0
    in_inference_mode: int = 0
    training_forward: int = 0

    def counts(self) -> dict[str, int]:
        """How often a step goes through each of `PASSES`."""
        to_weights = self.to_weights + self.jacobians
        counts = (self.forward, self.training_forward, self.to_input, to_weights)
        return dict(zip(PASSES, counts, strict=True))


def _fast(classifier):
    return ADV(classifier, PGD(Linf("8/255"), steps=1, relative_step_size=1.25))


def _atlas(steps, **weights):
    size = {"relative_step_size": 1.25} if steps == 1 else {"step_size": 0.007}
    attack = PGD(Linf("8/255"), steps=steps, **size)
    return lambda classifier: ATLAS(classifier, attack, **weights)


def _climb(steps, **settings):
    # The attack of TRADES and its family.
    return PGD(Linf("8/255"), ToClean(), steps, "2/255", start=Gaussian(), **settings)


def _adv(classifier):
    return ADV(classifier, PGD(Linf("8/255"), CrossEntropy(), steps=10, step_size="2/255"))


def _llr(classifier):
    size = {"step_size": 0.1, "stepper": Adam()}
    return LLR(classifier, PGD(Linf("8/255"), LinearityError(), steps=10, **size))


def _jac(classifier):
    return Natural(classifier, regularizers=[Jacobian(0.5)])


def _trades_jac(classifier):
    return TRADES(classifier, _climb(1), beta=0.5, regularizers=[Jacobian(2e-4)])


def _cure(classifier):
    return Natural(classifier, regularizers=[Curvature(4.0)])


def _grad_align(classifier):
    attack = PGD(Linf("8/255"), steps=1, relative_step_size=1.25, start=Clean())
    return ADV(classifier, attack, regularizers=[GradientAlignment(0.2, Linf("8/255"))])


def _ten(**settings):
    return PGD(Linf("8/255"), CrossEntropy(), steps=10, step_size="2/255", **settings)


def _hat(classifier):
    return HAT(classifier, _climb(10), helper=keras.models.clone_model(classifier))


def _free(classifier):
    # Room for more images than a batch has.
    return Free(classifier, Linf("8/255"), batch_shape=(1024, *classifier.input_shape[1:]))


_GUIDED = PGD(Linf("8/255"), steps=1, relative_step_size=1.0, start=Corner(0.5))
_MER = [MaximalEntropy()]


def _rat(*terms):
    noise = {"attack_weights": WeightNoise()}
    return lambda classifier: TRADES(classifier, _climb(10), regularizers=terms, **noise)


# One line a method.
METHODS = {
    "Natural": MeasuredMethod(Natural),
    "ADV-1": MeasuredMethod(_fast, 0, 1, 1, (1.0, 0.18)),
    "ADV-10": MeasuredMethod(_adv, 0, 10, 1, (5.52, 1.0)),
    "TRADES-1": MeasuredMethod(lambda c: TRADES(c, _climb(1)), 1, 1, 2, (2.20, 0.40)),
    "TRADES-10": MeasuredMethod(lambda c: TRADES(c, _climb(10)), 1, 10, 2, (8.08, 1.46)),
    "JAC": MeasuredMethod(_jac, 0, 0, 1, (1.88, 0.34), 1),
    "ATLAS-1": MeasuredMethod(_atlas(1), 0, 1, 2, (2.92, 0.53), 1),
    "ATLAS-l": MeasuredMethod(_atlas(1, beta=0), 0, 1, 1, (2.40, 0.43), 1),
    "ATLAS-g": MeasuredMethod(_atlas(1, alpha=0), 0, 1, 2, (1.52, 0.28)),
    "ATLAS-10": MeasuredMethod(_atlas(10), 0, 10, 2, (7.52, 1.36), 1),
    "TradesJac": MeasuredMethod(_trades_jac, 1, 1, 2, (4.56, 0.83), 1),
    "TRADES-MER": MeasuredMethod(lambda c: TRADES(c, _climb(10), regularizers=_MER), 1, 10, 2),
    "FAIT": MeasuredMethod(lambda c: FAIT(c, _climb(10, keep=(2,))), 1, 10, 3),
    "FAIT-MER": MeasuredMethod(
        lambda c: FAIT(c, _climb(10, keep=(2,)), regularizers=_MER), 1, 10, 3
    ),
    "LLR": MeasuredMethod(_llr, 1, 11, 3, jacobians=1, in_inference_mode=2),
    "CURE": MeasuredMethod(_cure, 0, 0, 3, jacobians=2, in_inference_mode=2),
    "GradAlign": MeasuredMethod(_grad_align, 0, 1, 3, jacobians=2),
    "MART": MeasuredMethod(lambda c: MART(c, _ten()), 0, 10, 2),
    "GAIRAT": MeasuredMethod(lambda c: GAIRAT(c, _ten(), burn_in=0), 0, 10, 1),
    "FAT": MeasuredMethod(lambda c: ADV(c, _ten(freeze=EarlyStop(1), step_noise=0.001)), 0, 10, 1),
    "FAT-TRADES": MeasuredMethod(lambda c: TRADES(c, _climb(10, freeze=EarlyStop(1))), 1, 10, 2),
    "HAT": MeasuredMethod(_hat, 2, 10, 3),
    "GAT": MeasuredMethod(lambda c: GAT(c, _GUIDED), 0, 1, 2, training_forward=1),
    "Free-8": MeasuredMethod(_free, 0, 0, 8),
    "AWP-TRADES": MeasuredMethod(
        lambda c: TRADES(c, _climb(10), weight_perturbation=AWP()), 1, 10, 4
    ),
    "RAT-first": MeasuredMethod(_rat(TaylorTerms(form="finite")), 1, 10, 6),
    "RAT-second": MeasuredMethod(_rat(TaylorTerms(0.2, order=2, form="finite")), 1, 10, 6),
    "RAT-one-sided": MeasuredMethod(_rat(TaylorTerms(form="one_sided")), 1, 10, 4),
    "RAT-reference": MeasuredMethod(_rat(GapLabels()), 1, 10, 2),
}


def choose_methods(names: Sequence[str]) -> dict[str, MeasuredMethod]:
    """The subjects of these names, in this order; all of them for an empty list.

    Raises:
        UserError: for a name that is not among them.
    """
    for name in names:
        if name not in METHODS:
            raise UserError(f"There is no method {name!r}. There are: {', '.join(METHODS)}.")
    return {name: METHODS[name] for name in names or METHODS}
