"""What the nearest neighbours of generated images say: fidelity, variety, copying.

Distances are Euclidean and taken block by block, so that memory stays under about 100 MB for
10,000 × 10,000 images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 1000  # rows of a distance matrix at a time
K_PRECISION_RECALL = 3  # Kynkäänniemi et al. 2019
K_DENSITY_COVERAGE = 5  # Naeem et al. 2020
COPY_RATIO = 0.5


@dataclass(frozen=True)
class Prdc:
    """Precision and recall (k = 3), density and coverage (k = 5) of generated images.

    All are shares in [0, 1], but for density, whose expectation is 1 for perfect samples and
    which can exceed it.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real, fake) -> Prdc:
    """Precision, recall, density and coverage of features `fake` against `real`.

    Precision: share of fakes inside a ball around a real one that reaches to its third
    neighbour; recall: the same with the roles exchanged. Density: how many balls (k = 5) a fake
    lies in, over k; coverage: share of the real balls (k = 5) that hold a fake.

    Args:
        real, fake: features (n, d) and (m, d), n and m at least 6.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, too few.

    Sources: Kynkäänniemi et al., "Improved Precision and Recall Metric", NeurIPS 2019; Naeem
    et al., "Reliable Fidelity and Diversity Metrics", ICML 2020.
    """
    real, fake = check_features(real, fake, K_DENSITY_COVERAGE + 1)
    ks = (K_PRECISION_RECALL, K_DENSITY_COVERAGE)
    real_3, real_5 = neighbour_radii(real, ks)
    fake_3, _ = neighbour_radii(fake, ks)
    precise = np.zeros(len(fake), dtype=bool)
    recalled, covered, inside = 0, 0, 0
    for rows, distances in distance_blocks(real, fake):  # (block, m), squared
        precise |= (distances < real_3[rows, None]).any(axis=0)
        recalled += (distances < fake_3).any(axis=1).sum()
        within = (distances < real_5[rows, None]).sum(axis=1)
        covered += (within > 0).sum()
        inside += within.sum()
    n, m = len(real), len(fake)
    density = inside / (K_DENSITY_COVERAGE * m)
    return Prdc(float(precise.mean()), float(recalled / n), float(density), float(covered / n))


def neighbour_radii(x, ks):
    """Squared distance of each row of `x` to its k-th neighbour, one array (n,) for each k."""
    # The row itself, at distance 0, is number 0.
    nearest = [np.partition(distances, ks, axis=1)[:, list(ks)] for _, distances in distance_blocks(x, x)]
    return np.concatenate(nearest).T


def nearest(x, reference) -> tuple[np.ndarray, np.ndarray]:
    """Distance (n,) of each image of `x` to its nearest in `reference`, and which one, (n,).

    Shapes (n, …) and (m, …); the distance is Euclidean over all pixels. Raises ValueError for
    shapes that do not fit, values that are not finite, none at all.
    """
    x, reference = (np.reshape(a, (len(a), -1)) for a in (x, reference))
    x, reference = check_features(x, reference, 1)
    found = [
        (distances.min(axis=1), distances.argmin(axis=1)) for _, distances in distance_blocks(x, reference)
    ]
    squared, index = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return np.sqrt(squared), index


def distance_blocks(a, b):
    """Yield (rows of `a`, squared distances of these rows to all of `b`) block by block."""
    centre = b.mean(axis=0)  # small norms, so that little is lost in the subtraction
    a, b = a - centre, b - centre
    b_norms = np.einsum("nd,nd->n", b, b)
    for start in range(0, len(a), BLOCK):
        rows = slice(start, min(start + BLOCK, len(a)))
        distances = a[rows] @ b.T  # (block, m)
        distances *= -2
        distances += np.einsum("nd,nd->n", a[rows], a[rows])[:, None]
        distances += b_norms
        yield rows, np.maximum(distances, 0, out=distances)


def check_features(a, b, least):
    """Both as float32 (n, d). Raises ValueError unless they fit, are finite and enough."""
    a, b = np.asarray(a, dtype="float32"), np.asarray(b, dtype="float32")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features have shapes {a.shape} and {b.shape}; (n, d) and (m, d) were expected")
    if min(len(a), len(b)) < least:
        raise ValueError(f"there are {len(a):,} and {len(b):,} samples; at least {least} of each are needed")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features hold NaN or infinite values; check the images they come from")
    return a, b


@dataclass(frozen=True)
class Memorisation:
    """Whether generated images lie nearer to the training images than to unseen ones.

    Attributes:
        to_train, to_test: median distance to the nearest of `references` training images and
            of as many test images, over all pixels. A larger set would be nearer by chance.
        nearer_train: share of samples nearer to the training images, ½ of a generator that has
            not copied; copies raise it only where their originals are among those compared.
        copies: share of samples less than half as far from some training image, of all there
            are, as from every test image; under 1 % of unseen real images.
        images, references: samples judged; images in each of the two sets.
    """

    to_train: float
    to_test: float
    nearer_train: float
    copies: float
    images: int
    references: int

    @property
    def ratio(self) -> float:
        """Median distance to training images over that to test images; 1 is expected."""
        return self.to_train / self.to_test if self.to_test else float("nan")


def memorisation(x, x_train, x_test, *, most=1000, seed=0) -> Memorisation:
    """Compare the distances of samples to their nearest training and nearest test image.

    The training set is dealt at random into sets as large as the test set; distances and shares
    are over all these sets, `copies` looks at all training images at once.

    Args:
        x: samples, shape (n, …); at most `most` are drawn, since each is compared with all.
        x_train, x_test: training and test images, shape (m, …), in the same range.
        most: samples to judge.
        seed: seed of both draws.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, no images.

    After Meehan, Chaudhuri & Dasgupta, "A Non-Parametric Test to Detect Data-Copying in
    Generative Models", AISTATS 2020.
    """
    rng = np.random.default_rng(seed)
    x = draw(x, min(most, len(x)), rng)
    references = min(len(x_train), len(x_test))
    to_test, _ = nearest(x, draw(x_test, references, rng))
    order = rng.permutation(len(x_train))
    pieces = [order[i : i + references] for i in range(0, len(order), references)]
    distances = [nearest(x, x_train[piece])[0] for piece in pieces]
    whole = len(order) // references  # the last piece may be a smaller one
    to_train = np.stack(distances[:whole])
    ties = 0.5 * (to_train == to_test)
    return Memorisation(
        to_train=float(np.median(to_train)),
        to_test=float(np.median(to_test)),
        nearer_train=float(np.mean((to_train < to_test) + ties)),
        copies=float(np.mean(np.min(distances, axis=0) < COPY_RATIO * to_test)),
        images=len(x),
        references=references,
    )


def draw(x, count, rng):
    """`count` rows of `x` in random order, none twice."""
    return np.asarray(x)[rng.permutation(len(x))[:count]]
