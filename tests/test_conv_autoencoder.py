"""Convolutional encoders and decoders: shapes, counts, no dense layer; what models refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import losses, models

IMAGES = np.random.default_rng(0).random((6, 28, 28, 1), dtype="float32")


def shapes(network):
    return [tuple(layer.output.shape[1:]) for layer in network.layers]


def autoencoder(latent_dim=4):
    encoder = models.conv_encoder((3, 5), latent_dim, gaussian=False)
    return models.Autoencoder(encoder, models.conv_decoder((5, 3), latent_dim))


def test_counts_are_those_of_the_kernels():
    strided = (9 * 1 * 32 + 32) + (9 * 32 * 64 + 64)
    head = 7 * 7 * 64 * 128 + 128
    assert models.conv_encoder(gaussian=False).count_params() == strided + head
    assert models.conv_encoder().count_params() == strided + 2 * head
    back = (7 * 7 * 128 * 64 + 64) + (9 * 64 * 32 + 32) + (9 * 32 * 1 + 1)
    assert models.conv_decoder().count_params() == back


def test_an_image_becomes_one_place_and_an_image_again():
    assert shapes(models.conv_encoder(gaussian=False)) == [
        (28, 28, 1), (14, 14, 32), (7, 7, 64), (1, 1, 128), (128,)
    ]  # fmt: skip
    assert shapes(models.conv_decoder()) == [
        (128,), (1, 1, 128), (7, 7, 64), (14, 14, 32), (28, 28, 1)
    ]  # fmt: skip


def test_there_is_no_dense_layer():
    networks = [models.conv_encoder(), models.conv_encoder(gaussian=False), models.conv_decoder()]
    kinds = {type(layer).__name__ for network in networks for layer in network.layers}
    assert kinds == {"InputLayer", "Conv2D", "Conv2DTranspose", "Reshape"}


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (30, 17, 3), (64, 64, 1), (5, 5, 1)])
@pytest.mark.parametrize("filters", [(3,), (3, 4, 5)])
@pytest.mark.parametrize("kernel_size", [1, 5])
def test_the_decoder_mirrors_the_encoder_for_any_size(image_shape, filters, kernel_size):
    options = {"image_shape": image_shape, "kernel_size": kernel_size}
    there = shapes(models.conv_encoder(filters, 6, gaussian=False, **options))
    back = shapes(models.conv_decoder(filters[::-1], 6, **options))
    assert back == there[::-1]


def test_the_two_heads_see_the_same_maps_and_log_variance_starts_near_0():
    z_mean, z_log_var = models.conv_encoder(seed=3)(IMAGES)
    assert z_mean.shape == z_log_var.shape == (6, 128)
    assert np.std(z_log_var) < 0.3 * np.std(z_mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"filters": (8, 2.5)}, r"filters\[1\] is 2.5"),
        ({"filters": ()}, "filters is empty"),
        ({"kernel_size": 4}, "kernel_size is 4; an odd one"),
        ({"initializer": "xavier"}, "he, glorot"),
    ],
)
def test_numbers_that_build_nothing_are_refused(arguments, message):
    for build in (models.conv_encoder, models.conv_decoder, models.conv_vae):
        with pytest.raises(ValueError, match=message):
            build(**arguments)


def test_conv_vae_is_a_vae_of_mirrored_networks():
    vae = models.conv_vae((3, 5), 4, beta=0.5, seed=2)
    assert isinstance(vae, models.VAE) and vae.beta == 0.5
    assert shapes(vae.decoder)[2:] == [(7, 7, 5), (14, 14, 3), (28, 28, 1)]
    logits, z_mean, z_log_var = y_pred = vae(IMAGES)
    expected = np.mean(losses.bernoulli_nll(IMAGES, logits) + 0.5 * losses.kl_divergence(z_mean, z_log_var))
    assert_allclose(vae.compute_loss(x=IMAGES, y_pred=y_pred), expected, rtol=1e-5)


def test_a_convolutional_autoencoder_learns():
    model = autoencoder()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    history = model.fit(IMAGES, epochs=6, batch_size=6, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.fixture(params=[autoencoder, lambda: models.conv_vae((3, 5), 4)], ids=["autoencoder", "vae"])
def model(request):
    return request.param()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES * 255, r"lie in .*; \[0, 1\] was expected"),
        (IMAGES - 0.5, r"lie in \[-0.5"),
        (np.full_like(IMAGES, np.nan), "NaN or infinite"),
        (tf.constant(IMAGES) * 2, "lie in"),
        (IMAGES[:, :20], r"shape \(6, 20, 28, 1\); \(n, 28, 28, 1\) was expected"),
        (IMAGES[..., 0], r"shape \(6, 28, 28\)"),
        (IMAGES[0], r"one image .* x\[None\]"),
    ],
)
def test_images_of_another_range_or_shape_are_refused(model, images, message):
    for use in (model.encode, model.reconstruct, model.check_data):
        with pytest.raises(ValueError, match=message):
            use(images)


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((2, 5), "float32"), r"shape \(2, 5\); \(batch, 4\) was expected"),
        (tf.zeros((2, 3)), r"shape \(2, 3\)"),
        (np.zeros(4, "float32"), r"z\[None\]"),
    ],
)
def test_codes_of_another_length_are_refused(model, z, message):
    with pytest.raises(ValueError, match=message):
        model.decode(z)


def test_a_compiled_function_may_encode(model):
    encode = tf.function(lambda x: keras.tree.flatten(model.encode(x))[0])
    assert_allclose(encode(IMAGES), keras.tree.flatten(model.encode(IMAGES))[0], atol=1e-5)


@pytest.mark.parametrize("size", [1, 4, 6, 100])
def test_in_batches_gives_what_all_at_once_gives(size):
    x = np.arange(12.0).reshape(6, 2)
    doubled, row_sums = models.in_batches(lambda rows: (2 * rows, tf.reduce_sum(rows, axis=1)), x, size)
    assert_array_equal(doubled, 2 * x)
    assert_array_equal(row_sums, x.sum(axis=1))
    assert isinstance(row_sums, np.ndarray)


def test_in_batches_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 rows"):
        models.in_batches(np.negative, np.zeros((0, 2)))
    with pytest.raises(ValueError, match="at least 1"):
        models.in_batches(np.negative, np.zeros((3, 2)), size=0)
