"""Encoders and decoders that are convolutional in substance: the code itself is a small map.

Every kernel is smaller than the map that it slides over, so each weight serves many places. In
`conv_autoencoder` the last kernel is as large as its map and each of its weights serves one
place, which makes it a dense layer by another name. Shapes in comments are those of the defaults.
"""

from __future__ import annotations

import math
from functools import partial

import keras
from keras import layers

from labkit.models.conv_autoencoder import check_filters, map_sizes, padding
from labkit.models.initializers import initializers
from labkit.models.parts import check_sizes, encoder_model
from labkit.models.vae import VAE


def map_encoder(
    filters=(32, 64, 128),
    latent_dim=128,
    *,
    depth=1,
    kernel_size=3,
    gaussian=True,
    image_shape=(28, 28, 1),
    initializer="he",
    seed=0,
):
    """Build an encoder: image → convolutions of stride 2 → convolutions on the last map → code.

    The code is a map of `latent_dim` numbers, read row by row: 28×28 → 14×14 → 7×7 → 4×4×8.

    Args:
        filters: channels after each convolution of stride 2 ("same" padding, ReLU).
        latent_dim: length D of the code, a multiple of the last map's places.
        depth: convolutions of stride 1 on the last map, at least 1, so that a place of the code
            sees the whole image and not its own part alone.
        kernel_size: height and width of every kernel, odd.
        gaussian, image_shape, initializer, seed: as in `conv_encoder`, images in [0, 1].

    Returns:
        keras.Model from (batch, *image_shape) to [(batch, D), (batch, D)], or (batch, D) if not `gaussian`.

    Raises:
        ValueError: a size is not a positive whole number, `kernel_size` is even, there are no
            `filters`, or the places do not divide `latent_dim`.
    """
    channels = code_channels(filters, latent_dim, kernel_size, image_shape, depth)
    relu, linear, log_var = initializers(initializer, seed)
    conv = partial(layers.Conv2D, kernel_size=kernel_size, padding="same")
    x = h = keras.Input(image_shape, name="x")  # 28×28×1
    for i, count in enumerate(filters, start=1):
        wide = conv(count, strides=2, activation="relu", kernel_initializer=relu(), name=f"conv_{i}")
        h = wide(h)  # 14×14×32, 7×7×64, 4×4×128
    for i in range(1, depth + 1):
        h = conv(filters[-1], activation="relu", kernel_initializer=relu(), name=f"map_{i}")(h)  # 4×4×128

    def head(name, initializer):
        code = conv(channels, kernel_initializer=initializer, name=f"{name}_map")  # 4×4×8
        return layers.Reshape((latent_dim,), name=name)(code(h))  # 128

    return encoder_model(x, head, gaussian, linear, log_var)


def map_decoder(
    filters=(128, 64, 32),
    latent_dim=128,
    *,
    depth=1,
    kernel_size=3,
    image_shape=(28, 28, 1),
    initializer="he",
    seed=0,
):
    """Build a decoder: code → convolutions on its map → transposed convolutions → logits of the pixels.

    The mirror of `map_encoder`: 4×4×8 → 7×7 → 14×14 → 28×28.

    Args:
        filters: channels of the maps between code and image, from the code on.
        depth: convolutions on the code's map after the one that reads it.
        latent_dim, kernel_size, image_shape, initializer, seed: as in `map_encoder`.

    Returns:
        keras.Model from (batch, D) to logits (batch, *image_shape); a sigmoid gives pixels.

    Raises:
        ValueError: as `map_encoder`.
    """
    channels = code_channels(filters, latent_dim, kernel_size, image_shape, depth)
    relu, linear, _ = initializers(initializer, seed + 1)
    *larger, smallest = map_sizes(image_shape[:2], len(filters))  # 28×28, 14×14 and 7×7; 4×4
    conv = partial(layers.Conv2D, kernel_size=kernel_size, padding="same")
    up = partial(layers.Conv2DTranspose, kernel_size=kernel_size, strides=2, padding="same")
    z = keras.Input((latent_dim,), name="z")  # 128
    h = layers.Reshape((*smallest, channels), name="z_map")(z)  # 4×4×8
    for i in range(1, depth + 2):
        h = conv(filters[0], activation="relu", kernel_initializer=relu(), name=f"map_{i}")(h)  # 4×4×128
    for i, (count, size) in enumerate(zip(filters[1:], larger[:0:-1], strict=True), start=1):
        wider = up(count, output_padding=padding(h, size), kernel_initializer=relu(), name=f"conv_{i}")
        h = layers.ReLU(name=f"relu_{i}")(wider(h))  # 7×7×64, 14×14×32
    pixels = up(
        image_shape[2], output_padding=padding(h, larger[0]), kernel_initializer=linear(), name="logits"
    )
    return keras.Model(z, pixels(h), name="decoder")  # 28×28×1


def map_vae(
    filters=(32, 64, 128), latent_dim=128, *, depth=1, beta=1.0, initializer="he", seed=0, **likelihood
):
    """Build a VAE for 28×28 images whose code is a map, its decoder the mirror of its encoder.

    The arguments are those of `map_encoder`, `map_decoder` and `VAE`; `filters` is given from the
    image on, and `likelihood` is `nll` and `pixels`.
    """
    options = {"depth": depth, "seed": seed}
    encoder = map_encoder(filters, latent_dim, **options)
    decoder = map_decoder(filters[::-1], latent_dim, **options)
    return VAE(encoder, decoder, beta=beta, seed=seed, **likelihood)


def code_channels(filters, latent_dim, kernel_size, image_shape, depth):
    """Channels of the code's map. Raises ValueError for sizes that build no network."""
    check_filters(filters, latent_dim, kernel_size)
    check_sizes(depth=depth)
    height, width = map_sizes(image_shape[:2], len(filters))[-1]
    if latent_dim % (places := math.prod((height, width))):
        raise ValueError(
            f"latent_dim is {latent_dim}; the last map has {height}×{width} places, so a multiple of "
            f"{places} was expected"
        )
    return latent_dim // places
