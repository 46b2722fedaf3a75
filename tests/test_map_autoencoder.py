"""Networks whose code is a map: shapes, counts, and that no kernel covers its map."""

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose

from labkit import losses, models

IMAGES = np.random.default_rng(0).random((6, 28, 28, 1), dtype="float32")
CONVOLUTIONS = layers.Conv2D, layers.Conv2DTranspose


def shapes(network):
    return [tuple(layer.output.shape[1:]) for layer in network.layers]


def test_counts_are_those_of_the_kernels():
    down = (9 * 1 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128)
    deep, head = 9 * 128 * 128 + 128, 9 * 128 * 8 + 8
    assert models.map_encoder(gaussian=False).count_params() == down + deep + head
    assert models.map_encoder(depth=2).count_params() == down + 2 * deep + 2 * head
    up = (9 * 128 * 64 + 64) + (9 * 64 * 32 + 32) + (9 * 32 * 1 + 1)
    assert models.map_decoder().count_params() == (9 * 8 * 128 + 128) + deep + up


def test_no_kernel_covers_its_map_and_there_is_no_dense_layer():
    for network in (models.map_encoder(), models.map_encoder(gaussian=False), models.map_decoder()):
        found = [layer for layer in network.layers if layer.weights]
        assert all(isinstance(layer, CONVOLUTIONS) for layer in found)
        for layer in found:
            slides_over = min(layer.input.shape[1:3]), min(layer.output.shape[1:3])
            assert max(layer.kernel_size) < max(slides_over) and min(slides_over) > 1


@pytest.mark.parametrize("image_shape", [(28, 28, 1), (30, 17, 3), (64, 64, 1)])
@pytest.mark.parametrize("filters", [(3,), (3, 4, 5)])
def test_the_decoder_mirrors_the_encoder_for_any_size(image_shape, filters):
    sides = [-(-n // 2 ** len(filters)) for n in image_shape[:2]]
    options = {"image_shape": image_shape, "latent_dim": 2 * int(np.prod(sides))}
    encoder = models.map_encoder(filters, gaussian=False, **options)
    decoder = models.map_decoder(filters[::-1], **options)
    assert shapes(encoder)[-2] == shapes(decoder)[1] == (*sides, 2)
    assert decoder.output_shape == encoder.input_shape
    assert encoder.output_shape == decoder.input_shape == (None, options["latent_dim"])


def test_a_place_of_the_code_sees_the_whole_image():
    encoder = models.map_encoder(gaussian=False)
    changed = IMAGES.copy()
    changed[:, :7, :7] = 1 - changed[:, :7, :7]  # the part of the map's first place
    moved = np.abs(np.asarray(encoder(changed) - encoder(IMAGES))).reshape(6, 4, 4, 8).max(axis=(0, 3))
    assert np.all(moved > 0)


def test_a_place_of_the_code_changes_the_whole_image():
    decoder = models.map_decoder()
    z = np.random.default_rng(2).standard_normal((50, 4, 4, 8)).astype("float32")
    changed = z.copy()
    changed[:, 0, 0] += 1
    moved = np.abs(decoder(z.reshape(50, -1)) - decoder(changed.reshape(50, -1))).max(axis=(0, 3))
    assert np.mean(moved > 0) > 0.75 and np.all(moved[:20, :20] > 0)


def test_the_log_variance_starts_near_0():
    z_mean, z_log_var = models.map_encoder(seed=3)(IMAGES)
    assert z_mean.shape == z_log_var.shape == (6, 128)
    assert np.std(z_log_var) < 0.3 * np.std(z_mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"latent_dim": 100}, "4×4 places, so a multiple of 16"),
        ({"depth": 0}, "depth is 0"),
        ({"filters": ()}, "filters is empty"),
    ],
)
def test_numbers_that_build_nothing_are_refused(arguments, message):
    for build in (models.map_encoder, models.map_decoder, models.map_vae):
        with pytest.raises(ValueError, match=message):
            build(**arguments)


def test_map_vae_is_a_vae_of_mirrored_networks_with_the_likelihood_that_was_asked_for():
    vae = models.map_vae((3, 4, 5), 16, beta=0.5, seed=2, nll=losses.continuous_bernoulli_nll)
    assert isinstance(vae, models.VAE) and vae.beta == 0.5
    logits, z_mean, z_log_var = y_pred = vae(IMAGES)
    expected = losses.continuous_bernoulli_nll(IMAGES, logits) + 0.5 * losses.kl_divergence(z_mean, z_log_var)
    assert_allclose(vae.compute_loss(x=IMAGES, y_pred=y_pred), np.mean(expected), rtol=1e-5)


def test_decoded_pixels_are_the_mean_that_was_asked_for():
    options = {"nll": losses.continuous_bernoulli_nll, "pixels": losses.continuous_bernoulli_mean}
    vae = models.map_vae((3, 4, 5), 16, **options)
    z = np.random.default_rng(1).standard_normal((2, 16)).astype("float32")
    assert_allclose(vae.decode(z), losses.continuous_bernoulli_mean(vae.decoder(z)), rtol=1e-5)
    plain = models.map_vae((3, 4, 5), 16)
    assert_allclose(plain.decode(z), keras.ops.sigmoid(plain.decoder(z)), rtol=1e-5)
