"""Noising, the best denoiser of a finite set, and sampling with it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import diffusion


def test_what_is_left_of_the_image_falls_from_all_to_nearly_nothing():
    kept = diffusion.alpha_bars()
    assert kept[0] == 1 and len(kept) == 1001
    assert np.all(np.diff(kept) < 0) and 0 < kept[-1] < 1e-4
    assert_allclose(kept[2], (1 - 1e-4) * (1 - np.linspace(1e-4, 0.02, 1000)[1]))


def test_noising_keeps_the_power_of_an_image_of_unit_variance(rng):
    x, noise = rng.standard_normal((2, 50_000))
    assert_allclose(diffusion.noised(x, 0.3, noise).var(), 1, rtol=0.02)


def test_of_two_images_the_guess_is_the_logistic_posterior(rng):
    a, b = rng.standard_normal((2, 5))
    x_t, kept = rng.standard_normal((3, 5)), 0.4

    def distance(image):
        return np.square(x_t - np.sqrt(kept) * image).sum(axis=1) / (2 * (1 - kept))

    of_a = 1 / (1 + np.exp(distance(a) - distance(b)))
    expected = of_a[:, None] * a + (1 - of_a[:, None]) * b
    assert_allclose(diffusion.best_guess(x_t, kept, np.stack([a, b])), expected)


def test_with_no_trace_of_the_image_the_guess_is_the_mean(rng):
    images = rng.standard_normal((7, 4, 4, 1))
    guess = diffusion.best_guess(rng.standard_normal((2, 4, 4, 1)), 0.0, images)
    assert_allclose(guess, np.stack(2 * [images.mean(axis=0)]))


@pytest.mark.parametrize("kept", [0.05, 0.4, 0.9])
def test_no_simple_guess_has_a_smaller_squared_error(rng, kept):
    images = rng.standard_normal((20, 6))
    x = images[rng.integers(20, size=4000)]
    x_t = diffusion.noised(x, kept, rng.standard_normal(x.shape))
    distances = np.square(x_t[:, None] - np.sqrt(kept) * images).sum(axis=2)
    others = images[distances.argmin(axis=1)], np.broadcast_to(images.mean(axis=0), x.shape), x_t
    error = np.square(diffusion.best_guess(x_t, kept, images) - x).mean()
    assert all(error < np.square(other - x).mean() for other in others)


def test_the_walk_of_one_step_ends_at_the_guess_and_of_many_at_an_image(rng):
    images, noise = rng.standard_normal((6, 16)), rng.standard_normal((40, 16))
    kept = diffusion.alpha_bars()
    once = diffusion.sample_by_guesses(noise, images, kept[[1000]])
    assert_allclose(once, diffusion.best_guess(noise, kept[1000], images))
    ends = diffusion.sample_by_guesses(noise, images, kept[1000:0:-5])
    nearest = np.abs(ends[:, None] - images).max(axis=2).min(axis=1)
    assert np.mean(nearest < 1e-3) > 0.9


def test_shapes_and_shares_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"number in \[0, 1\)"):
        diffusion.best_guess(np.zeros((1, 2)), 1.0, np.zeros((1, 2)))
    with pytest.raises(ValueError, match="must fit"):
        diffusion.best_guess(np.zeros((1, 2)), 0.5, np.zeros((1, 3)))
