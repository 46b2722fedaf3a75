"""The patch distance: 0 for equal sets, on the right scale for what blur, noise and layout change."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import data, metrics
from labkit.metrics import patches


@pytest.fixture(scope="module")
def faces():
    found = data.load("rendered_faces")
    order = np.random.default_rng(0).permutation(len(found.x_train))
    return found.x_train[order[:60]], found.x_train[order[60:120]]


def test_a_set_is_0_from_itself_and_near_other_images_of_its_kind(faces):
    a, b = faces
    assert_allclose(list(metrics.patch_distances(a, a).values()), 0, atol=1e-12)
    near, noise = (
        metrics.patch_distances(a, b),
        metrics.patch_distances(np.random.default_rng(1).random(a.shape), b),
    )
    assert list(near) == [64, 32, 16, 8]
    assert all(noise[side] > 3 * near[side] for side in near)


def test_blur_and_grain_show_on_the_fine_levels(faces):
    a, b = faces
    floor = metrics.patch_distances(a, b)
    blurred = patches.smooth(patches.smooth(a[..., 0]))[..., None]
    grainy = np.clip(a + np.random.default_rng(1).normal(0, 0.05, a.shape), 0, 1)
    for changed in (blurred, grainy):
        found = metrics.patch_distances(np.clip(changed, 0, 1), b)
        assert found[64] > floor[64] + 0.2
        assert found[8] < floor[8] + 0.1


def test_a_shifted_constant_is_as_far_as_its_shift(faces):
    """Two sets that differ by a constant differ on the last level only, which alone has a mean."""
    a = 0.5 * faces[0]
    found = metrics.patch_distances(a + 0.1, a)
    assert_allclose([found[64], found[32], found[16]], 0, atol=1e-6)
    assert found[8] > 0.05


def test_the_pyramid_adds_up_to_the_image(faces):
    x = faces[0][:5, ..., 0].astype("float64")
    *details, image = patches.pyramid(x, 8)
    for detail in reversed(details):
        image = detail + patches.enlarged(image)
    assert_allclose(image, x, atol=1e-9)


def test_the_filter_keeps_the_mean_of_a_constant_image():
    x = np.full((1, 16, 16), 0.3)
    assert_allclose(patches.smooth(x), x)
    assert_allclose(patches.enlarged(x[:, ::2, ::2])[:, 2:-2, 2:-2], 0.3)


def test_what_does_not_fit_is_refused(faces):
    a, b = faces
    with pytest.raises(ValueError, match="twice"):
        metrics.patch_distances(a[:5], b)
    with pytest.raises(ValueError, match="halved"):
        metrics.patch_distances(a, b, smallest=6)
