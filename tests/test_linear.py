"""The linear code is PCA in one pass; the linear VAE's ELBO is exact, and it uses what is worth the nats."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from labkit import metrics
from labkit.metrics import linear


@pytest.fixture(scope="module")
def images():
    """1,500 images of 4×2 pixels, whose principal variances are about 4, 1, .25, .09, .04, .01, …"""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    scales = [2, 1, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02]
    return (rng.normal(size=(1500, 8)) * scales @ turn + 3).reshape(-1, 4, 2)


@pytest.fixture(scope="module")
def code(images):
    return metrics.linear_code([images], 6)


def test_it_is_pca_whether_the_images_come_at_once_or_in_batches(images, code):
    mean, axes, spread = metrics.principal_components(images)
    batches = metrics.linear_code((images[i : i + 7] for i in range(0, 1500, 7)), 6)
    few = metrics.linear_code([images[:40]], 6)
    for found, x in ((code, images), (batches, images), (few, images[:40])):
        mean, axes, spread = metrics.principal_components(x)
        assert_allclose(found.mean, mean)
        assert_allclose(found.variances, np.square(spread[:6]) * (len(x) - 1) / len(x), rtol=1e-6)
        assert_allclose(np.abs(np.sum(found.axes * axes[:6], axis=1)), 1, rtol=1e-6)


def test_it_reconstructs_as_pca_does_within_the_range_of_pixels():
    x = np.random.default_rng(1).random((60, 4, 4, 1))
    found = metrics.linear_code([x[:40]], 5)
    rows = found.decode(found.encode(x[40:]))
    (expected,) = metrics.pca_mse(x[:40], x[40:], (5,))
    assert_allclose(metrics.mse(x[40:], rows.reshape(20, 4, 4, 1)), expected)
    made = found.reconstruct(x[40:])
    assert made.shape == (20, 4, 4, 1) and made.min() >= 0 and made.max() <= 1
    assert metrics.mse(x[40:], made) <= expected + 1e-7


def test_the_linear_vaes_elbo_is_the_exact_likelihood(images, code):
    """On the images it is fitted to: −E_q ln p(x|z) + KL is −ln N(x; m, WWᵀ + vI)."""
    v, x = 0.2, images.reshape(-1, 8)
    found, used = code.vae(images, v), code.variances > v
    gained = (code.variances - v)[used]
    posterior = np.sum(gained * v / code.variances[used])  # E‖W(z − E z)‖²
    elbo = (8 * found.mse + posterior) / (2 * v) + 4 * np.log(2 * np.pi * v) + found.kl
    covariance = v * np.eye(8) + code.axes[used].T @ np.diag(gained) @ code.axes[used]
    assert_allclose(elbo, -multivariate_normal(code.mean, covariance).logpdf(x).mean(), rtol=1e-9)


def test_a_latent_is_used_where_the_variance_is_above_that_of_a_pixel(images, code):
    found = [code.vae(images, v) for v in (100, 2, 0.5, 0.15, 1e-9)]
    assert [each.active for each in found] == [0, 1, 2, 3, 6]
    mean_image = np.broadcast_to(images.mean(0), images.shape)
    assert_allclose([found[0].mse, found[0].kl], [metrics.mse(images, mean_image), 0])
    assert np.all(np.diff([each.kl for each in found]) > 0) and np.all(np.diff([e.mse for e in found]) < 0)


def test_on_its_own_images_a_component_costs_half_the_log_of_its_ratio(images, code):
    assert_allclose(code.vae(images, 0.005).kl, 0.5 * np.log(code.variances / 0.005).sum(), rtol=1e-9)


def test_what_cannot_be_is_refused(images, code):
    with pytest.raises(ValueError, match="above 0"):
        code.vae(images, 0.0)
    with pytest.raises(ValueError, match="components of 5 images"):
        metrics.linear_code([images[:5]], 5)


def test_blocks_hold_all_images_in_order():
    x = np.arange(5000.0).reshape(2500, 2)
    found = list(linear.in_blocks(x[i : i + 100] for i in range(0, 2500, 100)))
    assert [len(block) for block in found] == [1100, 1100, 300]
    assert_allclose(np.concatenate(found), x)
