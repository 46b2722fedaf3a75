"""What codes hold, and how images change along a path between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RIDGE = 1e-3  # penalty of a weight's square, for each training image


def linear_probe(train, y_train, test, y_test) -> float:
    """Share of test items whose class a linear rule reads from their codes or features.

    Ridge regression on one-hot labels; the largest output names the class.

    Args:
        train, test: codes or features, shapes (n, D) and (m, D); standardised here.
        y_train, y_test: their classes, whole numbers, shapes (n,) and (m,).

    Raises:
        ValueError: not as many classes as items, or no items.

    Source: Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
    """
    check_pairs(train=(train, y_train), test=(test, y_test))
    probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=RIDGE * len(train)))
    probe.fit(np.asarray(train, dtype="float64"), y_train)
    return float(probe.score(np.asarray(test, dtype="float64"), y_test))


def check_pairs(**parts):
    """Raise ValueError unless each part, name → (items, classes), has items and a class for each."""
    for name, (items, classes) in parts.items():
        if len(items) == 0 or len(items) != len(classes):
            raise ValueError(
                f"{name} has {len(items):,} items and {len(classes):,} classes; at least one item, and a "
                "class for each, was expected"
            )


def code_cloud(z) -> dict[str, float]:
    """Where codes (n, D) lie: their mean length and its spread, and how far the cloud's centre is from 0.

    And how wide the cloud is in its narrowest and its widest direction: the least and the largest
    eigenvalue of the codes' covariance. Draws from N(0, I) have a length of √D ± √½, nearly.

    Raises ValueError for fewer than two codes.
    """
    z = np.asarray(z, dtype="float64")
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(f"codes have shape {z.shape}; (n, D) with n at least 2 was expected")
    length = np.linalg.norm(z, axis=1)
    variance = np.linalg.eigvalsh(np.atleast_2d(np.cov(z, rowvar=False)))
    return {
        "length": float(length.mean()),
        "spread_of_length": float(length.std()),
        "centre_from_0": float(np.linalg.norm(z.mean(axis=0))),
        "least_variance": float(variance[0]),
        "largest_variance": float(variance[-1]),
    }


class Roughness(NamedTuple):
    """How images change along paths: mean distance of neighbours, and its spread as a share of the mean.

    The spread is the standard deviation along a path over the path's mean; 0 where every step
    is equally long, as where nothing changes at all.
    """

    step: float
    spread: float


def roughness(images, steps) -> Roughness:
    """Measure how evenly images change along paths, such as interpolations between two codes.

    Args:
        images: shape (paths · steps, ...), one path after another.
        steps: images on a path, at least 3.

    Raises:
        ValueError: images that do not make up whole paths.
    """
    if steps < 3 or len(images) == 0 or len(images) % steps:
        raise ValueError(
            f"{len(images)} images do not make paths of {steps}; a multiple, and steps ≥ 3, was expected"
        )
    paths = np.asarray(images, dtype="float64").reshape(-1, steps, np.size(images[0]))
    sizes = np.linalg.norm(np.diff(paths, axis=1), axis=-1)  # (paths, steps − 1)
    means = sizes.mean(axis=1)
    spreads = np.divide(sizes.std(axis=1), means, out=np.zeros_like(means), where=means > 0)
    return Roughness(float(means.mean()), float(spreads.mean()))


def slant(images) -> np.ndarray:
    """How far the ink of each image leans, in columns for each row upwards, shape (n,).

    Positive leans to the right. It is the slope of the regression of the ink's columns on its
    rows, from the second moments of the image.

    Args:
        images: shape (n, h, w, 1), in [0, 1], ink bright.

    Raises:
        ValueError: another shape, or an image whose ink is not on two rows at least.
    """
    images = np.asarray(images, dtype="float64")
    if images.ndim != 4 or images.shape[-1] != 1:
        raise ValueError(f"images have shape {images.shape}; (n, h, w, 1) was expected")
    if np.any((images > 0).any(axis=(2, 3)).sum(axis=1) < 2):
        raise ValueError("an image has ink on fewer than two rows; it has no slant")
    ink = images[..., 0] / images.sum(axis=(1, 2, 3))[:, None, None]
    rows, columns = np.mgrid[: images.shape[1], : images.shape[2]]
    rows = rows - (ink * rows).sum(axis=(1, 2), keepdims=True)
    columns = columns - (ink * columns).sum(axis=(1, 2), keepdims=True)
    return -(ink * rows * columns).sum(axis=(1, 2)) / (ink * rows**2).sum(axis=(1, 2))


def style_shared(decode, z, measure, classes=10) -> float:
    """Correlation of a measure of images between classes that are drawn from the same codes.

    Args:
        decode: function of codes (n, D) and classes (n,) → images.
        z: codes, shape (n, D), at least two.
        measure: function of images → one number an image, shape (n,), such as `slant`.
        classes: how many there are, at least two.

    Returns:
        Mean over all pairs of classes: 0 where they have nothing in common, 1 where a code fixes
        the measure whatever the class.
    """
    each = [measure(np.asarray(decode(z, np.full(len(z), c)))) for c in range(classes)]
    return float(np.corrcoef(each)[np.triu_indices(classes, k=1)].mean())
