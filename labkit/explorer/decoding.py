"""A decoder as the explorer uses it: checked, in batches, one class at a time."""

from __future__ import annotations

import numpy as np

from labkit.plots import grey_images

MOST_SIDE = 128  # pixels of a picture's longer side
BATCH = 256


class ExplorerError(ValueError):
    """What keeps an explorer from being shown; the cell says it and the notebook goes on."""


class Decoder:
    """Grey bytes of codes, through a function that need not be trusted.

    Args:
        decode: codes (n, D), float32, to images (n, h, w[, 1]) in [0, 1]; with classes, of
            codes and labels (n,), integers.
        latent_dim: D. conditional: whether `decode` takes labels.
    """

    def __init__(self, decode, latent_dim: int, *, conditional: bool = False):
        self.decode, self.latent_dim, self.conditional = decode, latent_dim, conditional

    def __call__(self, z, labels=0) -> np.ndarray:
        """Pictures (n, h, w), uint8, of codes `z` (n, D) and a label, or n of them.

        Raises ExplorerError when the function fails or what it returns is no such picture.
        """
        z = np.asarray(z, dtype="float32").reshape(-1, self.latent_dim)
        labels = np.broadcast_to(np.asarray(labels, dtype="int32"), len(z))
        parts = [self.batch(z[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, len(z), BATCH)]
        return np.concatenate(parts)

    def batch(self, z, labels) -> np.ndarray:
        """The same for at most one batch."""
        try:
            images = self.decode(z, labels) if self.conditional else self.decode(z)
            images = np.asarray(images)
        except Exception as error:  # whatever a student's function raises belongs in the cell
            raise ExplorerError(
                f"The decoder failed for codes of shape {z.shape}: {error_text(error)}"
            ) from error
        if images.ndim in (3, 4) and max(images.shape[1:3]) > MOST_SIDE:
            size = "×".join(map(str, images.shape[1:3]))
            raise ExplorerError(
                f"The decoder makes pictures of {size} pixels; the explorer shows at most {MOST_SIDE} a "
                "side. Give it a function that makes them smaller."
            )
        try:
            images = grey_images(images)
        except (ValueError, TypeError) as error:
            raise ExplorerError(f"For codes of shape {z.shape} the decoder's {error}.") from error
        if len(images) != len(z):
            raise ExplorerError(
                f"The decoder made {len(images)} images of {len(z)} codes; one a code was expected."
            )
        return np.rint(images * 255).astype("uint8")


def error_text(error: Exception) -> str:
    """An error in one line of at most 300 characters."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
