"""Mixtures fitted to codes: they find what was drawn, rank by held-out codes, and draw alike."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit.densities import fit_densities


def two_clumps(n, seed):
    rng = np.random.default_rng(seed)
    side = rng.choice([-4.0, 4.0], n)[:, None]
    return (side * [1.0, 0.0, 1.0] + rng.standard_normal((n, 3)) * [1.0, 0.2, 0.5]).astype("float32")


def test_the_number_of_clumps_is_chosen_by_held_out_codes():
    best, *others = fit_densities(two_clumps(1500, 0), two_clumps(500, 1), (1, 2, 40))
    assert best.components == 2 and {d.components for d in others} == {1, 40}
    assert all(best.log_density > other.log_density for other in others)


def test_one_gaussian_has_the_log_density_of_its_closed_form():
    rng = np.random.default_rng(2)
    codes, held_out = rng.standard_normal((20_000, 2)), rng.standard_normal((20_000, 2))
    (density,) = fit_densities(codes, held_out, (1,))
    assert_allclose(density.log_density, -np.log(2 * np.pi * np.e), atol=0.03)


def test_draws_are_like_the_codes_in_any_order_and_the_same_for_the_same_seed():
    codes = two_clumps(3000, 3)
    (density,) = fit_densities(codes, codes, (2,))
    drawn = density.sample(3000, seed=5)
    assert drawn.shape == (3000, 3) and drawn.dtype == np.float32
    assert_allclose(drawn.mean(0), codes.mean(0), atol=0.4)
    assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=1.0)
    assert abs(np.corrcoef(np.arange(3000), drawn[:, 0])[0, 1]) < 0.1
    np.testing.assert_array_equal(drawn, density.sample(3000, seed=5))
    assert np.any(drawn != density.sample(3000, seed=6))


@pytest.mark.parametrize(
    ("codes", "held_out", "components", "message"),
    [
        (np.zeros(5), np.zeros((5, 2)), (1,), r"codes have shape \(5,\)"),
        (np.zeros((5, 2)), np.full((5, 2), np.nan), (1,), "held-out codes .* finite"),
        (np.zeros((5, 2)), np.zeros((5, 3)), (1,), "codes of one length"),
        (np.zeros((5, 2)), np.zeros((5, 2)), (0,), "from 1 to as many"),
        (np.zeros((5, 2)), np.zeros((5, 2)), (6,), "from 1 to as many"),
    ],
)
def test_what_cannot_be_fitted_is_refused(codes, held_out, components, message):
    with pytest.raises(ValueError, match=message):
        fit_densities(codes, held_out, components)
