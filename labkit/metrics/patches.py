"""How far two sets of images are apart, scale by scale, without any trained network.

The sliced Wasserstein distance between patches of Laplacian pyramids: Karras et al., "Progressive
Growing of GANs", ICLR 2018, section 5. Pyramid: Burt & Adelson, "The Laplacian Pyramid as a
Compact Image Code", IEEE Transactions on Communications, 1983.
"""

from __future__ import annotations

import numpy as np

from labkit.images import clipped_images

SIDE = 7  # pixels of a patch
PATCHES = 32  # of an image, on each level
DIRECTIONS = 128
WEIGHTS = np.array([1, 4, 6, 4, 1]) / 16  # of the pyramid's filter, along an axis


def patch_distances(a, b, *, smallest=8, seed=0) -> dict[int, float]:
    """Sliced Wasserstein distance of the patches of two sets of images, by the level's side in pixels.

    Level by level, from the finest detail to the layout, patches of 7×7 are compared: along
    random directions, the mean distance of the sorted projections. Each level is measured in
    standard deviations of b's patches, so that 1 is far. Noise and blur show on the fine levels.
    The estimate grows as n falls: compare only equal n.

    Args:
        a, b: images in [0, 1], shape (n, h, w, 1), equally many; b is what a is compared with.
        smallest: side of the last level, the largest is h; at least 7.
        seed: seed of patches and directions.

    Raises:
        ValueError: images that do not fit, sides that `smallest` times a power of 2 is not.
    """
    a, b = clipped_images(a), clipped_images(b)
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != a.shape[2]:
        raise ValueError(f"images have shapes {a.shape} and {b.shape}; (n, side, side, 1) twice was expected")
    levels = pyramid(a[..., 0], smallest), pyramid(b[..., 0], smallest)
    rng = np.random.default_rng(seed)
    return {x.shape[1]: level_distance(x, y, rng) for x, y in zip(*levels, strict=True)}


def level_distance(x, y, rng) -> float:
    """The distance of two sets of maps (n, side, side), in standard deviations of y's patches."""
    n, side, _ = x.shape
    top, left = rng.integers(0, side - SIDE + 1, (2, n * PATCHES))
    image = np.repeat(np.arange(n), PATCHES)
    directions = rng.normal(size=(SIDE * SIDE, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    projected = []
    for maps in (x, y):
        windows = np.lib.stride_tricks.sliding_window_view(maps, (SIDE, SIDE), axis=(1, 2))
        patches = windows[image, top, left].reshape(len(image), -1)
        projected.append(np.sort(directions.T @ patches.T, axis=1))
        scale = np.sqrt(patches.var(axis=0).mean())
    return float(np.mean(np.abs(projected[0] - projected[1])) / max(scale, 1e-12))


def pyramid(x, smallest) -> list[np.ndarray]:
    """Laplacian pyramid of images (n, side, side): what each halving loses, then what is left.

    Raises ValueError unless the side is `smallest` times a power of 2 and `smallest` at least 7.
    """
    side = x.shape[1]
    halvings = int(np.log2(max(side / smallest, 1)))
    if smallest < SIDE or smallest * 2**halvings != side:
        raise ValueError(
            f"images of side {side} cannot be halved to {smallest}; a smallest side of at least {SIDE} that "
            "is the side over a power of 2 was expected"
        )
    levels = []
    for _ in range(halvings):
        half = smooth(x)[:, ::2, ::2]
        levels.append(x - enlarged(half))
        x = half
    return [*levels, x]


def smooth(x) -> np.ndarray:
    """Images (n, h, w) under the filter of WEIGHTS along both axes; the edges are mirrored."""
    for axis in (1, 2):
        pad = [(2, 2) if i == axis else (0, 0) for i in range(3)]
        padded = np.pad(x, pad, mode="reflect")
        x = sum(w * np.take(padded, range(k, k + x.shape[axis]), axis) for k, w in enumerate(WEIGHTS))
    return x


def enlarged(x) -> np.ndarray:
    """Images (n, h, w) at twice the side: zeros between the pixels, smoothed, times 4."""
    n, h, w = x.shape
    wide = np.zeros((n, 2 * h, 2 * w))
    wide[:, ::2, ::2] = x
    return 4 * smooth(wide)
