"""Encoders and decoders made of convolutions only: no dense layer anywhere.

Strided convolutions in place of pooling: Springenberg et al., "Striving for Simplicity: The
All Convolutional Net", ICLR 2015 workshop. Feature maps are (height, width, channels).
"""

from __future__ import annotations

import keras
from keras import layers

from labkit.models.conv import indexed
from labkit.models.dense import check_sizes, initializers
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
    x = h = keras.Input(image_shape, name="x")
    for i, count in enumerate(filters, start=1):
        options = {"strides": 2, "padding": "same", "activation": "relu", "kernel_initializer": relu()}
        h = layers.Conv2D(count, kernel_size, name=f"conv_{i}", **options)(h)

    def head(name, initializer):
        code = layers.Conv2D(latent_dim, h.shape[1:3], kernel_initializer=initializer, name=f"{name}_map")
        return layers.Reshape((latent_dim,), name=name)(code(h))  # 1×1×D → D

    if gaussian:
        return keras.Model(x, [head("z_mean", linear()), head("z_log_var", log_var())], name="encoder")
    return keras.Model(x, head("z", linear()), name="encoder")


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
    *targets, smallest = map_sizes(image_shape[:2], len(filters))
    z = keras.Input((latent_dim,), name="z")
    h = layers.Reshape((1, 1, latent_dim), name="z_map")(z)
    options = {"activation": "relu", "kernel_initializer": relu()}
    h = layers.Conv2DTranspose(filters[0], smallest, name="conv_1", **options)(h)
    for i, (count, target) in enumerate(zip(filters[1:], targets[:0:-1], strict=True), start=2):
        options = {"activation": "relu", "kernel_initializer": relu(), "name": f"conv_{i}"}
        h = enlarge(count, kernel_size, h, target, options)
    options = {"kernel_initializer": linear(), "name": "logits"}
    return keras.Model(z, enlarge(image_shape[2], kernel_size, h, targets[0], options), name="decoder")


def enlarge(count, kernel_size, h, target, options):
    """Append a transposed convolution of stride 2 from the map `h` to one of size `target`."""
    # Stride 2 with "same" padding gives 2n, or 2n − 1 where the encoder's map was odd.
    extra = [size - 2 * n + 1 for n, size in zip(h.shape[1:3], target, strict=True)]
    options |= {"strides": 2, "padding": "same", "output_padding": extra}
    return layers.Conv2DTranspose(count, kernel_size, **options)(h)


def conv_vae(filters=(32, 64), latent_dim=128, *, kernel_size=3, beta=1.0, initializer="he", seed=0):
    """Build a VAE of convolutions only, for 28×28 images, its decoder the mirror of its encoder.

    The arguments are those of `conv_encoder`, `conv_decoder` and `VAE`; `filters` is given
    from the image on.
    """
    options = {"kernel_size": kernel_size, "initializer": initializer, "seed": seed}
    encoder = conv_encoder(filters, latent_dim, **options)
    return VAE(encoder, conv_decoder(filters[::-1], latent_dim, **options), beta=beta, seed=seed)


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
