"""The image grid of TensorBoard."""

import numpy as np

from tfrobust.training.callbacks.tensorboard import draw_grid


def test_a_grid_shows_clean_adversarial_and_the_difference_at_full_contrast():
    clean = np.full((2, 3, 4, 1), 0.5, np.float32)
    adversarial = clean.copy()
    adversarial[0, 1, 2, 0] += 0.1
    adversarial[1, 0, 0, 0] -= 0.05
    shown = draw_grid(clean, adversarial)
    assert shown.shape == (9, 8, 1)
    np.testing.assert_array_equal(shown[0:3, 4:8], clean[1])
    np.testing.assert_array_equal(shown[3:6, 0:4], adversarial[0])
    # Grey where nothing changed, white for the largest change, a quarter for minus half of it.
    assert shown[6 + 1, 2, 0] == 1.0
    np.testing.assert_allclose(shown[6, 4, 0], 0.25, atol=1e-6)
    assert shown[6, 0, 0] == 0.5


def test_without_a_difference_the_grid_is_grey():
    clean = np.zeros((1, 2, 2, 3), np.float32)
    assert (draw_grid(clean, clean)[4:] == 0.5).all()
