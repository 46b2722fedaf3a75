"""Exact inference on a grid agrees with a model in which everything is known in closed form."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from labkit import losses, metrics
from labkit.metrics import exact

GRID = exact.Grid(points=241, reach=6.0)


class LinearGaussian:
    """z ~ N(0, I) of two latents, x = z A + noise of variance v: p(x) and p(z|x) are Gaussians."""

    def __init__(self, matrix, variance):
        self.matrix, self.variance = np.asarray(matrix, "float64"), variance  # (2, pixels)
        self.precision = np.eye(2) + self.matrix @ self.matrix.T / variance  # of p(z|x)

    def sample(self, n, seed=0):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, 2))
        noise = np.sqrt(self.variance) * rng.standard_normal((n, self.matrix.shape[1]))
        return z @ self.matrix + noise

    def log_likelihood(self, x, z):
        squares = np.square(x[:, None] - (z.astype("float64") @ self.matrix)[None]).sum(-1)
        pixels = self.matrix.shape[1]
        return (-0.5 * (squares / self.variance + pixels * np.log(2 * np.pi * self.variance))).astype(
            "float32"
        )

    def log_evidence(self, x):
        covariance = self.matrix.T @ self.matrix + self.variance * np.eye(self.matrix.shape[1])
        squares = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])

    def posterior_mean(self, x):
        return x @ self.matrix.T @ np.linalg.inv(self.precision) / self.variance


ROUND = LinearGaussian([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], 0.3)  # the latents stay independent
TILTED = LinearGaussian([[1.0, 0.5, 1.0], [0.5, 1.0, 0.2]], 0.3)  # they do not


@pytest.mark.parametrize("model", [ROUND, TILTED])
def test_the_evidence_is_that_of_the_closed_form(model):
    x = model.sample(20)
    assert_allclose(exact.log_evidence(model.log_likelihood, x, GRID), model.log_evidence(x), atol=1e-4)


def test_the_evidence_does_not_depend_on_how_the_sum_is_cut_up(monkeypatch):
    x = TILTED.sample(7)
    whole = exact.log_evidence(TILTED.log_likelihood, x, GRID)
    monkeypatch.setattr(exact, "POINTS_AT_A_TIME", 999)
    monkeypatch.setattr(exact, "IMAGES_AT_A_TIME", 3)
    assert_allclose(exact.log_evidence(TILTED.log_likelihood, x, GRID), whole, atol=1e-4)


@pytest.mark.parametrize("model", [ROUND, TILTED])
def test_the_posterior_has_the_mean_and_the_covariance_of_the_closed_form(model):
    x = model.sample(4)
    shares = exact.posterior(exact.log_joint(model.log_likelihood, x, GRID)).reshape(4, -1).astype("float64")
    z = GRID.codes().astype("float64")
    means = shares @ z
    assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    assert_allclose(means, model.posterior_mean(x), atol=1e-3)
    away = z - means[0]
    assert_allclose((shares[0][:, None] * away).T @ away, np.linalg.inv(model.precision), atol=1e-3)


@pytest.mark.parametrize("model", [ROUND, TILTED])
def test_the_best_gaussian_has_the_diagonal_of_the_precision_and_the_gap_follows(model):
    x = model.sample(5)
    start = np.zeros((5, 2)), np.zeros((5, 2))
    joint = exact.log_joint(model.log_likelihood, x, GRID)
    z_mean, z_log_var = exact.best_gaussians(joint, GRID, *start)
    assert_allclose(z_mean, model.posterior_mean(x), atol=2e-3)
    assert_allclose(np.exp(-z_log_var), np.tile(np.diag(model.precision), (5, 1)), rtol=1e-2)
    gaps = exact.inference_gaps(model.log_likelihood, x, *start, GRID, images_at_a_time=2)
    # KL(best diagonal ‖ posterior) = ½ (Σ ln Λ_dd − ln |Λ|)
    expected = 0.5 * (np.log(np.diag(model.precision)).sum() - np.linalg.slogdet(model.precision)[1])
    assert_allclose(gaps.approximation, expected, atol=1e-3)
    # KL(N(0, I) ‖ posterior) is the whole gap of a q that ignores the image
    mean = model.posterior_mean(x)
    whole = 0.5 * (
        np.trace(model.precision) + np.einsum("ni,ij,nj->n", mean, model.precision, mean) - 2
        - np.linalg.slogdet(model.precision)[1]
    )  # fmt: skip
    assert_allclose(gaps.log_evidence - gaps.elbo, whole, atol=2e-3)
    assert_allclose(gaps.approximation + gaps.amortisation, whole, atol=2e-3)


@settings(max_examples=30)
@given(
    st.lists(st.floats(-2, 2), min_size=2, max_size=2),
    st.lists(st.floats(-2, 1), min_size=2, max_size=2),
    st.integers(0, 100),
)
def test_no_gaussian_is_above_the_evidence_nor_above_the_best(mean, log_var, seed):
    x = TILTED.sample(1, seed)
    joint = exact.log_joint(TILTED.log_likelihood, x, GRID)
    own = np.array([mean]), np.array([log_var])
    value = exact.grid_elbo(joint, GRID, *own)
    best = exact.grid_elbo(joint, GRID, *exact.best_gaussians(joint, GRID, *own))
    assert value <= best + 1e-6 <= exact.log_sum(joint) + 2e-6


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_the_gradient_is_that_of_finite_differences(theta):
    theta = np.array(theta)
    f = exact.log_joint(TILTED.log_likelihood, TILTED.sample(1), exact.Grid(41, 5.0))[0].astype("float64")
    axis = exact.Grid(41, 5.0).axis
    numeric = approx_fprime(theta, lambda t: exact.loss_and_slope(t, f, axis)[0], 1e-6)
    assert_allclose(exact.loss_and_slope(theta, f, axis)[1], numeric, atol=1e-3, rtol=1e-3)


def test_of_two_hills_the_higher_is_found_from_a_start_on_the_lower():
    axis = np.linspace(-5, 5, 201)
    hills = [np.log(share) - 0.5 * np.square((axis - place) / 0.2) for share, place in ((0.1, -2), (0.9, 2))]
    f = np.logaddexp(*hills)[:, None] - 0.5 * np.square(axis / 0.2)[None]
    z_mean, _ = exact.best_gaussians(f[None], exact.Grid(201, 5.0), [[-2.0, 0.0]], [[-3.0, -3.0]])
    assert_allclose(z_mean, [[2.0, 0.0]], atol=1e-2)


def bernoulli_decoder(seed):
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(2, 12)).astype("float32")
    return lambda z: tf.reshape(tf.matmul(z, kernel), (-1, 4, 3, 1))


def test_the_likelihood_of_all_pairs_is_the_loss_of_each_pair():
    rng = np.random.default_rng(0)
    x, z = rng.random((5, 4, 3, 1), dtype="float32"), rng.standard_normal((7, 2)).astype("float32")
    decode = bernoulli_decoder(1)
    pairs = exact.bernoulli_log_likelihood(decode)(x, z)
    each = [-np.asarray(losses.bernoulli_nll(image[None], decode(z))) for image in x]
    assert_allclose(pairs, np.stack(each), atol=1e-4)


def test_the_grid_agrees_with_importance_sampling_and_its_elbo_with_monte_carlo():
    rng = np.random.default_rng(2)
    x, decode = metrics.binarise(rng.random((40, 4, 3, 1)), 3), bernoulli_decoder(4)
    z_mean, z_log_var = 0.3 * rng.standard_normal((40, 2)), np.full((40, 2), -0.5)

    def encode(x):
        return z_mean.astype("float32")[: len(x)], z_log_var.astype("float32")[: len(x)]

    likelihood = exact.bernoulli_log_likelihood(decode)
    sampled = metrics.iw_nll(encode, decode, x, k=5_000, chunk=200_000)
    assert_allclose(-exact.log_evidence(likelihood, x, GRID).mean(), sampled.value, atol=0.01)
    bound = metrics.elbo(encode, decode, x, samples=200)
    on_grid = exact.grid_elbo(exact.log_joint(likelihood, x, GRID), GRID, z_mean, z_log_var)
    assert_allclose(-on_grid.mean(), bound.negative_elbo, atol=0.03)


def test_what_cannot_be_a_grid_or_has_no_images_is_refused():
    with pytest.raises(ValueError, match="2 points"):
        exact.Grid(points=1)
    with pytest.raises(ValueError, match="reach"):
        exact.Grid(reach=0.0)
    with pytest.raises(ValueError, match="no images"):
        exact.log_evidence(TILTED.log_likelihood, np.zeros((0, 3)), GRID)
