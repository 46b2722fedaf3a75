"""Weights of a dense network as arrays, for what computes it without Keras."""

from __future__ import annotations

import numpy as np
from keras import layers

SHAPING = (layers.InputLayer, layers.Reshape, layers.Flatten, layers.Dropout)


def dense_layers(network, last=None):
    """Layers of a plain chain of dense layers: [(kernel (n, m), bias (m,), activation), …].

    Args:
        network: keras.Model, Sequential or functional, e.g. a `dense_decoder`.
        last: activation to put after a last layer that has none; "sigmoid" for a decoder
            that makes logits, when pixels are wanted.

    Raises:
        ValueError: a layer is neither dense, nor an activation, nor only changes the shape;
            or layers are joined other than one after the other.
    """
    found, before = [], None
    for layer in network.layers:
        if before is not None and layer.input is not before.output:
            raise ValueError(
                f"layer {layer.name!r} does not follow {before.name!r}; a plain chain was expected"
            )
        before = layer
        if isinstance(layer, layers.Dense):
            kernel = np.asarray(layer.kernel)
            bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], "float32")
            found.append([kernel, bias, layer.activation.__name__])
        elif (kind := activation_of(layer)) and found and found[-1][2] == "linear":
            found[-1][2] = kind
        elif not isinstance(layer, SHAPING):
            raise ValueError(
                f"layer {layer.name!r} is a {type(layer).__name__}; only dense layers, activations and "
                "changes of shape can be read as arrays"
            )
    if last is not None and found:
        if found[-1][2] != "linear":
            raise ValueError(f"the last layer has activation {found[-1][2]!r} already; leave `last` out")
        found[-1][2] = last
    return [tuple(entry) for entry in found]


def activation_of(layer):
    """Name of the activation that a layer is, None if it is another kind of layer."""
    if isinstance(layer, layers.Activation):
        return layer.activation.__name__
    plain = isinstance(layer, layers.ReLU) and not layer.negative_slope and not layer.threshold
    return "relu" if plain and layer.max_value is None else None
