"""Losses against closed forms, Monte Carlo and their own definitions."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given
from keras import ops
from numpy.testing import assert_allclose

from labkit import losses, metrics, models

finite = st.floats(-5, 5, width=32)


def array(*rows):
    return np.array(rows, dtype="float32")


def test_zero_logits_cost_ln_2_a_pixel():
    x = np.random.default_rng(0).random((3, 28, 28, 1), dtype="float32")
    assert_allclose(losses.bernoulli_nll(x, np.zeros_like(x)), np.full(3, 784 * math.log(2)), rtol=1e-6)


def test_bernoulli_nll_equals_the_textbook_formula():
    x, logits = array([0.0, 0.3, 1.0]), array([-2.0, 0.5, 3.0])
    p = 1 / (1 + np.exp(-logits))
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    assert_allclose(losses.bernoulli_nll(x, logits), expected, rtol=1e-5)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=8))
def test_bernoulli_nll_is_finite_for_any_logit(logits):
    logits = array(logits)
    for x in (np.zeros_like(logits), np.ones_like(logits)):
        assert np.isfinite(np.asarray(losses.bernoulli_nll(x, logits))).all()


@given(st.floats(0.01, 0.99))
def test_bernoulli_nll_is_least_at_the_logit_of_the_pixel(p):
    x = array([p])
    best = math.log(p / (1 - p))

    def at(logit):
        return float(losses.bernoulli_nll(x, array([logit]))[0])

    assert_allclose(at(best), -p * math.log(p) - (1 - p) * math.log(1 - p), rtol=1e-4)
    assert at(best) < min(at(best - 0.5), at(best + 0.5))


@given(st.floats(-40, 40, width=32))
def test_a_continuous_bernoulli_is_a_density_with_the_mean_that_is_said(logit):
    x = (np.arange(20_000) + 0.5) / 20_000  # midpoints
    density = np.exp(-np.asarray(losses.continuous_bernoulli_nll(x[:, None], np.full((len(x), 1), logit))))
    assert_allclose(density.mean(), 1.0, rtol=1e-3)
    assert_allclose((x * density).mean(), losses.continuous_bernoulli_mean(np.float32(logit)), atol=1e-3)


@pytest.mark.parametrize("logit", [-0.11, -0.09, 1e-6, 0.0, 0.09, 0.11, 3.0])
def test_the_normalizer_and_the_mean_are_smooth_where_the_formula_changes(logit):
    l = logit or 1e-4  # noqa: E741 the limit at 0
    assert_allclose(losses.log_normalizer(np.float32(logit)), np.log(l / np.tanh(l / 2)), atol=2e-6)
    assert_allclose(
        losses.continuous_bernoulli_mean(np.float32(logit)), 1 / (1 - np.exp(-l)) - 1 / l, atol=2e-5
    )


@pytest.mark.parametrize("logit", [-1e4, -1.0, 0.0, 0.05, 1e4])
def test_a_continuous_bernoulli_has_a_finite_gradient_for_any_logit(logit):
    logits = tf.Variable(array([logit]))
    for value in (losses.log_normalizer, losses.continuous_bernoulli_mean):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(value(logits))
        assert np.isfinite([float(total), *np.ravel(tape.gradient(total, logits))]).all()


def test_gaussian_nll_equals_the_log_density():
    x, x_hat, variance = array([0.2, 0.9]), array([0.5, 0.1]), 0.3
    density = np.exp(-((x - x_hat) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    assert_allclose(losses.gaussian_nll(x, x_hat, variance), -np.log(density).sum(axis=1), rtol=1e-5)


def test_the_calibrated_variance_is_the_batch_s_mean_squared_error_and_the_best_one():
    x, x_hat = np.random.default_rng(2).normal(size=(2, 3, 4, 5, 1)).astype("float32")
    v = float(np.mean((x - x_hat) ** 2))
    found = ops.convert_to_numpy(losses.calibrated_gaussian_nll(x, x_hat))
    assert_allclose(found, losses.gaussian_nll(x, x_hat, v), rtol=1e-5)
    assert_allclose(found.mean(), 10 * math.log(2 * math.pi * math.e * v), rtol=1e-5)
    for other in (0.9 * v, 1.1 * v):
        assert found.mean() < np.mean(losses.gaussian_nll(x, x_hat, other))


def test_variance_one_half_makes_gaussian_nll_the_squared_error_plus_a_constant():
    x, x_hat = array([0.2, 0.9], [0.0, 1.0]), array([0.5, 0.1], [0.4, 0.4])
    excess = losses.gaussian_nll(x, x_hat, 0.5) - ((x - x_hat) ** 2).sum(axis=1)
    assert_allclose(excess, np.full(2, 2 * 0.5 * math.log(math.pi)), rtol=1e-5)


def test_squared_error_is_summed_over_pixels():
    x, x_hat = array([0.2, 0.9], [0.0, 1.0]), array([0.5, 0.1], [0.0, 1.0])
    assert_allclose(losses.squared_error(x, x_hat), [0.09 + 0.64, 0], rtol=1e-5)


PIXEL_LIKELIHOODS = (losses.gaussian_nll, losses.calibrated_gaussian_nll, losses.squared_error)


@pytest.mark.parametrize("nll", PIXEL_LIKELIHOODS, ids=losses.name_of)
def test_a_likelihood_of_pixels_becomes_one_of_logits_by_the_sigmoid(nll, rng):
    x, logits = rng.random((3, 4, 4, 1)).astype("float32"), rng.normal(size=(3, 4, 4, 1)).astype("float32")
    assert_allclose(losses.from_logits(nll)(x, logits), nll(x, 1 / (1 + np.exp(-logits))), rtol=1e-5)


def test_settings_reach_the_likelihood_and_stand_in_its_name():
    x, logits = array([0.2, 0.9]), array([0.0, 0.0])
    nll = losses.from_logits(losses.gaussian_nll, variance=0.3)
    assert_allclose(nll(x, logits), losses.gaussian_nll(x, array([0.5, 0.5]), 0.3), rtol=1e-5)
    assert nll.__qualname__ == "from_logits(gaussian_nll, variance=0.3)"  # by which a checkpoint is known


@pytest.mark.parametrize("nll", PIXEL_LIKELIHOODS, ids=losses.name_of)
def test_models_and_metrics_refuse_a_likelihood_of_pixels_and_say_what_to_do(nll):
    networks = models.dense_encoder((4,)), models.dense_decoder((4,))
    plain = models.dense_encoder((4,), gaussian=False)
    x = np.zeros((2, 28, 28, 1), "float32")
    for use in (
        lambda: models.VAE(*networks, nll=nll),
        lambda: models.Autoencoder(plain, networks[1], nll=nll),
        lambda: metrics.elbo(*networks, x, nll=nll),
        lambda: metrics.iw_nll(*networks, x, k=1, nll=nll),
    ):
        with pytest.raises(ValueError, match=rf"takes x_hat.*from_logits\({nll.__name__}\)"):
            use()


def test_a_likelihood_of_logits_gets_no_second_sigmoid():
    with pytest.raises(ValueError, match="takes logits already"):
        losses.from_logits(losses.bernoulli_nll)


def test_kl_of_the_prior_is_zero():
    assert_allclose(losses.kl_divergence(np.zeros((2, 3)), np.zeros((2, 3))), [0, 0], atol=1e-7)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=6))
def test_kl_is_the_sum_of_its_dimensions_and_never_negative(code):
    z_mean, z_log_var = array([m for m, _ in code]), array([v for _, v in code])
    per_dim = np.asarray(losses.kl_divergence_per_dim(z_mean, z_log_var))
    assert (per_dim >= -1e-6).all()
    assert_allclose(losses.kl_divergence(z_mean, z_log_var), per_dim.sum(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mean", "log_var"), [(0.0, 1.0), (1.5, -2.0), (-0.7, 0.3)])
def test_kl_agrees_with_monte_carlo_within_its_standard_error(mean, log_var):
    epsilon = np.random.default_rng(1).standard_normal(200_000)
    z = mean + math.exp(0.5 * log_var) * epsilon
    draws = (-0.5 * epsilon**2 - 0.5 * log_var) + 0.5 * z**2
    standard_error = draws.std() / math.sqrt(len(draws))
    exact = float(losses.kl_divergence(array([mean]), array([log_var]))[0])
    assert_allclose(exact, draws.mean(), atol=4 * standard_error)


def test_log_prior_ratio_is_that_of_the_two_densities(rng):
    z_mean, z_log_var = rng.normal(size=(2, 5, 3))
    epsilon = rng.normal(size=(4, 5, 3))
    sigma = np.exp(0.5 * z_log_var)
    z = z_mean + sigma * epsilon
    true = (scipy.stats.norm.logpdf(z) - scipy.stats.norm.logpdf(z, z_mean, sigma)).sum(axis=2)
    assert_allclose(losses.log_prior_ratio(z, z_log_var, epsilon), true, rtol=1e-5)


def test_importance_weighted_bound_is_the_log_of_the_mean_weight_and_bears_large_numbers(rng):
    log_weights = rng.normal(size=(7, 3))
    bound = losses.importance_weighted_bound(log_weights)
    assert_allclose(bound, np.log(np.exp(log_weights).mean(axis=0)), rtol=1e-5)
    assert_allclose(losses.importance_weighted_bound(log_weights - 2000.0), bound - 2000.0, rtol=1e-6)
    assert_allclose(losses.importance_weighted_bound(log_weights[:1]), log_weights[0], rtol=1e-5)
    assert np.all(bound >= log_weights.mean(axis=0))


def test_sum_per_image_keeps_the_batch_apart():
    values = ops.reshape(ops.arange(24, dtype="float32"), (2, 3, 4))
    assert_allclose(losses.sum_per_image(values), [66, 210])


# ---- GANs: pairs of functions of the discriminator's raw outputs

DISCRIMINATOR = losses.cross_entropy_discriminator_loss
ZERO = np.zeros((3, 1), "float32")


def slope(loss, *logits):
    """Derivative of a loss with respect to its last argument, at one value each."""
    *others, last = [tf.constant([[value]]) for value in logits]
    with tf.GradientTape() as tape:
        tape.watch(last)
        value = loss(*others, last)
    return float(tape.gradient(value, last)[0, 0])


def test_zero_logits_cost_the_discriminator_2_ln_2_and_the_generator_ln_2():
    assert_allclose(DISCRIMINATOR(ZERO, ZERO), np.full(3, 2 * math.log(2)), rtol=1e-6)
    assert_allclose(losses.non_saturating_generator_loss(ZERO), np.full(3, math.log(2)), rtol=1e-6)
    assert_allclose(losses.minimax_generator_loss(ZERO), np.full(3, -math.log(2)), rtol=1e-6)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_the_best_discriminator_is_real_over_real_plus_fake(p_real, p_fake):
    """Goodfellow et al. 2014, proposition 1: D* = p_real / (p_real + p_fake)."""
    best = math.log(p_real / p_fake)

    def expected_loss(logit):
        logit = tf.constant([[logit]])
        zero = tf.zeros_like(logit)
        real = DISCRIMINATOR(logit, zero) - math.log(2)
        fake = DISCRIMINATOR(zero, logit) - math.log(2)
        return float((p_real * real + p_fake * fake)[0])

    assert expected_loss(best) < min(expected_loss(best - 0.5), expected_loss(best + 0.5))


def test_where_the_discriminator_is_sure_of_a_fake_only_minimax_saturates():
    assert_allclose(slope(losses.minimax_generator_loss, -20.0), 0.0, atol=1e-8)
    assert_allclose(slope(losses.non_saturating_generator_loss, -20.0), -1.0, rtol=1e-6)
    assert_allclose(slope(losses.minimax_generator_loss, 0.0), -0.5, rtol=1e-6)
    assert_allclose(slope(losses.non_saturating_generator_loss, 0.0), -0.5, rtol=1e-6)


def test_smoothing_moves_the_best_logit_of_real_images_alone():
    logit = tf.constant([[math.log(0.9 / 0.1)]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logit)
        real = DISCRIMINATOR(logit, tf.zeros_like(logit), label_smoothing=0.1)
        fake = DISCRIMINATOR(tf.zeros_like(logit), logit, label_smoothing=0.1)
    assert_allclose(tape.gradient(real, logit), [[0.0]], atol=1e-6)
    assert_allclose(tape.gradient(fake, logit), [[0.9]], rtol=1e-6)


def test_least_squares_equal_their_formulas():
    real, fake = array([0.3], [2.0]), array([-1.0], [0.5])
    expected = 0.5 * (real - 1) ** 2 + 0.5 * fake**2
    assert_allclose(losses.least_squares_discriminator_loss(real, fake), expected[:, 0], rtol=1e-6)
    assert_allclose(losses.least_squares_generator_loss(fake), 0.5 * (fake[:, 0] - 1) ** 2, rtol=1e-6)
    smooth = losses.least_squares_discriminator_loss(array([0.9]), array([0.0]), label_smoothing=0.1)
    assert_allclose(smooth, [0.0], atol=1e-12)


def test_hinge_costs_nothing_beyond_its_margins():
    assert_allclose(
        losses.hinge_discriminator_loss(array([1.0], [3.0], [0.5]), array([-1.0], [-2.0], [0.5])), [0, 0, 2]
    )


def test_wasserstein_is_the_difference_of_scores():
    assert_allclose(losses.wasserstein_discriminator_loss(array([3.0]), array([1.0])), [-2.0])
    assert_allclose(losses.critic_generator_loss(array([1.5])), [-1.5])


@pytest.mark.parametrize("name", sorted(losses.GAN_LOSSES))
def test_gan_losses_are_finite_and_one_an_image_for_any_logit(name):
    logits = array([-1e4], [0.0], [1e4])
    for_discriminator, for_generator = losses.GAN_LOSSES[name]
    for value in (
        for_discriminator(logits, -logits),
        for_discriminator(-logits, logits),
        for_generator(logits),
    ):
        assert value.shape == (3,)
        assert np.isfinite(np.asarray(value)).all()
