"""Encoders and decoders made of convolutions only: no dense layer anywhere.

Strided convolutions in place of pooling: Springenberg et al., "Striving for Simplicity: The
All Convolutional Net", ICLR 2015 workshop. Feature maps are (height, width, channels); shapes in
comments are those of the defaults.
"""

from __future__ import annotations

from functools import partial

import keras
from keras import layers

from labkit.models import fast_layers
from labkit.models.initializers import initializers
from labkit.models.parts import check_sizes, encoder_model, indexed
from labkit.models.vae import VAE


def conv_encoder(
    filters=(32, 64),
    latent_dim=128,
    *,
    kernel_size=3,
    gaussian=True,
    image_shape=(28, 28, 1),
    initializer="he",
    seed=0,
):
    """Build an encoder: image → convolutions of stride 2 → one code from a last convolution.

    The last kernel is as large as the map that it sees, so its output has one place and
    `latent_dim` channels: 28×28 → 14×14 → 7×7 → 1×1×D for two entries in `filters`.

    Args:
        filters: channels after each convolution of stride 2 ("same" padding, ReLU).
        latent_dim: length D of the code, at least 1.
        kernel_size: height and width of the strided kernels, odd.
        gaussian: True gives two heads, `z_mean` and `z_log_var`, for a VAE; False one
            head, `z`, for a plain autoencoder.
        image_shape: (height, width, channels) of the images in [0, 1].
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, *image_shape) to [(batch, D), (batch, D)] or (batch, D).

    Raises:
        ValueError: a size is not a positive whole number, `kernel_size` is even, or there are no
            `filters`.
    """
    check_filters(filters, latent_dim, kernel_size)
    relu, linear, log_var = initializers(initializer, seed)
    conv = partial(layers.Conv2D, kernel_size=kernel_size, strides=2, padding="same", activation="relu")
    x = h = keras.Input(image_shape, name="x")  # 28×28×1
    for i, count in enumerate(filters, start=1):
        h = conv(count, kernel_initializer=relu(), name=f"conv_{i}")(h)  # 14×14×32, then 7×7×64

    def head(name, initializer):
        code = fast_layers.Conv2D(
            latent_dim, h.shape[1:3], kernel_initializer=initializer, name=f"{name}_map"
        )
        return layers.Reshape((latent_dim,), name=name)(code(h))  # 1×1×128 → 128

    return encoder_model(x, head, gaussian, linear, log_var)


def conv_decoder(
    filters=(64, 32), latent_dim=128, *, kernel_size=3, image_shape=(28, 28, 1), initializer="he", seed=0
):
    """Build a decoder: code → transposed convolutions → logits of the pixels.

    The mirror of `conv_encoder`: 1×1×D → 7×7 → 14×14 → 28×28 for two entries in `filters`.

    Args:
        filters: channels of the maps between code and image, from the code on.
        latent_dim: length D of the code, at least 1.
        kernel_size: height and width of the strided kernels, odd.
        image_shape: (height, width, channels) of the image.
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, D) to logits (batch, *image_shape); a sigmoid gives pixels.

    Raises:
        ValueError: a size is not a positive whole number, `kernel_size` is even, or there are no
            `filters`.
    """
    check_filters(filters, latent_dim, kernel_size)
    relu, linear, _ = initializers(initializer, seed + 1)
    *larger, smallest = map_sizes(image_shape[:2], len(filters))  # 28×28 and 14×14, 7×7
    conv = partial(layers.Conv2DTranspose, kernel_size=kernel_size, strides=2, padding="same")
    relu_conv = partial(conv, activation="relu")
    z = keras.Input((latent_dim,), name="z")  # 128
    h = layers.Reshape((1, 1, latent_dim), name="z_map")(z)  # 1×1×128
    first = fast_layers.Conv2DTranspose(
        filters[0], smallest, activation="relu", kernel_initializer=relu(), name="conv_1"
    )
    h = first(h)  # 7×7×64
    for i, (count, size) in enumerate(zip(filters[1:], larger[:0:-1], strict=True), start=2):
        wider = relu_conv(count, output_padding=padding(h, size), kernel_initializer=relu(), name=f"conv_{i}")
        h = wider(h)  # 14×14×32
    pixels = conv(
        image_shape[2], output_padding=padding(h, larger[0]), kernel_initializer=linear(), name="logits"
    )
    return keras.Model(z, pixels(h), name="decoder")  # 28×28×1


def padding(h, size):
    """What a transposed convolution of stride 2 has to add to reach a map of `size` from the map `h`."""
    # Stride 2 with "same" padding gives 2n, or 2n − 1 where the encoder's map was odd.
    return [target - 2 * n + 1 for n, target in zip(h.shape[1:3], size, strict=True)]


def conv_vae(filters=(32, 64), latent_dim=128, *, kernel_size=3, beta=1.0, initializer="he", seed=0):
    """Build a VAE of convolutions only, for 28×28 images, its decoder the mirror of its encoder.

    The arguments are those of `conv_encoder`, `conv_decoder` and `VAE`; `filters` is given
    from the image on.
    """
    encoder = conv_encoder(filters, latent_dim, kernel_size=kernel_size, initializer=initializer, seed=seed)
    decoder = conv_decoder(
        filters[::-1], latent_dim, kernel_size=kernel_size, initializer=initializer, seed=seed
    )
    return VAE(encoder, decoder, beta=beta, seed=seed)


def map_sizes(size, halvings):
    """(height, width) of the image and of the map after each convolution of stride 2."""
    sizes = [tuple(size)]
    for _ in range(halvings):
        sizes.append(tuple(-(-n // 2) for n in sizes[-1]))  # "same" padding rounds up
    return sizes


def check_filters(filters, latent_dim, kernel_size):
    """Raise ValueError unless there is a filter and all sizes are whole numbers, at least 1."""
    check_sizes(latent_dim=latent_dim, kernel_size=kernel_size, **indexed("filters", filters))
    if not filters:
        raise ValueError("filters is empty; the channels of at least one map were expected")
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}; an odd one was expected, which has a centre")
