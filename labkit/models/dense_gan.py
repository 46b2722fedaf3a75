"""Generators and discriminators made of fully connected layers.

Generators end in tanh, pixels in [-1, 1]; discriminators end in one logit or raw score. Shapes
in comments are those of the defaults.
"""

from __future__ import annotations

import keras
from keras import layers

from labkit.models.dense import dense_decoder
from labkit.models.initializers import gan_initializers
from labkit.models.parts import activation, check_sizes, indexed, normalised


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
    pixels = layers.Activation("tanh", name="pixels")(decoder.output)  # 28×28×1
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
    check_sizes(**indexed("hidden", hidden))
    kernel, linear = gan_initializers(initializer, seed + 1)
    x = keras.Input(image_shape, name="x")  # 28×28×1
    h = layers.Flatten(name="flatten")(x)  # 784
    for i, units in enumerate(hidden, start=1):
        dense = layers.Dense(units, kernel_initializer=kernel(), name=f"hidden_{i}")
        h = normalised(dense, spectral, seed)(h)  # 256, twice
        h = activation(slope, f"act_{i}")(h)
    dense = layers.Dense(1, kernel_initializer=linear(), name="logit")
    logit = normalised(dense, spectral, seed)(h)  # 1
    return keras.Model(x, logit, name="discriminator")
