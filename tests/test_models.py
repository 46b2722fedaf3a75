"""Builders to the handouts' numbers; VAEs that compute what they say."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import losses, models


@pytest.fixture
def images():
    return np.random.default_rng(0).random((12, 28, 28, 1), dtype="float32")


@pytest.mark.parametrize(
    ("hidden", "encoder", "decoder"),
    [((256,), 201_988, 202_256), ((512,), 403_972, 403_728), ((128, 64), 108_996, None)],
)
def test_parameter_counts_are_the_handouts(hidden, encoder, decoder):
    assert models.dense_encoder(hidden, 2).count_params() == encoder
    if decoder is not None:
        assert models.dense_decoder(hidden[::-1], 2).count_params() == decoder


def test_pseudocode_decoder_has_one_hidden_layer_of_64():
    assert models.dense_decoder((64,), 2).count_params() == (2 * 64 + 64) + (64 * 784 + 784)


def test_shapes_of_codes_and_images(images):
    z_mean, z_log_var = models.dense_encoder((8,), 5)(images)
    assert z_mean.shape == z_log_var.shape == (12, 5)
    assert models.dense_encoder((8,), 5, gaussian=False)(images).shape == (12, 5)
    assert models.dense_decoder((8,), 5)(z_mean).shape == images.shape


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "2"])
def test_sizes_that_are_no_counts_are_refused(bad):
    with pytest.raises(ValueError, match="latent_dim is"):
        models.dense_encoder((8,), bad)
    with pytest.raises(ValueError, match=r"hidden\[0\] is"):
        models.dense_decoder((bad,), 2)


def test_unknown_initialisation_is_refused():
    with pytest.raises(ValueError, match="he, glorot"):
        models.dense_encoder(initializer="xavier")


def test_same_seed_same_weights():
    first, again, other = (models.dense_encoder((8,), 2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert_array_equal(first[0], again[0])
    assert np.abs(first[0] - other[0]).max() > 0


def test_mean_image_becomes_the_first_output(images):
    decoder = models.dense_decoder((8,), 2, mean_image=images.mean(axis=0))
    pixels = keras.ops.sigmoid(decoder(np.zeros((1, 2), "float32")))
    assert_allclose(pixels[0], images.mean(axis=0), atol=1e-3)


def test_mean_image_of_another_shape_or_range_is_refused(images):
    with pytest.raises(ValueError, match=r"shape \(28, 28\)"):
        models.dense_decoder(mean_image=images[0, ..., 0])
    with pytest.raises(ValueError, match="divide by 255"):
        models.dense_decoder(mean_image=images[0] * 255)


def test_reparameterize_scales_and_shifts_the_noise():
    epsilon = np.array([[1.0, -1.0]], "float32")
    z = models.reparameterize(np.array([[2.0, 0.0]]), np.log(np.array([[4.0, 9.0]])), epsilon)
    assert_allclose(z, [[4.0, -3.0]], rtol=1e-6)


def test_sampling_has_the_posterior_s_mean_and_variance():
    z_mean, z_log_var = np.full((50_000, 1), 1.5, "float32"), np.full((50_000, 1), np.log(0.25), "float32")
    z = np.asarray(models.Sampling(seed=3)((z_mean, z_log_var)))
    assert_allclose(z.mean(), 1.5, atol=4 * 0.5 / np.sqrt(50_000))
    assert_allclose(z.std(), 0.5, atol=4 * 0.5 / np.sqrt(100_000))


def test_gradient_flows_through_the_sample():
    z_mean, z_log_var = tf.constant([[0.3]]), tf.constant([[0.0]])
    with tf.GradientTape() as tape:
        tape.watch([z_mean, z_log_var])
        z = models.Sampling()((z_mean, z_log_var))
    slope, slope_log_var = tape.gradient(z, [z_mean, z_log_var])
    assert_allclose(slope, [[1.0]])
    assert_allclose(slope_log_var, 0.5 * (z - z_mean), rtol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_vae_loss_is_reconstruction_plus_beta_kl(images, beta):
    vae = models.dense_vae((8,), 2, beta=beta)
    logits, z_mean, z_log_var = y_pred = vae(images)
    loss = vae.compute_loss(x=images, y_pred=y_pred)
    reconstruction = np.mean(losses.bernoulli_nll(images, logits))
    kl = np.mean(losses.kl_divergence(z_mean, z_log_var))
    assert_allclose(loss, reconstruction + beta * kl, rtol=1e-5)
    assert_allclose(vae.reconstruction_tracker.result(), reconstruction, rtol=1e-5)
    assert_allclose(vae.kl_tracker.result(), kl, rtol=1e-4, atol=1e-6)


def test_negative_or_nan_beta_is_refused():
    for beta in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="at least 0"):
            models.dense_vae((8,), 2, beta=beta)


def test_training_and_validation_share_formula_and_names(images):
    vae = models.dense_vae((8,), 2)
    vae.compile(optimizer=keras.optimizers.SGD(0.0))
    history = vae.fit(images, validation_data=(images,), batch_size=5, verbose=0).history
    assert set(history) == {
        f"{v}{k}" for v in ("", "val_") for k in ("loss", "reconstruction_loss", "kl_loss")
    }
    # The KL has no noise in it, so with a rate of 0 both must be equal, short batch and all.
    assert_allclose(history["kl_loss"], history["val_kl_loss"], rtol=1e-5)
    exact = np.mean(losses.kl_divergence(*vae.encode(images)))
    assert_allclose(history["val_kl_loss"], [exact], rtol=1e-5)


def test_reconstruction_uses_the_posterior_mean(images):
    vae = models.dense_vae((8,), 2)
    assert_array_equal(np.asarray(vae.reconstruct(images)), np.asarray(vae.reconstruct(images)))
    z_mean, _ = vae.encode(images)
    assert_array_equal(np.asarray(vae.reconstruct(images)), np.asarray(vae.decode(z_mean)))


def test_autoencoder_loss_is_its_nll_and_falls(images):
    model = models.Autoencoder(models.dense_encoder((32,), 4, gaussian=False), models.dense_decoder((32,), 4))
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    history = model.fit(images, epochs=5, batch_size=12, verbose=0).history["loss"]
    assert history[-1] < history[0]
    expected = np.mean(losses.bernoulli_nll(images, model(images)))
    assert_allclose(model.evaluate(images, verbose=0, return_dict=True)["loss"], expected, rtol=1e-5)


def test_codes_that_a_decoder_is_trained_on_are_draws_for_a_vae_and_points_for_an_autoencoder():
    x = np.random.default_rng(0).random((400, 28, 28, 1), dtype="float32")
    vae = models.dense_vae((8,), 3, seed=1)
    z_mean, z_log_var = (np.asarray(part) for part in vae.encode(x))
    epsilon = (np.asarray(vae.draw_codes(x, seed=2)) - z_mean) / np.exp(0.5 * z_log_var)
    assert abs(epsilon.mean()) < 0.15 and abs(epsilon.std() - 1) < 0.1
    assert_allclose(vae.draw_codes(x, seed=2), vae.draw_codes(x, seed=2))
    plain = models.Autoencoder(models.dense_encoder((8,), 3, gaussian=False), models.dense_decoder((8,), 3))
    assert_allclose(plain.draw_codes(x), plain.encode(x))
