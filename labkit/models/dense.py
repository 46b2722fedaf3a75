"""Encoders and decoders made of fully connected layers.

He initialisation before ReLU: He et al., "Delving Deep into Rectifiers", ICCV 2015.
"""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
from keras import layers

# Initialisers of (layers before a ReLU, linear layers, the log-variance head). Under "he"
# the log-variance starts near 0, so that training does not begin with exp() of large
# random numbers; "glorot" is what Keras does when it is told nothing.
SCHEMES = {
    "he": (("fan_in", 2.0), ("fan_avg", 1.0), ("fan_avg", 0.01)),
    "glorot": (("fan_avg", 1.0), ("fan_avg", 1.0), ("fan_avg", 1.0)),
}


def dense_encoder(
    hidden=(256,), latent_dim=2, *, gaussian=True, image_shape=(28, 28, 1), initializer="he", seed=0
):
    """Build an encoder: image → hidden ReLU layers → code.

    Args:
        hidden: units of each hidden layer, from the image on.
        latent_dim: length D of the code, at least 1.
        gaussian: True gives two heads, `z_mean` and `z_log_var`, for a VAE; False one
            head, `z`, for a plain autoencoder.
        image_shape: (height, width, channels) of the images in [0, 1].
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, *image_shape) to [(batch, D), (batch, D)] or (batch, D).

    Raises:
        ValueError: a size is not a positive whole number.
    """
    check_sizes(latent_dim=latent_dim, **{f"hidden[{i}]": units for i, units in enumerate(hidden)})
    relu, linear, log_var = initializers(initializer, seed)
    x = keras.Input(image_shape, name="x")
    h = hidden_layers(layers.Flatten(name="flatten")(x), hidden, relu)
    if gaussian:
        z_mean = layers.Dense(latent_dim, kernel_initializer=linear(), name="z_mean")(h)
        z_log_var = layers.Dense(latent_dim, kernel_initializer=log_var(), name="z_log_var")(h)
        return keras.Model(x, [z_mean, z_log_var], name="encoder")
    z = layers.Dense(latent_dim, kernel_initializer=linear(), name="z")(h)
    return keras.Model(x, z, name="encoder")


def dense_decoder(
    hidden=(256,), latent_dim=2, *, image_shape=(28, 28, 1), mean_image=None, initializer="he", seed=0
):
    """Build a decoder: code → hidden ReLU layers → logits of the pixels.

    Args:
        hidden: units of each hidden layer, from the code on.
        latent_dim: length D of the code, at least 1.
        image_shape: (height, width, channels) of the image.
        mean_image: mean of the training images in [0, 1], of `image_shape`; its logits
            become the output's initial bias, so that training starts from the mean image
            and not from grey. None starts from grey.
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, D) to logits (batch, *image_shape); a sigmoid gives pixels.

    Raises:
        ValueError: a size is not a positive whole number, or `mean_image` does not fit.
    """
    check_sizes(latent_dim=latent_dim, **{f"hidden[{i}]": units for i, units in enumerate(hidden)})
    relu, linear, _ = initializers(initializer, seed + 1)
    z = keras.Input((latent_dim,), name="z")
    h = hidden_layers(z, hidden, relu)
    bias = "zeros" if mean_image is None else logit_bias(mean_image, image_shape)
    pixels = layers.Dense(
        math.prod(image_shape), kernel_initializer=linear(), bias_initializer=bias, name="pixel_logits"
    )
    return keras.Model(z, layers.Reshape(image_shape, name="logits")(pixels(h)), name="decoder")


def hidden_layers(h, hidden, initializer):
    """Append one ReLU layer for each entry of `hidden` to the tensor `h`, shape (batch, n)."""
    for i, units in enumerate(hidden, start=1):
        h = layers.Dense(units, activation="relu", kernel_initializer=initializer(), name=f"hidden_{i}")(h)
    return h


def initializers(scheme, seed):
    """Makers of seeded initialisers for ReLU layers, linear layers and log-variance heads.

    Raises ValueError when `scheme` is neither "he" nor "glorot".
    """
    if scheme not in SCHEMES:
        raise ValueError(f"initializer is {scheme!r}; one of {', '.join(SCHEMES)} was expected")
    seeds = itertools.count(1000 * seed)

    def maker(mode, scale):
        return lambda: keras.initializers.VarianceScaling(
            scale, mode, "truncated_normal" if mode == "fan_in" else "uniform", seed=next(seeds)
        )

    return [maker(mode, scale) for mode, scale in SCHEMES[scheme]]


def logit_bias(mean_image, image_shape):
    """Initialiser that sets an output bias to the log-odds of the mean image."""
    mean_image = np.asarray(mean_image, dtype="float32")
    if mean_image.shape != tuple(image_shape):
        raise ValueError(f"mean_image has shape {mean_image.shape}; the decoder makes {tuple(image_shape)}")
    if not (mean_image.min() >= 0 and mean_image.max() <= 1):
        raise ValueError("mean_image must lie in [0, 1]; divide by 255 first")
    p = np.clip(mean_image.ravel(), 1e-3, 1 - 1e-3)  # (pixels,)
    return keras.initializers.Constant(np.log(p / (1 - p)))


def check_sizes(**sizes):
    """Raise ValueError for the first size that is not a whole number of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name} is {size!r}; a whole number of at least 1 was expected")
