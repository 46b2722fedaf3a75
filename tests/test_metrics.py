"""Metrics against exact values: a linear-Gaussian VAE, PCA, entropies."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import losses, metrics

RNG = np.random.default_rng(0)


class LinearGaussian:
    """x | z ~ N(wz, v) and z ~ N(0, 1): ELBO and ln p(x) are known exactly."""

    w, v = np.array([[1.5, -0.5]]), 0.4

    def posterior(self, x):
        precision = 1 + float((self.w**2).sum()) / self.v
        z_mean = (x @ self.w.T) / self.v / precision
        return z_mean.astype("float32"), np.full_like(z_mean, -math.log(precision), dtype="float32")

    def decode(self, z):
        return (z @ self.w).astype("float32")

    def nll(self, x, x_hat):
        return losses.gaussian_nll(x, x_hat, self.v)

    def log_evidence(self, x):
        covariance = self.w.T @ self.w + self.v * np.eye(2)
        quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -0.5 * (quadratic + math.log(np.linalg.det(2 * math.pi * covariance)))


def test_elbo_with_the_exact_posterior_is_the_log_evidence():
    model, x = LinearGaussian(), RNG.normal(size=(300, 2)).astype("float32")
    result = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, samples=400)
    assert_allclose(result.negative_elbo, -model.log_evidence(x).mean(), atol=0.03)


def test_elbo_with_another_posterior_is_worse_by_the_kl_between_them():
    model, x = LinearGaussian(), RNG.normal(size=(300, 2)).astype("float32")

    def shifted(x):
        z_mean, z_log_var = model.posterior(x)
        return z_mean + 0.5, z_log_var

    right = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, samples=400)
    wrong = metrics.elbo(shifted, model.decode, x, nll=model.nll, samples=400)
    variance = math.exp(float(model.posterior(x)[1][0, 0]))
    assert_allclose(wrong.negative_elbo - right.negative_elbo, 0.5 * 0.5**2 / variance, rtol=0.05)


def test_parts_add_up_and_do_not_depend_on_the_batch_size():
    model, x = LinearGaussian(), RNG.normal(size=(50, 2)).astype("float32")
    whole = metrics.elbo(model.posterior, model.decode, x, nll=model.nll)
    assert_allclose(whole.negative_elbo, whole.reconstruction + whole.kl)
    assert_allclose(whole.kl, whole.kl_per_dim.sum())
    assert whole.images == 50
    again = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, batch_size=7)
    assert_allclose(again.kl, whole.kl, rtol=1e-6)


def test_elbo_is_repeatable_for_a_seed():
    model, x = LinearGaussian(), RNG.normal(size=(50, 2)).astype("float32")

    def value(seed):
        return metrics.elbo(model.posterior, model.decode, x, nll=model.nll, seed=seed).negative_elbo

    assert value(1) == value(1) != value(2)


def test_elbo_refuses_no_images_and_no_samples():
    model = LinearGaussian()
    for x, samples in ((np.zeros((0, 2)), 1), (np.zeros((3, 2)), 0)):
        with pytest.raises(ValueError, match="needs images and samples"):
            metrics.elbo(model.posterior, model.decode, x, samples=samples)


def test_active_units_are_those_whose_mean_varies():
    z_mean = np.column_stack([RNG.normal(size=500), np.full(500, 3.0), 0.05 * RNG.normal(size=500)])
    assert metrics.active_units(z_mean).tolist() == [True, False, False]


def test_mse_by_hand_and_shapes_that_differ():
    assert_allclose(metrics.mse(np.zeros((2, 2)), np.array([[1, 0], [0, 1]])), 0.5)
    with pytest.raises(ValueError, match="must be equal"):
        metrics.mse(np.zeros((2, 2)), np.zeros((2, 1)))


def test_pixel_entropy_of_black_white_and_grey():
    x = np.zeros((4, 3, 3))
    x[:, 0, 0], x[:, 1, 1] = 1.0, 0.5
    assert_allclose(metrics.pixel_entropy(x), math.log(2), rtol=1e-9)


def test_pixel_entropy_is_the_loss_of_a_perfect_reconstruction():
    x = RNG.uniform(0.05, 0.95, (5, 4, 4)).astype("float32")
    loss = np.mean(losses.bernoulli_nll(x, np.log(x / (1 - x))))
    assert_allclose(metrics.pixel_entropy(x), loss, rtol=1e-5)


def test_pca_recovers_data_of_its_own_rank_and_errors_fall():
    low_rank = RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 16)) + 2.0
    one, two, three = metrics.pca_mse(low_rank[:150], low_rank[150:], (1, 2, 3))
    assert one > two > three
    assert_allclose(three, 0, atol=1e-20)


def test_pca_refuses_more_components_than_pixels():
    with pytest.raises(ValueError, match="between 1 and 4"):
        metrics.pca_mse(np.zeros((5, 4)), np.zeros((5, 4)), (5,))
