"""Spectral normalisation is that of Miyato et al. 2018, gradient included."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from labkit import models, training
from labkit.models.spectral import SpectralNormalization
from labkit.training import roads

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((16, 6, 6, 3)).astype("float32")
LAYERS = [
    lambda: layers.Dense(5, bias_initializer="ones"),
    lambda: layers.Conv2D(5, 3, strides=2, padding="same", bias_initializer="ones"),
    lambda: layers.Conv2D(5, 3, use_bias=False),
]
each_layer = pytest.mark.parametrize("make", LAYERS, ids=["dense", "conv", "no bias"])


def converged(make, passes=300):
    """A layer under spectral normalisation, built on the images, its u at the singular vector."""
    spectral = SpectralNormalization(make())
    spectral.build(IMAGES.shape)
    for _ in range(passes):
        spectral(IMAGES, training=True)
    return spectral


def flat(kernel):
    return np.reshape(kernel, (-1, kernel.shape[-1])).astype("float64")


@each_layer
def test_the_output_is_that_of_the_kernel_over_its_largest_singular_value(make):
    spectral = converged(make)
    plain = make()
    plain.build(IMAGES.shape)
    kernel = np.asarray(spectral.layer.kernel)
    plain.set_weights([kernel / np.linalg.norm(flat(kernel), ord=2), *spectral.layer.get_weights()[1:]])
    assert_allclose(spectral(IMAGES), plain(IMAGES), rtol=1e-3, atol=1e-4)


@each_layer
def test_the_gradient_is_that_of_the_paper_s_equation(make):
    """∂L/∂W = (∂L/∂W̄ − ⟨∂L/∂W̄, W̄⟩ u vᵀ) / σ, with W̄ = W / σ."""
    spectral = converged(make)
    kernel, weights = np.asarray(spectral.layer.kernel), tf.constant(RNG.standard_normal(5), tf.float32)
    loss_of = lambda output: tf.reduce_sum(tf.square(output) * weights)  # noqa: E731
    with tf.GradientTape() as tape:
        loss = loss_of(spectral(IMAGES, training=False))
    found = flat(tape.gradient(loss, spectral.layer.kernel.value).numpy())
    u, sigma, v = (part[..., 0] for part in (lambda u, s, v: (u, s, v.T))(*np.linalg.svd(flat(kernel))))
    plain = make()
    plain.build(IMAGES.shape)
    plain.set_weights([kernel / sigma, *spectral.layer.get_weights()[1:]])
    with tf.GradientTape() as tape:
        loss = loss_of(plain(IMAGES))
    slope, bar = flat(tape.gradient(loss, plain.kernel.value).numpy()), flat(kernel) / sigma
    expected = (slope - np.sum(slope * bar) * np.outer(u, v)) / sigma
    assert_allclose(found, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())


def test_scaling_the_kernel_changes_nothing():
    """W̄ does not depend on W's length, so the gradient has no part along W: no step can undo it."""
    spectral = converged(LAYERS[0])
    before = np.asarray(spectral(IMAGES))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(spectral(IMAGES)))
    kernel = spectral.layer.kernel
    along = tf.reduce_sum(tape.gradient(loss, kernel.value) * kernel).numpy()
    assert_allclose(along, 0.0, atol=1e-3 * abs(float(loss)) + 1e-3)
    kernel.assign(3.0 * kernel)
    assert_allclose(spectral(IMAGES), before, rtol=1e-4, atol=1e-5)


def test_a_pass_turns_u_in_training_alone_and_never_overwrites_the_kernel():
    spectral = SpectralNormalization(layers.Dense(5), seed=3)
    spectral.build(IMAGES.shape)
    kernel, u = np.asarray(spectral.layer.kernel), np.asarray(spectral.u)
    assert_allclose(np.linalg.norm(u), 1.0, rtol=1e-5)
    spectral(IMAGES, training=False)
    assert_array_equal(spectral.u, u)
    spectral(IMAGES, training=True)
    assert np.abs(np.asarray(spectral.u) - u).max() > 1e-3
    assert_array_equal(spectral.layer.kernel, kernel)


def test_the_seed_is_that_of_u():
    first, again, other = (SpectralNormalization(layers.Dense(5), seed=seed) for seed in (1, 1, 2))
    for layer in (first, again, other):
        layer.build(IMAGES.shape)
    assert_array_equal(first.u, again.u)
    assert np.abs(np.asarray(first.u) - np.asarray(other.u)).max() > 1e-3


def test_a_discriminator_s_slope_is_at_most_1():
    """Each layer of it has slope 1 at most, and so has LeakyReLU."""
    network = models.dense_discriminator((32, 32), image_shape=(8,), spectral=True)
    x = tf.constant(RNG.standard_normal((50, 8)), tf.float32)
    for _ in range(100):
        network(x, training=True)
    assert np.sqrt(np.max(models.squared_slope(network, x))) <= 1.01


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Dense(2, activation="relu"), "has an activation"),
        (layers.Dropout(0.5), "has no kernel"),
    ],
)
def test_layers_that_cannot_be_normalised_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        SpectralNormalization(layer).build(IMAGES.shape)


def test_it_is_rebuilt_from_its_configuration():
    network = models.dense_discriminator((4,), image_shape=(6,), spectral=True, seed=5)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    x = RNG.standard_normal((3, 6)).astype("float32")
    assert_allclose(copy(x), network(x), rtol=1e-5)


def test_it_trains_under_xla(monkeypatch):
    monkeypatch.setattr(roads, "XLA_PAYS_FROM_IMAGES", 0)
    sizes = {"hidden": (8,), "image_shape": (6, 6, 1)}
    networks = (
        models.dense_generator(latent_dim=2, **sizes),
        models.dense_discriminator(spectral=True, **sizes),
    )
    gan = models.GAN(*networks, ema_decay=0.9)
    gan.compile()
    before = [np.array(weight) for weight in gan.discriminator.weights]
    history = training.fit(gan, RNG.random((64, 6, 6, 1), dtype="float32"), epochs=2, batch_size=8)
    assert history.road.startswith("XLA") and np.isfinite([*history["d_loss"], *history["g_loss"]]).all()
    assert all(np.any(now != then) for now, then in zip(gan.discriminator.weights, before, strict=True))
