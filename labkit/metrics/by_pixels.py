"""How reconstructions and draws compare with real images where no classifier is to be trusted."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from labkit.losses import kl_divergence
from labkit.metrics.likelihood import active_units
from labkit.metrics.neighbours import memorisation
from labkit.metrics.patches import patch_distances
from labkit.metrics.reconstruction import mse, sharpness, ssim
from labkit.metrics.seeds import Spread, over_seeds

BLUR, GRAIN = 1.5, 0.05  # of `spoiled`: pixels, grey values


def coded_quality(encode, decode, x) -> dict[str, float]:
    """What the codes of a VAE do on images: MSE per pixel × 1,000 from the mean code, KL, latents in use.

    Args:
        encode: function of images → z_mean, z_log_var, each (n, D). decode: of codes → pixels.
        x: images in [0, 1], shape (n, ...).
    """
    z_mean, z_log_var = encode(x)
    return {
        "MSE_in_thousandths": 1e3 * mse(x, decode(z_mean)),
        "kl": float(np.mean(kl_divergence(z_mean, z_log_var))),
        "active_units": int(active_units(z_mean).sum()),
    }


def rebuilt_quality(x, x_hat) -> dict[str, float]:
    """MSE per pixel × 1,000, SSIM, and sharpness in % of the originals'.

    Args:
        x, x_hat: images in [0, 1] and their reconstructions, shape (n, h, w, 1).
    """
    sharp = 100 * sharpness(x_hat) / sharpness(x)
    return {"MSE_in_thousandths": 1e3 * mse(x, x_hat), "ssim": ssim(x, x_hat), "sharpness": sharp}


def drawn_quality(images, x_train, x_test) -> dict[str, float]:
    """Draws beside real images: patch distances, sharpness, and nearness to training images.

    Args:
        images: draws in [0, 1], as many as `x_test`, shape (n, side, side, 1).
        x_train, x_test: real images, of the same shape but for their number.

    Returns:
        "scale_64" and so on, the `patch_distances` to `x_test`, and "mean", their mean;
        "sharpness" in % of the training images'; "nearest", the `ratio` of `memorisation`: far
        below 1 for copies.
    """
    levels = patch_distances(images, x_test)
    return {
        **{f"scale_{side}": distance for side, distance in levels.items()},
        "mean": float(np.mean(list(levels.values()))),
        "sharpness": 100 * sharpness(images) / sharpness(x_train),
        "nearest": memorisation(images, x_train, x_test).ratio,
    }


def drawn_spreads(sets, x_train, x_test) -> dict[str, dict[str, Spread]]:
    """`drawn_quality` over seeds of each of `sets`, a dict of name → draws, one array a seed."""
    return {
        name: over_seeds(lambda images: drawn_quality(images, x_train, x_test), seeds)
        for name, seeds in sets.items()
    }


def spoiled(x, seed=0) -> dict[str, np.ndarray]:
    """Real images (n, h, w, 1) spoiled in known ways, to test a distance by.

    "blurred" by a Gaussian of BLUR pixels; "grainy" with noise of GRAIN; and "noise", each
    pixel on its own from the values in its place. All in [0, 1].
    """
    rng = np.random.default_rng(seed)
    return {
        "blurred": gaussian_filter(x, (0, BLUR, BLUR, 0)),
        "grainy": np.clip(x + rng.normal(0, GRAIN, x.shape), 0, 1),
        "noise": rng.permuted(x.reshape(len(x), -1), axis=0).reshape(x.shape),
    }
