"""How near a reconstruction is, and how near it could be."""

from __future__ import annotations

import numpy as np


def mse(x, x_hat) -> float:
    """Mean squared error per pixel of images in [0, 1], both of shape (n, ...).

    Raises ValueError when the shapes differ.
    """
    x, x_hat = np.asarray(x), np.asarray(x_hat)
    if x.shape != x_hat.shape:
        raise ValueError(f"images have shape {x.shape}, reconstructions {x_hat.shape}; they must be equal")
    return float(np.mean(np.square(x - x_hat, dtype="float64")))


def pixel_entropy(x) -> float:
    """Least binary cross-entropy that grey pixels allow, in nats an image.

    A grey pixel p costs at least its own entropy −p ln p − (1 − p) ln(1 − p), which a
    perfect reconstruction still pays. `x` lies in [0, 1] and has shape (n, ...).
    """
    p = np.asarray(x, dtype="float64").reshape(len(x), -1)
    inside = np.clip(p, 1e-12, 1 - 1e-12)  # 0 · ln 0 counts as 0
    entropy = -p * np.log(inside) - (1 - p) * np.log1p(-inside)
    return float(entropy.sum(axis=1).mean())


def pca_mse(x_train, x_test, components) -> list[float]:
    """Test error per pixel of the best linear code, fitted on `x_train`, for each length.

    The bar that an autoencoder with as many latents has to clear.

    Args:
        x_train, x_test: images in [0, 1], shape (n, ...).
        components: lengths of the code, each from 1 to the number of pixels.
    """
    train = np.asarray(x_train, dtype="float64").reshape(len(x_train), -1)
    test = np.asarray(x_test, dtype="float64").reshape(len(x_test), -1)
    if not all(1 <= k <= train.shape[1] for k in components):
        raise ValueError(f"components {tuple(components)} must lie between 1 and {train.shape[1]}")
    centred = test - train.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(train, rowvar=False))  # eigenvalues ascend
    bases = [vectors[:, -k:] for k in components]  # (pixels, k)
    return [mse(centred, centred @ basis @ basis.T) for basis in bases]
