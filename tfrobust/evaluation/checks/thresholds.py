"""From which value on a check speaks up, and how much it may cost."""

import dataclasses

from tfrobust.ops.numbers import integer, number
from tfrobust.spec import Spec, register


@register
@dataclasses.dataclass(frozen=True)
class Thresholds(Spec):
    """Limits and sizes of all checks. Shares are in [0, 1]; the field's name says which check it is for.

    Where a source has a number, it is the default: AutoAttack's code for `probability_slack`,
    `random_difference` and `square_gain`; Carlini et al., "On Evaluating Adversarial Robustness", 2019,
    for `long_noise_samples`; Pintor et al., "Indicators of Attack Failure", 2022, for
    `late_progress`. `saturation_gap` is where a float32 softmax becomes exactly 1. All others are our
    own choice; what they were measured on is said in the tests.

    Args:
        examples: the checks that need passes look at so many examples, the first ones.
        eager_examples: and those that run without a graph at so many.
        probability_slack: C1: outputs within it of [0, 1] and of a sum of 1 are probabilities.
        ball_points: C35: random points of every ball.
        box_slack: C2: pixels may leave [0, 1] by so much.
        clean_sigmas: C3: standard deviations above guessing that the clean accuracy should reach.
        batch_difference, low_precision_difference: C4: of logits, relative to the largest one.
        random_difference: C5: between two normalised vectors of logits.
        parity_difference, parity_cosine, parity_share: C6: logits and slopes with and without a graph.
        zero_gradient_share: C7: of examples where margin and DLR are flat; above it, severe.
        slope_step: C18a: step of the finite difference, in radii.
        slope_low, slope_high, slope_share: C18a: ratios that count as right, and how many must be.
        negated_share: C18a: of ratios that count as right but for their sign; above it, severe.
        saturation_gap: C17: logits.
        saturation_gain, saturation_share: C17: a step on the cross-entropy that brings less than this of
            what a step on the margin does is lost; the share of lost ones from which on it warns. Of 37
            networks trained on the digits by as many methods none has more than 0.16 of them, most have
            none; their logits times 40 have over 0.8.
        precision_share: C25: predictions that differ in full precision.
        few_examples, some_examples: C28: below, a warning; below, a remark.
        one_step_share: C9. radius_increase: C10. unbounded_sigmas: C11. steps_difference: C12.
        late_progress, late_steps, late_share: C12: part of the loss's range that is gained in the last
            steps of an example that has not converged, and the share of such examples.
        restarts_difference: C13. seed_difference: C33.
        loss_difference, large_loss_difference: C16: a remark, a warning.
        linearity, negative_share: C18b: median ratio of gain and slope, and the share below 0.
        storage_share: C23. texture: C31.
        square_gain, black_box_share, black_box_share_single, black_box_least: C8: share that only
            black boxes break: Square's stage, against a suite, against a single run; and at least
            so many examples.
        black_box_share_severe: C8, C19, C20: from which share on that is severe. Honest models of the zoo
            have at most 0.02, those that hide their gradients 0.02 to 0.29.
        least: so many examples at least make a share that is above its threshold.
        steps, restarts, targets: of the attacks that the checks run; twice as many steps and
            restarts are tried in C12 and C13.
        noise_samples, long_noise_samples, long_noise_examples: C15: of all, and of the first few.
        collapse_fall: C21: of the validation accuracy under attack.
        budget: passes that the checks of behaviour may make, as a share of those of the attacks.
        forwards: C22: predictions of each image of a model with noise, which vote.
    """

    examples: int = 256
    eager_examples: int = 32
    probability_slack: float = 1e-5
    ball_points: int = 8
    box_slack: float = 1e-6
    clean_sigmas: float = 3.0
    batch_difference: float = 1e-3
    low_precision_difference: float = 3e-2
    random_difference: float = 1e-4
    parity_difference: float = 1e-3
    parity_cosine: float = 0.999
    parity_share: float = 0.95
    zero_gradient_share: float = 0.01
    slope_step: float = 0.05
    slope_low: float = 0.5
    slope_high: float = 2.0
    slope_share: float = 0.9
    negated_share: float = 0.25
    saturation_gap: float = 16.6
    saturation_gain: float = 0.1
    saturation_share: float = 0.2
    precision_share: float = 0.001
    few_examples: int = 100
    some_examples: int = 1000
    one_step_share: float = 0.005
    radius_increase: float = 0.005
    unbounded_sigmas: float = 3.0
    steps_difference: float = 0.005
    late_progress: float = 0.05
    late_steps: int = 10
    late_share: float = 0.1
    restarts_difference: float = 0.005
    loss_difference: float = 0.05
    large_loss_difference: float = 0.15
    seed_difference: float = 0.01
    linearity: float = 0.3
    negative_share: float = 0.05
    storage_share: float = 0.01
    texture: float = 0.95
    square_gain: float = 0.002
    black_box_share: float = 0.002
    black_box_share_single: float = 0.02
    black_box_share_severe: float = 0.03
    black_box_least: int = 3
    least: int = 2
    steps: int = 50
    restarts: int = 2
    targets: int = 3
    noise_samples: int = 100
    long_noise_samples: int = 10_000
    long_noise_examples: int = 100
    collapse_fall: float = 0.1
    budget: float = 0.25
    forwards: int = 20

    def check(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int or field.type == "int":
                integer(value, field.name, 1)
            else:
                number(value, field.name, 0.0)
