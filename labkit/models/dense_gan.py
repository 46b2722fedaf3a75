"""Generators and discriminators of fully connected layers, and what all such networks share.

Generators end in tanh, pixels in [-1, 1]; discriminators end in one logit or raw score.
N(0, 0.02) initialisation: Radford et al., "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", ICLR 2016.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
from keras import layers

from labkit.models.dense import check_sizes, dense_decoder, initializers


def dense_generator(
    hidden=(1024, 1024), latent_dim=96, *, image_shape=(28, 28, 1), initializer="glorot", seed=0
):
    """Build a generator: noise → hidden ReLU layers → tanh pixels.

    It is `dense_decoder` with tanh in place of the sigmoid that its logits would get.

    Args:
        hidden: units of each hidden layer, from the noise on.
        latent_dim: length of the noise vector, at least 1.
        image_shape: (height, width, channels) of the image.
        initializer: "glorot" for Keras's defaults, or "he".
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, *image_shape) in [-1, 1].

    Raises:
        ValueError: a size is not a positive whole number.
    """
    decoder = dense_decoder(hidden, latent_dim, image_shape=image_shape, initializer=initializer, seed=seed)
    pixels = layers.Activation("tanh", name="pixels")(decoder.output)
    return keras.Model(decoder.input, pixels, name="generator")


def dense_discriminator(
    hidden=(256, 256), *, image_shape=(28, 28, 1), slope=0.01, spectral=False, initializer="glorot", seed=0
):
    """Build a discriminator: image → hidden LeakyReLU layers → one logit.

    Args:
        hidden: units of each hidden layer, from the image on.
        image_shape: (height, width, channels) of the images in [-1, 1].
        slope: of LeakyReLU for negative inputs; 0 gives ReLU.
        spectral: divide every kernel by its largest singular value (Miyato et al. 2018).
        initializer: "glorot", "he", or "normal" for N(0, 0.02).
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, *image_shape) to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive whole number.
    """
    check_sizes(**{f"hidden[{i}]": units for i, units in enumerate(hidden)})
    kernel, linear = kernels(initializer, seed + 1)
    x = keras.Input(image_shape, name="x")
    h = layers.Flatten(name="flatten")(x)
    for i, units in enumerate(hidden, start=1):
        dense = layers.Dense(units, kernel_initializer=kernel(), name=f"hidden_{i}")
        h = activation(slope, f"act_{i}")(normalised(dense, spectral)(h))
    logit = layers.Dense(1, kernel_initializer=linear(), name="logit")
    model = keras.Model(x, normalised(logit, spectral)(h), name="discriminator")
    return seed_spectral(model, seed)


def kernels(scheme, seed):
    """Makers of seeded initialisers for layers before an activation and for linear layers.

    `scheme` is "normal" for N(0, 0.02), or one of `labkit.models.dense.SCHEMES`. Raises
    ValueError for another.
    """
    if scheme != "normal":
        relu, linear, _ = initializers(scheme, seed)
        return relu, linear
    seeds = itertools.count(1000 * seed)

    def maker():
        return keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))

    return maker, maker


def activation(slope, name):
    """A LeakyReLU layer with that slope for negative inputs, or ReLU if it is 0."""
    return layers.LeakyReLU(slope, name=name) if slope else layers.ReLU(name=name)


def normalised(layer, spectral):
    """The layer itself, or under spectral normalisation if `spectral`."""
    return layers.SpectralNormalization(layer, name=f"{layer.name}_spectral") if spectral else layer


def seed_spectral(model, seed):
    """Seed the power iterations' first vectors, which Keras draws anew in every process."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.SpectralNormalization):
            layer.vector_u.assign(rng.normal(size=layer.vector_u.shape))
    return model
