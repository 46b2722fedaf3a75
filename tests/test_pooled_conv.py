"""Convolutions with pooling and upsampling: the handout's blocks, and both models they serve."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose

from labkit import losses, models
from labkit.models.fast_layers import BatchNormalization

SMALL = {"image_shape": (16, 16, 1)}


@pytest.fixture
def images():
    return np.random.default_rng(0).random((8, 16, 16, 1), dtype="float32")


def trainable(*networks):
    return sum(int(np.prod(w.shape)) for network in networks for w in network.trainable_weights)


def kinds(network):
    names = {
        layers.Conv2D: "conv",
        BatchNormalization: "norm",
        layers.ReLU: "relu",
        layers.AveragePooling2D: "pool",
        layers.UpSampling2D: "up",
        layers.Dense: "dense",
    }
    return [names[type(layer)] for layer in network.layers if type(layer) in names]


def test_the_vae_has_the_handouts_parameters():
    encoder, decoder = models.pooled_encoder(), models.upsampling_decoder()
    assert trainable(encoder, decoder) == 3_209_217
    assert trainable(encoder) == 2_120_800 and trainable(decoder) == 1_088_417
    assert encoder.output_shape == [(None, 64), (None, 64)] and decoder.output_shape == (None, 64, 64, 1)


def test_the_blocks_are_the_handouts_in_its_order():
    block = ["conv", "norm", "relu"]
    encoder, decoder = models.pooled_encoder(), models.upsampling_decoder()
    assert kinds(encoder) == [*block, *block, "pool", *block, "pool", "dense", "dense"]
    block = ["norm", "relu", "conv"]
    assert kinds(decoder) == ["dense", *block, "up", *block, "up", *block]
    assert encoder.get_layer("flatten").output.shape == (None, 16_384)
    assert decoder.get_layer("base").output.shape == (None, 16, 16, 64)


def test_batch_normalisation_has_the_handouts_constants():
    networks = models.pooled_encoder(), models.upsampling_decoder(), models.pooled_discriminator()
    norms = [n for net in networks for n in net.layers if isinstance(n, layers.BatchNormalization)]
    assert len(norms) == 9 and {(n.momentum, n.epsilon) for n in norms} == {(0.9, 1e-5)}


def test_the_discriminator_is_the_encoder_with_one_output():
    encoder, discriminator = models.pooled_encoder(), models.pooled_discriminator()
    assert kinds(discriminator)[:-1] == kinds(encoder)[:-2]
    assert trainable(discriminator) == trainable(encoder) - 128 * 16_385 + 16_385


def test_upsampling_repeats_pixels_and_pooling_averages_them(images):
    up = models.upsampling_decoder((3, 2), (2,), 4, **SMALL).get_layer("up_1")
    pool = models.pooled_encoder((3,), (2,), 4, **SMALL).get_layer("pool_1")
    assert_allclose(up(images[:, :8, :8]), images[:, :8, :8].repeat(2, 1).repeat(2, 2))
    assert_allclose(pool(images), images.reshape(8, 8, 2, 8, 2, 1).mean((2, 4)), rtol=1e-5)


def test_same_seed_same_weights_and_a_code_without_variance():
    first, again, other = (
        models.pooled_encoder((2,), (2,), 3, gaussian=False, seed=s, **SMALL) for s in (1, 1, 2)
    )
    assert first.output_shape == (None, 3)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        assert_allclose(a, b)
    assert np.abs(first.get_weights()[0] - other.get_weights()[0]).max() > 0


def test_squared_error_plus_kl_is_the_vae_of_variance_one_half(images):
    """−ELBO under N(x̂, ½ I) is ‖x − x̂‖² + KL and ½ ln π a pixel."""
    nll = losses.from_logits(losses.gaussian_nll, variance=0.5)
    encoder = models.pooled_encoder((2,), (2,), 3, **SMALL)
    vae = models.VAE(encoder, models.upsampling_decoder((2, 2), (2,), 3, **SMALL), nll=nll)
    output = vae(images, training=False)
    logits, z_mean, z_log_var = (np.asarray(part) for part in output)
    squared = ((images - 1 / (1 + np.exp(-logits))) ** 2).sum((1, 2, 3))
    kl = 0.5 * (z_mean**2 + np.exp(z_log_var) - 1 - z_log_var).sum(1)
    expected = np.mean(squared + kl) + 256 * 0.5 * np.log(np.pi)
    assert_allclose(vae.compute_loss(x=images, y_pred=output), expected, rtol=1e-5)


def test_the_vae_learns(images):
    decoder = models.upsampling_decoder((2, 2), (2,), 3, **SMALL)
    vae = models.VAE(models.pooled_encoder((2,), (2,), 3, **SMALL), decoder)
    vae.compile(optimizer=keras.optimizers.Adam(1e-2))
    history = vae.fit(images, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_decoder_and_encoder_with_one_output_are_a_gan(images):
    generator = models.upsampling_decoder((2, 2), (2,), 3, **SMALL)
    gan = models.GAN(generator, models.pooled_discriminator((2,), (2,), **SMALL), output="logits")
    gan.compile()
    before = [w.copy() for w in gan.discriminator.get_weights()]
    gan.generator_step(8)
    for now, then in zip(gan.discriminator.get_weights(), before, strict=True):
        assert_allclose(now, then)
    logs = gan.train_step(tf.constant(images))
    assert np.isfinite([float(v) for v in logs.values()]).all()
    assert gan.sample(3).shape == (3, 16, 16, 1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.pooled_encoder(pools=(1, 2)), "pools has 2 entries; filters has 3"),
        (lambda: models.pooled_encoder(pools=(1, 3, 5)), "cannot be made 15 times smaller"),
        (lambda: models.pooled_encoder(filters=(16, 0, 64)), r"filters\[1\] is 0"),
        (lambda: models.pooled_encoder(latent_dim=0), "latent_dim is 0"),
        (lambda: models.pooled_encoder(initializer="normal"), "he, glorot"),
        (lambda: models.upsampling_decoder(upsamplings=(2,)), "upsamplings has 1 entries"),
        (lambda: models.upsampling_decoder(upsamplings=(3, 3)), "cannot be made 9 times smaller"),
        (lambda: models.pooled_discriminator(kernel_size=0), "kernel_size is 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_vae_and_the_gan_are_made_of_the_same_networks():
    vae, plain, varied = models.pooled_vae(seed=1), models.pooled_gan(seed=1), models.pooled_gan(varied=True)
    assert trainable(vae.encoder, vae.decoder) == 3_209_217
    assert kinds(plain.generator) == kinds(vae.decoder)
    assert kinds(plain.discriminator)[:-1] == kinds(vae.encoder)[:-2]
    assert varied.discriminator.count_params() == plain.discriminator.count_params()
    assert plain.sample(2).shape == (2, 64, 64, 1)


def test_codes_drawn_from_a_vae_scatter_about_their_means_as_it_says():
    x = np.random.default_rng(0).random((4, 64, 64, 1), dtype="float32")
    vae = models.pooled_vae(500, seed=1)
    z_mean, z_log_var = (np.asarray(part) for part in vae.encode(x))
    epsilon = (np.asarray(vae.draw_codes(x, seed=2)) - z_mean) / np.exp(0.5 * z_log_var)
    assert abs(epsilon.mean()) < 0.1 and abs(epsilon.std() - 1) < 0.1
    assert_allclose(vae.draw_codes(x, seed=2), vae.draw_codes(x, seed=2))
