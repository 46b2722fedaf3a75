"""Real images damaged in known ways, to see what a metric of samples notices.

After Sajjadi et al., "Assessing Generative Models via Precision and Recall", NeurIPS 2018, and
Lucic et al., "Are GANs Created Equal?", NeurIPS 2018, who test metrics so.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from labkit.images import check_images


def blurred(x, width) -> np.ndarray:
    """Images (n, h, w, 1) in [0, 1] under a Gaussian filter, `width` pixels its standard deviation."""
    check_images(x)
    return np.clip(gaussian_filter(np.asarray(x, "float32"), (0, width, width, 0)), 0, 1)


def ghosted(x, share, seed=0) -> np.ndarray:
    """Images (n, …) mixed with another of them, drawn at random, which has `share` of the light."""
    check_images(x)
    x = np.asarray(x, "float32")
    order = np.random.default_rng(seed).permutation(len(x))
    return (1 - share) * x + share * x[order]


def noisy(x, deviation, seed=0) -> np.ndarray:
    """Images (n, …) with noise N(0, deviation²) on each pixel, clipped to [0, 1]."""
    check_images(x)
    noise = np.random.default_rng(seed).standard_normal(np.shape(x)).astype("float32")
    return np.clip(x + deviation * noise, 0, 1)


def repeated(x, distinct) -> np.ndarray:
    """As many images (n, …) as there were, but only the first `distinct`, over and over.

    Raises ValueError unless `distinct` is from 1 to n.
    """
    if not 1 <= distinct <= len(x):
        raise ValueError(f"distinct is {distinct}; 1 to {len(x)} images were expected")
    return np.asarray(x)[np.arange(len(x)) % distinct]
