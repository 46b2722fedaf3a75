"""Generators and discriminators made of convolutions.

Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks" (DCGAN), ICLR 2016. Feature maps are (height, width, channels); shapes in
comments are those of the defaults.
"""

from __future__ import annotations

import math
from functools import partial

import keras
from keras import layers

from labkit.models.fast_layers import Dropout
from labkit.models.initializers import gan_initializers
from labkit.models.parts import activate, activation, check_sizes, indexed, normalised


def conv_generator(
    latent_dim=100,
    *,
    dense=(),
    base=(7, 7, 256),
    filters=(128, 64),
    strides=(1, 2, 2),
    kernel_size=5,
    channels=1,
    slope=0.3,
    norm="before",
    initializer="normal",
    output="tanh",
    seed=0,
):
    """Build a generator: noise → dense layers → `base` map → transposed convolutions → tanh.

    Args:
        latent_dim: length of the noise vector, at least 1.
        dense: units of the dense layers between the noise and the base map.
        base: (height, width, channels) of the map that a last dense layer makes.
        filters: channels after each transposed convolution but the last.
        strides: stride of each transposed convolution, one more than `filters`; the
            image's height is base[0] times their product ("same" padding).
        kernel_size: height and width of every kernel.
        channels: of the image.
        slope: of LeakyReLU for negative inputs; 0 gives ReLU.
        norm: batch normalisation "before" the activation, on layers without bias (which
            it would undo), "after" the activation, or None. Never at the output.
        initializer: "normal" for N(0, 0.02), "glorot" for Keras's defaults, or "he".
        output: "tanh", or "logits" of pixels, as a VAE's decoder makes.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels), in [-1, 1]
        unless they are logits.

    Raises:
        ValueError: a size is not a positive whole number, `strides` has not one entry more
            than `filters`, or `norm` or `output` is unknown.
    """
    check_sizes(latent_dim=latent_dim, kernel_size=kernel_size, channels=channels, **indexed("dense", dense))
    check_maps(base, filters, strides)
    if norm not in ("before", "after", None):
        raise ValueError(f"norm is {norm!r}; 'before', 'after' or None was expected")
    if output not in ("tanh", "logits"):
        raise ValueError(f"output is {output!r}; 'tanh' or 'logits' was expected")
    kernel, linear = gan_initializers(initializer, seed)
    bias = norm != "before"
    conv = partial(layers.Conv2DTranspose, kernel_size=kernel_size, padding="same", use_bias=bias)
    z = h = keras.Input((latent_dim,), name="z")  # 100
    for i, units in enumerate((*dense, math.prod(base)), start=1):
        h = layers.Dense(units, use_bias=bias, kernel_initializer=kernel(), name=f"dense_{i}")(h)  # 12,544
        h = activate(h, slope, norm, f"dense_{i}")
    h = layers.Reshape(base, name="base")(h)  # 7×7×256
    for i, (count, stride) in enumerate(zip(filters, strides[:-1], strict=True), start=1):
        h = conv(count, strides=stride, kernel_initializer=kernel(), name=f"conv_{i}")(h)  # 7×7×128, 14×14×64
        h = activate(h, slope, norm, f"conv_{i}")
    pixels = conv(
        channels,
        strides=strides[-1],
        kernel_initializer=linear(),
        activation="tanh" if output == "tanh" else None,
        name="pixels",
    )
    return keras.Model(z, pixels(h), name="generator")  # 28×28×1


def check_maps(base, filters, strides):
    """Raise ValueError unless all are whole numbers and `strides` has one entry more than `filters`."""
    check_sizes(**indexed("base", base), **indexed("filters", filters), **indexed("strides", strides))
    if len(strides) != len(filters) + 1:
        raise ValueError(
            f"strides has {len(strides)} entries; filters has {len(filters)}, so one more is due"
        )


def conv_discriminator(
    image_shape=(28, 28, 1),
    *,
    filters=(64, 128),
    kernel_size=5,
    strides=2,
    padding="same",
    pool=1,
    dense=(),
    slope=0.3,
    dropout=0.3,
    n_classes=0,
    spectral=False,
    initializer="normal",
    seed=0,
):
    """Build a discriminator: image → convolutions → dense layers → one logit.

    Args:
        image_shape: (height, width, channels) of the images in [-1, 1].
        filters: channels after each convolution.
        kernel_size, strides, padding: of every convolution.
        pool: side of the max-pooling after each convolution; 1 for none.
        dense: units of the dense layers between the last map and the logit.
        slope: of LeakyReLU for negative inputs; 0 gives ReLU.
        dropout: share of a map's values dropped after each convolution, in [0, 1).
        n_classes: 0, or how many classes a conditional GAN has: the input is then the flattened image
            and its label, one-hot, and the logit has a further term, the inner product of the
            last features with a learned vector of the class.
        spectral: divide every kernel by its largest singular value (Miyato et al. 2018).
        initializer: "normal" for N(0, 0.02), "glorot" for Keras's defaults, or "he".
        seed: seed of the initial weights and of dropout.

    Returns:
        keras.Model from (batch, *image_shape), or (batch, pixels + n_classes), to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive whole number, or the image too small.

    The term of the class: Miyato & Koyama, "cGANs with Projection Discriminator", ICLR 2018.
    """
    check_sizes(kernel_size=kernel_size, strides=strides, pool=pool)
    check_sizes(**indexed("filters", filters), **indexed("dense", dense))
    kernel, linear = gan_initializers(initializer, seed + 1)
    conv = partial(layers.Conv2D, kernel_size=kernel_size, strides=strides, padding=padding)
    x, h, label = discriminator_input(image_shape, n_classes)  # 28×28×1
    for i, count in enumerate(filters, start=1):
        layer = conv(count, kernel_initializer=kernel(), name=f"conv_{i}")
        h = normalised(layer, spectral, seed)(h)  # 14×14×64, then 7×7×128
        h = activation(slope, f"conv_{i}_act")(h)
        if pool > 1:
            h = layers.MaxPooling2D(pool, name=f"pool_{i}")(h)
        if dropout:
            h = Dropout(dropout, seed=1000 * seed + i, name=f"dropout_{i}")(h)
    h = layers.Flatten(name="flatten")(h)  # 6,272
    for i, units in enumerate(dense, start=1):
        layer = layers.Dense(units, kernel_initializer=kernel(), name=f"dense_{i}")
        h = normalised(layer, spectral, seed)(h)
        h = activation(slope, f"dense_{i}_act")(h)
    layer = layers.Dense(1, kernel_initializer=linear(), name="logit")
    logit = normalised(layer, spectral, seed)(h)  # 1
    if n_classes:
        layer = layers.Dense(h.shape[1], use_bias=False, kernel_initializer=linear(), name="class")
        of_class = normalised(layer, spectral, seed)(label)
        logit = layers.Add(name="sum")([logit, layers.Dot(1, name="projection")([h, of_class])])
    return keras.Model(x, logit, name="discriminator")


def discriminator_input(image_shape, n_classes):
    """A discriminator's input, the image in it and, if there are classes, the one-hot label."""
    if not n_classes:
        x = keras.Input(image_shape, name="x")
        return x, x, None
    check_sizes(n_classes=n_classes)
    pixels = math.prod(image_shape)
    x = keras.Input((pixels + n_classes,), name="x_and_label")
    return x, layers.Reshape(image_shape, name="x")(x[:, :pixels]), x[:, pixels:]
