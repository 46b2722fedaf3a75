"""Input checks and batched evaluation."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops


def check_codes(z, latent_dim):
    """Raise ValueError unless `z` holds codes of shape (batch, latent_dim)."""
    shape = tuple(z.shape) if tf.is_tensor(z) else np.shape(z)
    if len(shape) != 2 or shape[1] != latent_dim:
        hint = ": z[None] makes a batch of one" if shape == (latent_dim,) else ""
        raise ValueError(f"codes have shape {shape}; (batch, {latent_dim}) was expected{hint}")


def check_labels(labels, n, n_classes):
    """Raise ValueError unless `labels` are `n` integers from 0 to n_classes − 1."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels have shape {labels.shape}; one a row was expected, {(n,)}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}; integers from 0 to {n_classes - 1} were expected")
    if n and (labels.min() < 0 or labels.max() >= n_classes):
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}; those of {n_classes} classes go from 0 "
            f"to {n_classes - 1}"
        )


def join_labels(values, labels, n_classes):
    """Values (batch, …), flattened, and one-hot labels side by side: (batch, values + n_classes)."""
    flat = ops.reshape(values, (-1, math.prod(values.shape[1:])))
    return ops.concatenate([flat, ops.one_hot(labels, n_classes, dtype=flat.dtype)], axis=1)


class Inference:
    """A network in inference mode. An object, for TensorFlow warns of one function traced over and
    over when several of the same code are traced once each."""

    def __init__(self, network):
        self.network = network

    def __call__(self, rows):
        return self.network(rows, training=False)


def batched(network, size=500):
    """`network` in inference mode as a compiled function of any number of rows, `size` at a time.

    It is traced once, at its first call, for every number of rows, and takes the memory of
    `size` rows' maps. Inside another compiled function it is called as it is.
    """
    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)]
    compiled = tf.function(Inference(network), input_signature=signature, autograph=False)

    def run(x):
        if tf.is_symbolic_tensor(x):
            return network(x, training=False)
        x = tf.cast(x, tf.float32)
        parts = [compiled(x[i : i + size]) for i in range(0, max(1, len(x)), size)]
        return keras.tree.map_structure(lambda *rows: tf.concat(rows, axis=0), *parts)

    return run


def in_batches(function, x, size=1000):
    """`function` of `x`, taken `size` rows at a time, as NumPy.

    That bounds the memory: the maps of `size` rows at a time.

    Args:
        function: of an array (batch, ...) → an array, or arrays, of as many rows.
        x: array (n, ...), at least one row.
        size: rows at a time, at least 1.
    """
    if len(x) == 0 or size < 1:
        raise ValueError(f"there are {len(x)} rows to take {size} at a time; at least 1 each was expected")
    parts = [function(x[i : i + size]) for i in range(0, len(x), size)]
    return keras.tree.map_structure(
        lambda *arrays: np.concatenate([keras.ops.convert_to_numpy(a) for a in arrays]), *parts
    )
