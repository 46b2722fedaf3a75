"""Damaged images: what each damage does, and what it leaves as it is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import metrics


@pytest.fixture
def x(rng):
    return rng.uniform(size=(12, 28, 28, 1)).astype("float32")


def test_a_blur_spreads_a_point_as_a_gaussian_and_keeps_its_light():
    point = np.zeros((2, 29, 29, 1), "float32")
    point[0, 14, 14, 0] = 1
    spread = metrics.blurred(point, 1.5)
    assert_allclose(spread[0].sum(), 1, rtol=1e-4)
    assert_allclose(spread[0, 14, 14, 0] / spread[0, 14, 17, 0], np.exp(3**2 / (2 * 1.5**2)), rtol=1e-3)
    assert not spread[1].any(), "light of another image"


def test_a_ghost_is_another_image_of_the_same_set(x):
    seen = metrics.ghosted(x, 0.25, seed=3)
    others = (seen - 0.75 * x) / 0.25
    assert all(np.abs(x - other).max(axis=(1, 2, 3)).min() < 1e-5 for other in others)
    assert_allclose(metrics.ghosted(x, 0.0), x)


def test_noise_has_its_deviation_and_stays_in_range():
    grey = np.full((50, 28, 28, 1), 0.5, "float32")
    assert_allclose(metrics.noisy(grey, 0.1).std(), 0.1, rtol=0.02)
    strong = metrics.noisy(grey, 5.0)
    assert strong.min() == 0 and strong.max() == 1


def test_repeated_images_are_the_first_ones_in_turn(x):
    seen = metrics.repeated(x, 5)
    assert seen.shape == x.shape
    assert_allclose(seen[[0, 5, 10]], x[[0, 0, 0]])
    assert_allclose(metrics.repeated(x, len(x)), x)
    for distinct in (0, len(x) + 1):
        with pytest.raises(ValueError, match="1 to 12 images"):
            metrics.repeated(x, distinct)


@pytest.mark.parametrize("damage", [metrics.blurred, metrics.ghosted, metrics.noisy])
def test_bytes_are_no_images(x, damage):
    with pytest.raises(ValueError, match="divide bytes by 255"):
        damage(255 * x, 0.1)
