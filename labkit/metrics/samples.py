"""How good generated images are, judged by the features of the project's own classifier.

A distance says little alone: it is given between what it is for real images (floor) and for
noise (ceiling), all from the same number of images, because the estimators depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labkit.images import clipped_images
from labkit.metrics.classes import ClassHistogram, class_histogram
from labkit.metrics.classifier import FEATURES, IMAGE_SHAPE, Classifier
from labkit.metrics.neighbours import Memorisation, Prdc, check_features, draw, memorisation, prdc

MOST_IMAGES = 10_000
FEW_RECALLED = 0.1
MANY_COPIES = 0.05  # unseen real images: under 0.01


@dataclass(frozen=True)
class Scale:
    """A distance between its floor and its ceiling, all three from `images` images a set.

    Attributes:
        name: "FCD" or "KCD".
        value: distance of the samples to the test images.
        floor: distance of as many training images to the test images.
        ceiling: distance of as many noise images, each pixel drawn on its own from what the
            training images have in that place; what is worse than that lies above the ceiling.
        images: images in each set; distances of different numbers are not comparable.
        spread: standard deviation over subsets, where the distance is a mean over them.
    """

    name: str
    value: float
    floor: float
    ceiling: float
    images: int
    spread: float | None = None

    @property
    def position(self) -> float:
        """Where the value lies from floor (0) to ceiling (1); it may lie outside."""
        return (self.value - self.floor) / (self.ceiling - self.floor)

    def __str__(self) -> str:
        spread = f" ± {self.spread:.2g}" if self.spread is not None else ""
        return (
            f"{self.name} {self.value:.4g}{spread}, {self.position:.1%} of the way from "
            f"{self.floor:.3g} (training images) to {self.ceiling:.4g} (noise); {self.images:,} images"
        )


def frechet_distance(a, b) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features.

    |μa − μb|² + tr(Σa + Σb − 2(Σa Σb)^½), at least 0. With Σ = RᵀR the last trace is the sum of
    the singular values of Ra Rbᵀ, which stands for singular covariances too, where the
    matrix square root fails. The estimate grows as n falls: compare only equal n.

    Args:
        a, b: features (n, d) and (m, d), at least 2 each.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, too few.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017.
    """
    a, b = (x.astype("float64") for x in check_features(a, b, 2))
    root_a, root_b = covariance_root(a), covariance_root(b)  # (d, d)
    means = np.sum(np.square(a.mean(axis=0) - b.mean(axis=0)))
    traces = np.sum(np.square(root_a)) + np.sum(np.square(root_b))
    return float(max(0.0, means + traces - 2 * np.linalg.norm(root_a @ root_b.T, "nuc")))


def covariance_root(x):
    """A matrix R of shape (d, d) with RᵀR the covariance of the rows of `x`."""
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T


def kernel_distance(a, b, *, subsets=50, size=1000, seed=0) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two sets of features under the kernel (x·y/d + 1)³.

    Unbiased, so that its expectation does not depend on n and it may be slightly negative.

    Args:
        a, b: features (n, d) and (m, d), at least 2 each.
        subsets: how many pairs of random subsets.
        size: rows of a subset, at most all there are.
        seed: seed of the subsets.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, too few.

    Source: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018.
    """
    a, b = check_features(a, b, 2)
    size, rng = min(size, len(a), len(b)), np.random.default_rng(seed)
    values = [squared_mmd(draw(a, size, rng), draw(b, size, rng)) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values))


def squared_mmd(a, b) -> float:
    """Unbiased squared MMD of two sets of the same size (m, d) under the cubic kernel."""
    m, d = a.shape

    def kernel(x, y):
        k = x @ y.T / d + 1  # (m, m)
        return k * k * k  # NumPy's ** 3 is many times slower

    within = 0.0
    for k in (kernel(a, a), kernel(b, b)):
        within += (k.sum(dtype="float64") - np.trace(k, dtype="float64")) / (m * (m - 1))
    return within - 2 * kernel(a, b).mean(dtype="float64")


@dataclass(frozen=True, eq=False)
class References:
    """Real images and noise that samples are judged against; made by `reference_sets`.

    `fcd` and `kcd` have the training images as their value, and so position 0; `real` is what
    the training images reach in precision, recall, density and coverage.
    """

    classifier: Classifier
    x_train: np.ndarray
    x_test: np.ndarray
    features: np.ndarray
    fcd: Scale
    kcd: Scale
    real: Prdc
    seed: int


def reference_sets(x_train, x_test, classifier, *, n=None, seed=0) -> References:
    """Compute once per data set what every set of samples is judged against.

    Args:
        x_train, x_test: real images in [0, 1], shape (m, 28, 28, 1).
        classifier: the data set's own, from `load_classifier`.
        n: images in each set that is compared; None means as many as the smaller of the two
            has, at most 10,000.
        seed: seed of all draws.

    Raises:
        ValueError: images that do not fit, fewer than n of them, n not above 128 (a
            covariance of 128 features would be singular).
    """
    x_train = clipped_images(x_train, IMAGE_SHAPE, "training images")
    x_test = clipped_images(x_test, IMAGE_SHAPE, "test images")
    n = min(len(x_train), len(x_test), MOST_IMAGES) if n is None else n
    check_enough(n, x_train=x_train, x_test=x_test)
    rng = np.random.default_rng(seed)
    x_real = draw(x_train, n, rng)
    noise = rng.permuted(x_real.reshape(n, -1), axis=0).reshape(x_real.shape)  # each pixel on its own
    train, test, ceiling = (classifier.features(x) for x in (x_real, draw(x_test, n, rng), noise))
    floor, high = frechet_distance(train, test), frechet_distance(ceiling, test)
    fcd = Scale("FCD", floor, floor, high, n)
    floor, spread = kernel_distance(train, test, seed=seed)
    kcd = Scale("KCD", floor, floor, kernel_distance(ceiling, test, seed=seed)[0], n, spread)
    return References(classifier, x_train, x_test, test, fcd, kcd, prdc(test, train), seed)


def fcd(images, references) -> float:
    """Fréchet classifier distance of images to the references' test images; `References.fcd` has its scale.

    Args:
        images: in [0, 1], shape (m, 28, 28, 1), m at least the references' n; the first n are taken.
        references: from `reference_sets`.

    Raises:
        ValueError: images of another shape or range, NaN, too few.
    """
    return frechet_distance(compared_features(images, references), references.features)


def fidelity(images, references, more=()) -> dict[str, float]:
    """`fcd` of images, and in per cent precision, recall and what `more` names of a `Prdc`.

    The other arguments are those of `fcd`.
    """
    features = compared_features(images, references)
    near = prdc(references.features, features)
    distance = frechet_distance(features, references.features)
    return {"fcd": distance} | {name: 100 * getattr(near, name) for name in ("precision", "recall", *more)}


def compared_features(images, references) -> np.ndarray:
    """Features (n, 128) of the first n images, n as the references have. Raises ValueError for fewer."""
    check_enough(references.fcd.images, images=images)
    return references.classifier.features(images[: references.fcd.images])


def check_enough(n, **sets):
    """Raise ValueError unless n is above the number of features and each set has n images."""
    if n <= FEATURES:
        raise ValueError(f"{n} images are too few for {FEATURES} features; take more than {FEATURES}")
    for name, images in sets.items():
        if len(images) < n:
            raise ValueError(f"{name} holds {len(images):,} images; n = {n:,} are compared")


@dataclass(frozen=True, eq=False)
class SampleQuality:
    """All that `judge_samples` measures; each part says what its numbers mean."""

    fcd: Scale
    kcd: Scale
    prdc: Prdc
    classes: ClassHistogram
    memorisation: Memorisation
    images: int

    @property
    def warnings(self) -> list[str]:
        """What a reader must be told: missing classes, little variety, copies; often empty."""
        found = []
        if self.classes.missing:
            found.append(f"classes {self.classes.missing} are under {self.classes.threshold:.0%} of samples")
        if self.prdc.recall < FEW_RECALLED:
            found.append(f"recall is {self.prdc.recall:.1%}: the samples show little of the data's variety")
        if self.memorisation.copies > MANY_COPIES:
            found.append(f"{self.memorisation.copies:.0%} of samples look like copies of training images")
        return found


def judge_samples(images, references) -> SampleQuality:
    """Judge generated images against real ones by every sample metric.

    Args:
        images: samples in [0, 1], shape (m, 28, 28, 1), m at least the references' n; n are
            drawn by the references' seed.
        references: from `reference_sets`, on the data set that the samples imitate.

    Raises:
        ValueError: images of another shape or range, NaN, too few.
    """
    images, n = clipped_images(images, IMAGE_SHAPE, "samples"), references.fcd.images
    check_enough(n, samples=images)
    images = draw(images, n, np.random.default_rng(references.seed))
    features, probabilities = references.classifier.outputs(images)
    kcd, spread = kernel_distance(features, references.features, seed=references.seed)
    return SampleQuality(
        fcd=replace(references.fcd, value=frechet_distance(features, references.features)),
        kcd=replace(references.kcd, value=kcd, spread=spread),
        prdc=prdc(references.features, features),
        classes=class_histogram(probabilities.argmax(axis=1)),
        memorisation=memorisation(images, references.x_train, references.x_test, seed=references.seed),
        images=n,
    )
