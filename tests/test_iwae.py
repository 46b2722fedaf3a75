"""The importance-weighted autoencoder: its bound by hand, between the ELBO and ln p(x)."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from labkit import losses, metrics, models, training

SHAPE = (5, 5, 1)
IMAGES = (np.random.default_rng(0).random((24, *SHAPE)) < 0.4).astype("float32")


def small_iwae(k=5, cls=models.IWAE, **options):
    encoder = models.dense_encoder((8,), 3, image_shape=SHAPE)
    decoder = models.dense_decoder((8,), 3, image_shape=SHAPE)
    options |= {"k": k} if cls is models.IWAE else {}
    model = cls(encoder, decoder, **options)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    return model


def test_the_loss_is_the_formula_by_hand(rng):
    model, k, n = small_iwae(k=4), 4, len(IMAGES)
    logits = rng.normal(size=(k * n, *SHAPE)).astype("float32")
    ratio = rng.normal(size=(k, n)).astype("float32")
    p = 1 / (1 + np.exp(-logits.reshape(k, n, -1).astype("float64")))
    x = IMAGES.reshape(1, n, -1)
    log_likelihood = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=2)
    true = -np.log(np.mean(np.exp(ratio + log_likelihood), axis=0)).mean()
    assert_allclose(model.compute_loss(x=IMAGES, y_pred=(logits, ratio)), true, rtol=1e-5)
    assert_allclose(model.reconstruction_tracker.result(), -log_likelihood.mean(), rtol=1e-5)
    assert_allclose(model.kl_tracker.result(), -ratio.mean(), rtol=1e-4)


def test_draws_of_one_image_stay_with_that_image():
    model = small_iwae(k=3)
    logits, ratio = model(IMAGES)
    assert logits.shape == (3 * len(IMAGES), *SHAPE) and ratio.shape == (3, len(IMAGES))
    model.encoder.get_layer("z_log_var").bias.assign([-30.0] * 3)  # all draws are the mean
    logits, _ = model(IMAGES)
    alone = model.decoder(model.encode(IMAGES)[0])
    for draw in np.split(np.asarray(logits), 3):
        assert_allclose(draw, alone, rtol=1e-3, atol=1e-4)


def test_mean_log_ratio_is_minus_the_kl():
    model = small_iwae(k=20_000)
    _, ratio = model(IMAGES[:2])
    kl = losses.kl_divergence(*model.encode(IMAGES[:2]))
    error = np.std(ratio, axis=0) / np.sqrt(20_000)
    assert np.all(np.abs(np.mean(ratio, axis=0) + kl) < 4 * error)


def mean_loss(model, rounds=100):
    return np.mean([float(model.compute_loss(x=IMAGES, y_pred=model(IMAGES))) for _ in range(rounds)])


def test_one_draw_is_the_vae_and_more_are_the_metric_s_bound():
    vae = small_iwae(cls=models.VAE)
    bounds = {k: mean_loss(small_iwae(k)) for k in (1, 5, 50)}
    assert_allclose(bounds[1], mean_loss(vae), rtol=5e-3)
    assert bounds[1] > bounds[5] > bounds[50]
    judged = metrics.iw_nll(vae.encode, vae.decoder, np.repeat(IMAGES, 100, axis=0), k=5)
    assert_allclose(bounds[5], judged.value, rtol=5e-3)


def test_it_trains_and_logs_what_the_vae_logs():
    history = training.fit(small_iwae(), IMAGES, IMAGES, epochs=3, batch_size=8)
    names = ("loss", "reconstruction_loss", "kl_loss")
    assert set(history) == {"epoch", "seconds", *names, *(f"val_{name}" for name in names)}
    assert history["loss"][-1] < history["loss"][0]
    again = training.fit(small_iwae(), IMAGES, IMAGES, epochs=3, batch_size=8)
    assert_array_equal(history["loss"], again["loss"])


def test_models_of_other_k_do_not_share_their_steps():
    few, many = small_iwae(1), small_iwae(50)
    for model in (few, many):
        training.fit(model, IMAGES, epochs=1, batch_size=24)
    assert mean_loss(few) != mean_loss(many)
    assert few.settings() != many.settings()


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="k is 0"):
        small_iwae(0)
