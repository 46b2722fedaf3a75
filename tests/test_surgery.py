"""The KL is information plus mismatch: checked where both are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from labkit import losses, metrics


def gaussian_codes(n, latent_dim, slope, std, seed=0):
    """Codes of x ~ N(0, I) under q(z|x) = N(slope · x, std²): q(z) is N(0, slope² + std²)."""
    x = np.random.default_rng(seed).standard_normal((n, latent_dim))
    return slope * x, np.full((n, latent_dim), 2 * np.log(std))


@pytest.mark.parametrize(("slope", "std"), [(1.0, 0.5), (0.8, 0.6), (2.0, 1.0)])
def test_information_and_mismatch_of_a_linear_gaussian_model_are_bracketed(slope, std):
    made = metrics.elbo_surgery(*gaussian_codes(4000, 2, slope, std, seed=5), seed=6)
    variance = slope**2 + std**2
    information = 2 * 0.5 * np.log(variance / std**2)
    mismatch = 2 * 0.5 * (variance - 1 - np.log(variance))
    room = 4 * made.standard_error
    assert made.information_low - room <= information <= made.information_high + room
    assert_allclose(made.information_low, information, atol=0.1)
    # the mismatch also holds the chance of this sample of x, in its mean KL
    assert_allclose(made.mismatch_high, mismatch, atol=0.15)


@given(st.integers(2, 40), st.integers(1, 4), st.floats(0, 3), st.floats(0.05, 2), st.integers(0, 50))
def test_the_parts_add_up_and_the_lower_estimate_keeps_its_limits(n, latent_dim, slope, std, seed):
    z_mean, z_log_var = gaussian_codes(n, latent_dim, slope, std, seed)
    made = metrics.elbo_surgery(z_mean, z_log_var, seed)
    assert_allclose(made.kl, np.mean(losses.kl_divergence(z_mean, z_log_var)), rtol=1e-4, atol=1e-5)
    assert_allclose(made.information_low + made.mismatch_high, made.kl)
    assert_allclose(made.information_high + made.mismatch_low, made.kl)
    assert made.information_low <= np.log(n) + 1e-9
    assert made.information_low <= made.information_high + 1e-9


def test_posteriors_that_are_all_the_prior_tell_nothing():
    made = metrics.elbo_surgery(np.zeros((50, 3)), np.zeros((50, 3)))
    assert_allclose([made.kl, made.information_low, made.information_high], 0, atol=1e-9)


def test_posteriors_that_never_overlap_tell_which_image_it_was():
    means = 100.0 * np.arange(64)[:, None]
    made = metrics.elbo_surgery(means, np.zeros((64, 1)))
    assert_allclose(made.information_low, np.log(64), atol=1e-9)
    # That of a Gaussian of codes with the same variance, seen through unit noise
    assert_allclose(made.information_high, 0.5 * np.log1p(means.var()))


@pytest.mark.parametrize("shapes", [((1, 2), (1, 2)), ((3, 2), (3, 1))])
def test_what_has_no_average_is_refused(shapes):
    with pytest.raises(ValueError, match="n ≥ 2"):
        metrics.elbo_surgery(*(np.zeros(shape) for shape in shapes))
