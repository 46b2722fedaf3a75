"""A discriminator that is shown varied images, and what a discriminator says in training.

DiffAugment: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS
2020. Real and fake images are varied alike, so that varying cannot tell them apart, and
gradients flow through it to the generator.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from labkit.images import check_images

LIMITS = {"brightness": 2.0, "contrast": 1.0, "translation": 1.0, "cutout": 1.0}  # at most


class DiffAugment(keras.layers.Layer):
    """Varies each image at random in training; otherwise leaves it as it is.

    Args:
        brightness: largest change, of pixels in [-1, 1], that is added to a whole image.
        contrast: largest change of the distance from the image's own mean, as a share.
        translation: largest move in either direction, as a share of the side; whole pixels.
        cutout: side of a square that is made grey (0), as a share of the image's.
        seed: seed of the draws.

    All is drawn uniformly, for each image on its own; what comes in by a move is grey.

    Raises:
        ValueError: a limit that is negative or above that of LIMITS.
    """

    def __init__(self, brightness=0.5, contrast=0.5, translation=0.125, cutout=0.5, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.limits = {
            "brightness": brightness,
            "contrast": contrast,
            "translation": translation,
            "cutout": cutout,
        }
        for name, value in self.limits.items():
            if not 0 <= value <= LIMITS[name]:
                raise ValueError(f"{name} is {value}; a number from 0 to {LIMITS[name]:g} was expected")
        self.seed, self.seed_generator = seed, keras.random.SeedGenerator(seed)

    def get_config(self):
        """Limits and seed."""
        return {**super().get_config(), **self.limits, "seed": self.seed}

    def call(self, x, training=False):
        """Images (batch, h, w, channels) in [-1, 1], each varied if `training`."""
        if not training:
            return x
        draws = keras.random.uniform((6, ops.shape(x)[0], 1, 1, 1), -1.0, 1.0, seed=self.seed_generator)
        x = x + self.limits["brightness"] * draws[0]
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        x = x + (x - mean) * self.limits["contrast"] * draws[1]
        return self.cut(self.move(x, draws[2, :, 0, 0, 0], draws[3, :, 0, 0, 0]), draws[4], draws[5])

    def move(self, x, right, down):
        """Each image moved by shares (batch,) in [-1, 1] of the largest move."""
        height, width = x.shape[1:3]
        most = self.limits["translation"]
        to_right, to_below = ops.round(most * width * right), ops.round(most * height * down)
        one, none = ops.ones_like(right), ops.zeros_like(right)
        maps = ops.stack([one, none, -to_right, none, one, -to_below, none, none], axis=1)  # (batch, 8)
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=x, transforms=maps, output_shape=(height, width), fill_value=0.0,
            interpolation="NEAREST", fill_mode="CONSTANT",
        )  # fmt: skip

    def cut(self, x, right, down):
        """Each image with a grey square about a place given by shares (batch, 1, 1, 1) in [-1, 1]."""
        height, width = x.shape[1:3]
        rows = ops.reshape(ops.arange(height, dtype=x.dtype), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(width, dtype=x.dtype), (1, 1, -1, 1))
        half = 0.5 * self.limits["cutout"]
        beside = ops.abs(columns - 0.5 * (width - 1) * (1.0 + right)) > half * width
        above = ops.abs(rows - 0.5 * (height - 1) * (1.0 + down)) > half * height
        return x * ops.cast(ops.logical_or(beside, above), x.dtype)


def shown_varied(discriminator, seed=0, **limits):
    """The discriminator behind a `DiffAugment`: images (batch, *image) in [-1, 1] → logits (batch, 1).

    The arguments `seed` and `limits` are those of `DiffAugment`; the weights are the
    discriminator's own.
    """
    x = keras.Input(discriminator.input_shape[1:], name="x")
    varied = DiffAugment(seed=seed, **limits, name="varied")(x)
    return keras.Model(x, discriminator(varied), name="varied_discriminator")


def said_in_training(gan, x, size):
    """D(x) in (0, 1) of images as a training step would meet them, NumPy (n,).

    Batch normalisation takes the statistics of batches of `size` images, and a discriminator
    that varies its images varies these; afterwards it is as it was before. Images that do not
    fill a last batch are left out.

    Args:
        gan: a `GAN` whose discriminator's output is a logit.
        x: images in [0, 1], shape (m, *image), m at least `size`, in an order without pattern.
        size: images of a batch.

    Raises:
        ValueError: images of another shape or range, fewer than `size`.
    """
    check_images(x, gan.discriminator.input_shape[1:])
    if not 1 <= size <= len(x):
        raise ValueError(f"there are {len(x)} images for batches of {size}")
    kept = [ops.copy(weight) for weight in gan.discriminator.non_trainable_weights]
    logits = [
        gan.discriminator(2.0 * np.asarray(x[i : i + size], "float32") - 1.0, training=True)
        for i in range(0, len(x) - size + 1, size)
    ]
    for weight, value in zip(gan.discriminator.non_trainable_weights, kept, strict=True):
        weight.assign(value)
    return ops.convert_to_numpy(ops.sigmoid(ops.concatenate(logits)))[:, 0]
