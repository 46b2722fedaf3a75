"""The best linear code of images, and the VAE of one linear layer each way that it makes.

Turk & Pentland, "Eigenfaces for Recognition", 1991; Tipping & Bishop, "Probabilistic Principal
Component Analysis", 1999; that its ELBO is exact, and which latents stay unused: Lucas et al.,
"Don't Blame the ELBO!", NeurIPS 2019.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import eigsh

BLOCK = 1024  # images whose products are summed at a time


@dataclass(frozen=True)
class LinearVAE:
    """The best linear VAE on images: MSE per pixel from the mean code, KL in nats, latents in use."""

    mse: float
    kl: float
    active: int


@dataclass(frozen=True, eq=False)
class LinearCode:
    """Principal components of images: the linear code with the least squared error.

    `mean` has shape (pixels,), `axes` (D, pixels) with orthonormal rows, and `variances` (D,) are
    those of the images along the axes, the largest first.
    """

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    def encode(self, x) -> np.ndarray:
        """Coordinates along the axes, (n, D), of images (n, ...)."""
        return (np.asarray(x, "float64").reshape(len(x), -1) - self.mean) @ self.axes.T

    def decode(self, z) -> np.ndarray:
        """Images as rows (n, pixels) for coordinates (n, D)."""
        return self.mean + np.asarray(z) @ self.axes

    def reconstruct(self, x) -> np.ndarray:
        """Images (n, ...) by their coordinates alone, float32, cut off at 0 and 1."""
        return np.clip(self.decode(self.encode(x)), 0, 1).reshape(np.shape(x)).astype("float32")

    def vae(self, x, variance) -> LinearVAE:
        """The best VAE with decoder N(Wz + m, variance · I) and a linear encoder, on images (n, ...).

        A component of variance λ is worth a latent only if λ is above that of a pixel, v. Its code
        for a coordinate c is then √(λ − v) c/λ, with variance v/λ. On the images of the fit it
        costs ½ ln(λ/v) nats.

        Raises ValueError unless `variance` is above 0.
        """
        if not variance > 0:
            raise ValueError(f"the variance of a pixel is {variance}; it must be above 0")
        used = self.variances > variance
        share = variance / self.variances[used]  # what of a coordinate is lost
        squares = np.square(self.encode(x)[:, used])
        total = np.square(np.asarray(x, "float64").reshape(len(x), -1) - self.mean).sum(axis=1)
        errors = total - (squares * (1 - np.square(share))).sum(axis=1)
        kl = 0.5 * ((1 - share) * squares / self.variances[used] + share - 1 - np.log(share)).sum(axis=1)
        return LinearVAE(float(errors.mean() / self.mean.size), float(kl.mean()), int(used.sum()))


def linear_code(batches, count) -> LinearCode:
    """Find the first principal components of all images of `batches`, in one pass.

    So they may be as many as a model is trained on: only products of pixels are kept.

    Args:
        batches: iterable of images (n, ...), such as [x_train] or a dataset.
        count: components, from 1 to below the number of images, and of pixels.

    Raises:
        ValueError: too few images for so many components.
    """
    blocks = in_blocks(batches)
    first, second = next(blocks), next(blocks, None)
    if not 1 <= count < min(first.shape):
        raise ValueError(
            f"{count} components of {len(first)} images of {first.shape[1]} pixels; fewer are due"
        )
    if second is None:
        mean = first.mean(axis=0)
        _, roots, axes = np.linalg.svd(first - mean, full_matrices=False)
        return LinearCode(mean, axes[:count], np.square(roots[:count]) / len(first))
    n, total, products = 0, 0.0, 0.0
    for block in itertools.chain([first, second], blocks):
        n, total, products = n + len(block), total + block.sum(axis=0), products + block.T @ block
    mean = total / n
    variances, axes = eigsh(products / n - np.outer(mean, mean), count, v0=np.ones(len(mean)))
    return LinearCode(mean, axes.T[::-1], variances[::-1])  # it has the largest last


def in_blocks(batches):
    """The images of `batches` as rows, float64, at least BLOCK at a time but for the last."""
    waiting, rows = [], 0
    for batch in batches:
        waiting.append(np.asarray(batch, "float64").reshape(len(batch), -1))
        rows += len(batch)
        if rows >= BLOCK:
            yield np.concatenate(waiting)
            waiting, rows = [], 0
    if waiting:
        yield np.concatenate(waiting)
