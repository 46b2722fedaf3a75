"""What the builders of networks share: checks of sizes, an encoder's heads, activations, normalisation."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from labkit.models.fast_layers import BatchNormalization
from labkit.models.spectral import SpectralNormalization


def check_sizes(**sizes):
    """Raise ValueError for the first size that is not a whole number of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name} is {size!r}; a whole number of at least 1 was expected")


def indexed(name, sizes):
    """{"name[0]": first, …}, so that an error can say which entry it means."""
    return {f"{name}[{i}]": size for i, size in enumerate(sizes)}


def encoder_model(x, head, gaussian, linear, log_var):
    """The encoder that ends in two heads, `z_mean` and `z_log_var`, or in one, `z`.

    Args:
        x: input of the images.
        head: function of a name and an initialiser → code (batch, D).
        gaussian: whether there are two heads.
        linear, log_var: makers of initialisers, from `initializers`.
    """
    if gaussian:
        return keras.Model(x, [head("z_mean", linear()), head("z_log_var", log_var())], name="encoder")
    return keras.Model(x, head("z", linear()), name="encoder")


def activation(slope, name):
    """A LeakyReLU layer with that slope for negative inputs, or ReLU if it is 0."""
    return layers.LeakyReLU(slope, name=name) if slope else layers.ReLU(name=name)


def activate(h, slope, norm, name):
    """Append an activation to `h`, with batch normalisation before it, after it, or none."""
    if norm == "before":
        h = BatchNormalization(name=f"{name}_norm")(h)
    h = activation(slope, f"{name}_act")(h)
    return BatchNormalization(name=f"{name}_norm")(h) if norm == "after" else h


def normalised(layer, spectral, seed):
    """The layer itself, or under spectral normalisation if `spectral`."""
    return SpectralNormalization(layer, seed, name=f"{layer.name}_spectral") if spectral else layer
