"""The one check of images, for models, metrics, plots and explorers."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-6  # beyond [0, 1] that arithmetic in float32 explains


def check_images(x, shape=None, what="images"):
    """Raise ValueError, naming `what`, unless `x` holds images (n, *shape) in [0, 1], n at least 1.

    Args:
        x: array or tensor. The values of a tensor inside a compiled function are not known and not
            checked.
        shape: of one image, such as (28, 28, 1); None takes (height, width), with or without a 1.
    """
    got = tuple(x.shape) if hasattr(x, "shape") else np.shape(x)
    if shape is not None and got == tuple(shape):
        raise ValueError(f"one image of shape {got} was given; a batch was expected: x[None]")
    fits = len(got) == 3 or (len(got) == 4 and got[3] == 1) if shape is None else got[1:] == tuple(shape)
    if not fits:
        expected = ["height, width[, 1]"] if shape is None else map(str, shape)
        raise ValueError(f"{what} have shape {got}; (n, {', '.join(expected)}) was expected")
    if got[0] == 0:
        raise ValueError(f"there are no {what}")
    if not isinstance(x, np.ndarray | list | tuple) and not hasattr(x, "numpy"):
        return  # a tensor without values
    low, high = float(np.min(x)), float(np.max(x))
    if not np.isfinite((low, high)).all():
        raise ValueError(f"{what} hold NaN or infinite values; what made them has diverged")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ValueError(
            f"{what} lie in [{low:.3g}, {high:.3g}]; [0, 1] was expected: divide bytes by 255, "
            "take (x + 1) / 2 of a tanh, the sigmoid of logits"
        )


def clipped_images(x, shape=None, what="images") -> np.ndarray:
    """The images as float32, clipped of rounding beyond [0, 1]; raises as `check_images` does."""
    x = np.asarray(x, "float32")
    check_images(x, shape, what)
    return np.clip(x, 0.0, 1.0)
