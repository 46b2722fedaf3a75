"""Two games that are small enough to be seen whole: the Dirac GAN, and eight Gaussians in the plane.

The Dirac GAN (Mescheder et al., "Which Training Methods for GANs do actually Converge?", ICML
2018) has one parameter on each side: all real data are the number 0, all fakes the number θ, and
the discriminator's output is D(x) = ψ x. Its only equilibrium is θ = ψ = 0. Points of the plane
lie in [0, 1]², so that `models.GAN` trains on them as on images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.parameters import did_you_mean

CENTRE, RADIUS, DEVIATION, MODES = 0.5, 0.35, 0.02, 8  # of the ring of Gaussians
NEAR = 4.0  # deviations from a mode within which a point belongs to it
FEW = 0.01  # a mode with a smaller share of the points counts as missing


def sigmoid(x):
    """1 / (1 + e^−x)."""
    return 1.0 / (1.0 + np.exp(-x))


# Name of a GAN's loss → minus the slopes in D(θ) of the discriminator's and the generator's.
DIRAC_PULLS = {
    "minimax": (lambda d: -sigmoid(d), sigmoid),
    "non_saturating": (lambda d: -sigmoid(d), lambda d: sigmoid(-d)),
    "wasserstein": (lambda d: -np.ones_like(d), lambda d: np.ones_like(d)),
}


def dirac_field(theta, psi, *, loss="non_saturating", r1=0.0):
    """The direction in which each side of the Dirac GAN moves: minus the gradient of its own loss.

    Args:
        theta: where the fakes are; a number or an array.
        psi: slope of the discriminator, of the same shape.
        loss: "minimax", "non_saturating" or "wasserstein".
        r1: weight γ of the penalty γ/2 ψ², the squared slope of D at the real data.

    Returns:
        (dθ, dψ), each of that shape.

    Raises:
        ValueError: another loss.
    """
    if loss not in DIRAC_PULLS:
        raise ValueError(f"no loss {loss!r} of the Dirac GAN{did_you_mean(str(loss), DIRAC_PULLS)}")
    theta, psi = np.asarray(theta, "float64"), np.asarray(psi, "float64")
    of_discriminator, of_generator = (pull(psi * theta) for pull in DIRAC_PULLS[loss])
    return psi * of_generator, theta * of_discriminator - r1 * psi


def dirac_path(start, *, steps, rate, update="alternating", **options):
    """Positions (θ, ψ) of the Dirac GAN under gradient descent, shape (steps + 1, 2).

    Args:
        start: (θ, ψ) before the first step.
        rate: the learning rate of both sides, above 0.
        update: "simultaneous": both sides move from the same position; "alternating": first the
            discriminator, then the generator against the new one, as `models.GAN` does.
        options: `loss` and `r1` of `dirac_field`.

    Raises:
        ValueError: an unknown update or loss.
    """
    if update not in ("alternating", "simultaneous"):
        raise ValueError(f"update is {update!r}; 'alternating' or 'simultaneous' was expected")
    path = [np.asarray(start, "float64")]
    for _ in range(steps):
        theta, psi = path[-1]
        d_theta, d_psi = dirac_field(theta, psi, **options)
        if update == "alternating":
            d_theta, _ = dirac_field(theta, psi + rate * d_psi, **options)
        path.append(np.array([theta + rate * d_theta, psi + rate * d_psi]))
    return np.stack(path)


def ring_centres():
    """The eight modes, on a circle in [0, 1]², shape (8, 2)."""
    angles = 2.0 * np.pi * np.arange(MODES) / MODES
    return CENTRE + RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def eight_gaussians(n, seed=0):
    """`n` points of eight narrow Gaussians on a circle, float32 (n, 2) in [0, 1]².

    The test of Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017.
    """
    rng = np.random.default_rng(seed)
    points = ring_centres()[rng.integers(MODES, size=n)]
    return (points + DEVIATION * rng.standard_normal((n, 2))).astype("float32")


@dataclass(frozen=True)
class RingQuality:
    """How well points cover the eight Gaussians.

    Attributes:
        modes: how many of the eight hold at least 1 % of the points.
        near: share of the points within four deviations of a mode; 0.9997 of real ones.
    """

    modes: int
    near: float


def ring_quality(points):
    """Judge points (n, 2) against the eight Gaussians. Raises ValueError for another shape."""
    points = np.asarray(points, "float64")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points have shape {points.shape}; (n, 2) was expected")
    distances = np.linalg.norm(points[:, None] - ring_centres(), axis=2)  # (n, 8)
    near = distances.min(axis=1) <= NEAR * DEVIATION
    shares = np.bincount(distances.argmin(axis=1)[near], minlength=MODES) / len(points)
    return RingQuality(int((shares >= FEW).sum()), float(near.mean()))
