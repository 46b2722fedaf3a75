"""Networks of convolutions with batch normalisation that shrink maps by average pooling
and enlarge them by repeating pixels ("nearest" upsampling).

A block of the encoder is convolution – batch normalisation – ReLU – pooling, one of the
decoder batch normalisation – ReLU – convolution – upsampling. Batch normalisation: Ioffe &
Szegedy, ICML 2015. Upsampling before convolutions, against checkerboards: Odena et al.,
"Deconvolution and Checkerboard Artifacts", Distill 2016.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from labkit.models.conv import indexed
from labkit.models.dense import check_sizes, initializers
from labkit.models.dense_gan import kernels


def pooled_encoder(
    filters=(16, 32, 64),
    pools=(1, 2, 2),
    latent_dim=64,
    *,
    gaussian=True,
    image_shape=(64, 64, 1),
    kernel_size=3,
    momentum=0.9,
    epsilon=1e-5,
    initializer="he",
    seed=0,
):
    """Build an encoder: image → blocks of convolution and pooling → code.

    Args:
        filters: channels after each block's convolution ("same" padding, stride 1).
        pools: side of the average pooling that ends each block; 1 for none.
        latent_dim: length D of the code, at least 1.
        gaussian: True gives two heads, `z_mean` and `z_log_var`; together they are one dense
            layer of 2·D units, split. False gives one head, `z`, for a plain autoencoder.
        image_shape: (height, width, channels) of the images in [0, 1].
        kernel_size: height and width of every kernel.
        momentum: of batch normalisation's running mean and variance, the weight of the old
            value. PyTorch's momentum is the weight of the new one: 0.1 there is 0.9 here.
        epsilon: what batch normalisation adds to the variance.
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, *image_shape) to [(batch, D), (batch, D)] or (batch, D).

    Raises:
        ValueError: a size is not a positive whole number, or the pools do not divide the image.
    """
    check_sizes(latent_dim=latent_dim)
    relu, linear, log_var = initializers(initializer, seed)
    x = keras.Input(image_shape, name="x")
    h = pooled_blocks(x, filters, pools, kernel_size, relu, {"momentum": momentum, "epsilon": epsilon})
    if gaussian:
        z_mean = layers.Dense(latent_dim, kernel_initializer=linear(), name="z_mean")(h)
        z_log_var = layers.Dense(latent_dim, kernel_initializer=log_var(), name="z_log_var")(h)
        return keras.Model(x, [z_mean, z_log_var], name="encoder")
    z = layers.Dense(latent_dim, kernel_initializer=linear(), name="z")(h)
    return keras.Model(x, z, name="encoder")


def upsampling_decoder(
    filters=(64, 32, 16),
    upsamplings=(2, 2),
    latent_dim=64,
    *,
    image_shape=(64, 64, 1),
    kernel_size=3,
    momentum=0.9,
    epsilon=1e-5,
    initializer="he",
    seed=0,
):
    """Build a decoder, or a generator: code → dense layer → blocks that enlarge → logits.

    Args:
        filters: channels of the map that the dense layer makes, then those after each
            block but the last, whose convolution makes the image's channels.
        upsamplings: how many times each of these blocks but the last repeats a pixel in
            either direction; one less than `filters`.
        latent_dim, image_shape, kernel_size, momentum, epsilon, initializer, seed: as in
            `pooled_encoder`.

    Returns:
        keras.Model from (batch, D) to logits (batch, *image_shape); a sigmoid gives pixels.

    Raises:
        ValueError: a size is not a positive whole number, `upsamplings` has not one entry
            less than `filters`, or their product does not divide the image.
    """
    check_sizes(latent_dim=latent_dim, kernel_size=kernel_size)
    check_sizes(**indexed("filters", filters), **indexed("upsamplings", upsamplings))
    if len(upsamplings) != len(filters) - 1:
        raise ValueError(
            f"upsamplings has {len(upsamplings)} entries; filters has {len(filters)}, so one less is due"
        )
    height, width = shrunk(image_shape, math.prod(upsamplings))
    kernel, linear, _ = initializers(initializer, seed + 1)
    z = keras.Input((latent_dim,), name="z")
    h = layers.Dense(height * width * filters[0], kernel_initializer=linear(), name="dense")(z)
    h = layers.Reshape((height, width, filters[0]), name="base")(h)
    for i, count in enumerate((*filters[1:], image_shape[2]), start=1):
        last = i == len(filters)
        h = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"norm_{i}")(h)
        h = layers.ReLU(name=f"relu_{i}")(h)
        options = {"padding": "same", "kernel_initializer": linear() if last else kernel()}
        h = layers.Conv2D(count, kernel_size, name="logits" if last else f"conv_{i}", **options)(h)
        if not last and upsamplings[i - 1] > 1:
            h = layers.UpSampling2D(upsamplings[i - 1], interpolation="nearest", name=f"up_{i}")(h)
    return keras.Model(z, h, name="decoder")


def pooled_discriminator(
    filters=(16, 32, 64),
    pools=(1, 2, 2),
    *,
    image_shape=(64, 64, 1),
    kernel_size=3,
    momentum=0.9,
    epsilon=1e-5,
    initializer="he",
    seed=0,
):
    """Build a discriminator: the blocks of `pooled_encoder`, then one logit.

    Args:
        initializer: "he", "glorot" for Keras's defaults, or "normal" for N(0, 0.02).
        filters, pools, image_shape, kernel_size, momentum, epsilon, seed: as in
            `pooled_encoder`, with images in [-1, 1].

    Returns:
        keras.Model from (batch, *image_shape) to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive whole number, or the pools do not divide the image.
    """
    kernel, linear = kernels(initializer, seed + 1)
    x = keras.Input(image_shape, name="x")
    h = pooled_blocks(x, filters, pools, kernel_size, kernel, {"momentum": momentum, "epsilon": epsilon})
    logit = layers.Dense(1, kernel_initializer=linear(), name="logit")(h)
    return keras.Model(x, logit, name="discriminator")


def pooled_blocks(x, filters, pools, kernel_size, kernel, norm):
    """Append a block for each entry of `filters` to the images `x`; flat features, (batch, n)."""
    check_sizes(kernel_size=kernel_size, **indexed("filters", filters), **indexed("pools", pools))
    if len(pools) != len(filters):
        raise ValueError(f"pools has {len(pools)} entries; filters has {len(filters)}, one for each is due")
    shrunk(x.shape[1:], math.prod(pools))
    h = x
    for i, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        conv = layers.Conv2D(
            count, kernel_size, padding="same", kernel_initializer=kernel(), name=f"conv_{i}"
        )
        h = layers.BatchNormalization(name=f"norm_{i}", **norm)(conv(h))
        h = layers.ReLU(name=f"relu_{i}")(h)
        if pool > 1:
            h = layers.AveragePooling2D(pool, name=f"pool_{i}")(h)
    return layers.Flatten(name="flatten")(h)


def shrunk(image_shape, factor):
    """Height and width of an image made `factor` times smaller. Raises ValueError if that is no whole."""
    height, width = image_shape[:2]
    if height % factor or width % factor:
        raise ValueError(f"images of {height}×{width} cannot be made {factor} times smaller without a rest")
    return height // factor, width // factor
