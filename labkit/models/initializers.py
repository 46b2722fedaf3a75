"""Seeded initial weights.

He initialisation before ReLU: He et al., "Delving Deep into Rectifiers", ICCV 2015. N(0, 0.02):
Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", ICLR 2016.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np

# Initialisers of (layers before a ReLU, linear layers, the log-variance head). Under "he"
# the log-variance starts near 0, so that training does not begin with exp() of large
# random numbers; "glorot" is what Keras does when it is told nothing.
SCHEMES = {
    "he": (("fan_in", 2.0), ("fan_avg", 1.0), ("fan_avg", 0.01)),
    "glorot": (("fan_avg", 1.0), ("fan_avg", 1.0), ("fan_avg", 1.0)),
}


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


def gan_initializers(scheme, seed):
    """Makers of seeded initialisers for layers before an activation and for linear layers.

    `scheme` is "normal" for N(0, 0.02), or one of SCHEMES. Raises ValueError for another.
    """
    if scheme != "normal":
        relu, linear, _ = initializers(scheme, seed)
        return relu, linear
    seeds = itertools.count(1000 * seed)

    def maker():
        return keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))

    return maker, maker


def logit_bias(mean_image, image_shape):
    """Initialiser that sets an output bias to the log-odds of the mean image."""
    mean_image = np.asarray(mean_image, dtype="float32")
    if mean_image.shape != tuple(image_shape):
        raise ValueError(f"mean_image has shape {mean_image.shape}; the decoder makes {tuple(image_shape)}")
    if not (mean_image.min() >= 0 and mean_image.max() <= 1):
        raise ValueError("mean_image must lie in [0, 1]; divide by 255 first")
    p = np.clip(mean_image.ravel(), 1e-3, 1 - 1e-3)  # (pixels,)
    return keras.initializers.Constant(np.log(p / (1 - p)))
