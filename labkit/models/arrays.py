"""Arrays at a network's door: what is refused, in the user's terms, and many taken in parts."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def check_images(x, image_shape):
    """Raise ValueError unless `x` holds images (batch, *image_shape) in [0, 1].

    The values of a tensor inside a compiled function are not known and not checked.
    """
    shape, image_shape = tuple(x.shape) if tf.is_tensor(x) else np.shape(x), tuple(image_shape)
    if len(shape) == len(image_shape) and shape == image_shape:
        raise ValueError(f"one image of shape {shape} was given; a batch was expected: x[None]")
    if shape[1:] != image_shape:
        raise ValueError(
            f"images have shape {shape}; (batch, {', '.join(map(str, image_shape))}) was expected"
        )
    if tf.is_symbolic_tensor(x) or 0 in shape:
        return
    low, high = float(np.min(x)), float(np.max(x))
    if not (low >= 0 and high <= 1):  # NaN too
        raise ValueError(f"images lie in [{low:.3g}, {high:.3g}]; [0, 1] was expected: divide bytes by 255")


def check_codes(z, latent_dim):
    """Raise ValueError unless `z` holds codes of shape (batch, latent_dim)."""
    shape = tuple(z.shape) if tf.is_tensor(z) else np.shape(z)
    if len(shape) != 2 or shape[1] != latent_dim:
        hint = ": z[None] makes a batch of one" if shape == (latent_dim,) else ""
        raise ValueError(f"codes have shape {shape}; (batch, {latent_dim}) was expected{hint}")


def in_batches(function, x, size=1000):
    """`function` of `x`, taken `size` rows at a time, as NumPy.

    What a whole data set's maps would take in memory, a thousand images' do not.

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
