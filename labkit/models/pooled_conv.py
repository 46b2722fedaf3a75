"""Networks of convolutions with batch normalisation that shrink maps by average pooling
and enlarge them by repeating pixels ("nearest" upsampling).

A block of the encoder is convolution – batch normalisation – ReLU – pooling, one of the
decoder batch normalisation – ReLU – convolution – upsampling. Batch normalisation: Ioffe &
Szegedy, ICML 2015. Upsampling before convolutions, against checkerboards: Odena et al.,
"Deconvolution and Checkerboard Artifacts", Distill 2016. Shapes in comments are those of the
defaults.
"""

from __future__ import annotations

import math
from functools import partial

import keras
from keras import layers

from labkit.losses import bernoulli_nll
from labkit.models.fast_layers import BatchNormalization
from labkit.models.gan import GAN
from labkit.models.initializers import gan_initializers, initializers
from labkit.models.parts import check_sizes, encoder_model, indexed
from labkit.models.vae import VAE
from labkit.models.varied import shown_varied


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
    x = keras.Input(image_shape, name="x")  # 64×64×1
    h = pooled_blocks(x, filters, pools, kernel_size, relu, momentum, epsilon)  # 16,384

    def head(name, initializer):
        return layers.Dense(latent_dim, kernel_initializer=initializer, name=name)(h)  # 64

    return encoder_model(x, head, gaussian, linear, log_var)


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
    norm = partial(BatchNormalization, momentum=momentum, epsilon=epsilon)
    conv = partial(layers.Conv2D, kernel_size=kernel_size, padding="same")
    z = keras.Input((latent_dim,), name="z")  # 64
    h = layers.Dense(height * width * filters[0], kernel_initializer=linear(), name="dense")(z)  # 16,384
    h = layers.Reshape((height, width, filters[0]), name="base")(h)  # 16×16×64
    for i, (count, factor) in enumerate(zip(filters[1:], upsamplings, strict=True), start=1):
        h = norm(name=f"norm_{i}")(h)
        h = layers.ReLU(name=f"relu_{i}")(h)
        h = conv(count, kernel_initializer=kernel(), name=f"conv_{i}")(h)  # 16×16×32, then 32×32×16
        if factor > 1:
            h = layers.UpSampling2D(factor, interpolation="nearest", name=f"up_{i}")(h)  # 32×32, then 64×64
    last = len(filters)
    h = norm(name=f"norm_{last}")(h)
    h = layers.ReLU(name=f"relu_{last}")(h)
    logits = conv(image_shape[2], kernel_initializer=linear(), name="logits")(h)  # 64×64×1
    return keras.Model(z, logits, name="decoder")


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
    kernel, linear = gan_initializers(initializer, seed + 1)
    x = keras.Input(image_shape, name="x")  # 64×64×1
    h = pooled_blocks(x, filters, pools, kernel_size, kernel, momentum, epsilon)  # 16,384
    logit = layers.Dense(1, kernel_initializer=linear(), name="logit")(h)  # 1
    return keras.Model(x, logit, name="discriminator")


def pooled_vae(latent_dim=64, *, nll=bernoulli_nll, beta=1.0, seed=0):
    """The `VAE` of `pooled_encoder` and `upsampling_decoder`; the other arguments are those of `VAE`."""
    encoder, decoder = (net(latent_dim=latent_dim, seed=seed) for net in (pooled_encoder, upsampling_decoder))
    return VAE(encoder, decoder, beta=beta, nll=nll, seed=seed)


def pooled_gan(latent_dim=64, *, varied=False, seed=0, **options):
    """The `GAN` whose generator is `upsampling_decoder` and whose discriminator `pooled_discriminator`.

    Args:
        varied: whether the discriminator is `shown_varied` images.
        options: further arguments of `GAN`.
    """
    discriminator = pooled_discriminator(seed=seed)
    discriminator = shown_varied(discriminator, seed=seed) if varied else discriminator
    generator = upsampling_decoder(latent_dim=latent_dim, seed=seed)
    return GAN(generator, discriminator, output="logits", seed=seed, **options)


def pooled_blocks(x, filters, pools, kernel_size, kernel, momentum, epsilon):
    """Append a block for each entry of `filters` to the images `x`; flat features, (batch, n)."""
    check_sizes(kernel_size=kernel_size, **indexed("filters", filters), **indexed("pools", pools))
    if len(pools) != len(filters):
        raise ValueError(f"pools has {len(pools)} entries; filters has {len(filters)}, one for each is due")
    shrunk(x.shape[1:], math.prod(pools))
    norm = partial(BatchNormalization, momentum=momentum, epsilon=epsilon)
    conv = partial(layers.Conv2D, kernel_size=kernel_size, padding="same")
    h = x
    for i, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        h = conv(count, kernel_initializer=kernel(), name=f"conv_{i}")(h)  # 64×64×16, 64×64×32, 32×32×64
        h = norm(name=f"norm_{i}")(h)
        h = layers.ReLU(name=f"relu_{i}")(h)
        if pool > 1:
            h = layers.AveragePooling2D(pool, name=f"pool_{i}")(h)  # –, 32×32×32, 16×16×64
    return layers.Flatten(name="flatten")(h)  # 16,384


def shrunk(image_shape, factor):
    """Height and width of an image made `factor` times smaller. Raises ValueError if that is no whole."""
    height, width = image_shape[:2]
    if height % factor or width % factor:
        raise ValueError(f"images of {height}×{width} cannot be made {factor} times smaller without a rest")
    return height // factor, width // factor
