"""Which classes the classifier sees in generated images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = 10
MODE_THRESHOLD = 0.01  # a class with a smaller share counts as missing


@dataclass(frozen=True, eq=False)
class ClassHistogram:
    """How often the classifier sees each class in samples.

    `counts` and `shares` have shape (classes,); a class whose share is under `threshold` counts
    as missing.
    """

    counts: np.ndarray
    threshold: float

    @property
    def shares(self) -> np.ndarray:
        """Counts over the number of images."""
        return self.counts / self.counts.sum()

    @property
    def missing(self) -> list[int]:
        """Classes whose share is under the threshold."""
        return np.flatnonzero(self.shares < self.threshold).tolist()

    @property
    def covered(self) -> int:
        """How many classes are not missing."""
        return len(self.counts) - len(self.missing)


def class_histogram(predicted, *, classes=CLASSES, threshold=MODE_THRESHOLD) -> ClassHistogram:
    """Count predicted classes, whole numbers of shape (n,). Raises ValueError for others."""
    predicted = check_labels(predicted, classes, "predicted")
    return ClassHistogram(np.bincount(predicted, minlength=classes), threshold)


def classes_kept(predicted) -> list[float]:
    """Share of items that are of the same class as in the round before, for each round but the first.

    Such as the pictures of the same latents through a training. `predicted` holds a row of
    classes (n,) for each round, integers. Raises ValueError for rows of unequal length.
    """
    return [float(share) for share in (np.diff(np.stack(predicted), axis=0) == 0).mean(axis=1)]


@dataclass(frozen=True, eq=False)
class Agreement:
    """Share of samples asked for as a class that the classifier calls that class.

    `per_class` and `asked` (how many were asked for) have shape (classes,); a class never asked
    for has NaN.
    """

    overall: float
    per_class: np.ndarray
    asked: np.ndarray


def conditional_agreement(asked, predicted, *, classes=CLASSES) -> Agreement:
    """Compare the classes asked of a conditional generator with those the classifier sees.

    Read it beside the classifier's accuracy on real images. Both arguments are whole numbers
    from 0 to `classes` − 1, shape (n,). Raises ValueError for others and for lengths that differ.
    """
    asked, predicted = check_labels(asked, classes, "asked"), check_labels(predicted, classes, "predicted")
    if len(asked) != len(predicted):
        raise ValueError(
            f"{len(asked):,} classes were asked for, {len(predicted):,} predicted; must be equal"
        )
    counts = np.bincount(asked, minlength=classes)
    right = np.bincount(asked[asked == predicted], minlength=classes)
    per_class = np.divide(right, counts, out=np.full(classes, np.nan), where=counts > 0)
    return Agreement(float(np.mean(asked == predicted)), per_class, counts)


def check_labels(labels, classes, what):
    """The labels as an array (n,). Raises ValueError unless whole numbers below `classes`."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{what} labels are {labels.dtype} of shape {labels.shape}; whole numbers (n,) were expected"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{what} labels go from {labels.min()} to {labels.max()}; 0 to {classes - 1} was expected"
        )
    return labels
