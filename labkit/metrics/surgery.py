"""ELBO surgery: the KL of a VAE is information about the image plus a mismatch with the prior.

Hoffman & Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
bound", NIPS workshop 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CODES_AT_A_TIME = 500


@dataclass(frozen=True)
class Surgery:
    """Mean KL(q(z|x) ‖ p) = I(x; z) + KL(q(z) ‖ p), in nats; q(z) averages q(z|x) over images.

    I(x; z) lies, in expectation, between `information_low` and `information_high`;
    KL(q(z) ‖ p) between `mismatch_low` and `mismatch_high`. `standard_error` is that of
    `information_low` over the `images` images.
    """

    kl: float
    information_low: float
    information_high: float
    standard_error: float
    images: int

    @property
    def mismatch_low(self) -> float:
        """What is left of the KL under the higher estimate of the information."""
        return self.kl - self.information_high

    @property
    def mismatch_high(self) -> float:
        """What is left of the KL under the lower estimate of the information."""
        return self.kl - self.information_low


def elbo_surgery(z_mean, z_log_var, seed=0) -> Surgery:
    """Estimate I(x; z) and KL(q(z) ‖ p) from one draw of z an image.

    For z ~ q(z|x_i) the information is the mean of ln q(z|x_i) − ln q(z), and q(z) is estimated
    by the average of q(z|x_j) over the images. With image i among them the estimate is, in
    expectation, below the true value, and never above ln n; with i left out it is above, and so
    is the KL less `gaussian_mismatch`: the smaller of these two is taken. The truth lies between,
    and the two agree where n is large beside exp(I).

    Args:
        z_mean, z_log_var: of q(z|x), shape (n, D), n at least 2.
        seed: seed of the draws.

    Raises:
        ValueError: fewer than two images, or shapes that differ.

    Source of the two bounds: Poole et al., "On Variational Bounds of Mutual Information",
    ICML 2019, section 2.4.
    """
    z_mean, z_log_var = np.asarray(z_mean, "float64"), np.asarray(z_log_var, "float64")
    if z_mean.shape != z_log_var.shape or len(z_mean) < 2:
        raise ValueError(f"z_mean {z_mean.shape}, z_log_var {z_log_var.shape}; two (n, D), n ≥ 2, expected")
    n = len(z_mean)
    z = z_mean + np.exp(0.5 * z_log_var) * np.random.default_rng(seed).standard_normal(z_mean.shape)
    own, others = np.empty(n), np.empty(n)
    for i in range(0, n, CODES_AT_A_TIME):
        rows = np.arange(i, min(i + CODES_AT_A_TIME, n))
        density = log_density(z[rows], z_mean, z_log_var)
        own[rows] = density[np.arange(len(rows)), rows]
        density[np.arange(len(rows)), rows] = -np.inf
        others[rows] = log_sum_exp(density)
    low = own - np.logaddexp(own, others) + np.log(n)
    high = own - others + np.log(n - 1)
    kl = 0.5 * np.sum(np.square(z_mean) + np.exp(z_log_var) - 1 - z_log_var, axis=1)
    most = kl.mean() - gaussian_mismatch(z_mean, z_log_var)
    return Surgery(
        kl=float(kl.mean()),
        information_low=float(low.mean()),
        # By chance the draws' estimate may lie above the bound.
        information_high=float(max(low.mean(), min(high.mean(), most))),
        standard_error=float(low.std() / np.sqrt(n)),
        images=n,
    )


def gaussian_mismatch(z_mean, z_log_var) -> float:
    """KL of the Gaussian with the mean and covariance of q(z) from N(0, I), in nats.

    KL(q(z) ‖ N(0, I)) is at least this, since of all densities with those moments the Gaussian has
    the greatest entropy. Arguments as in `elbo_surgery`.
    """
    centre = z_mean.mean(axis=0)
    spread = z_mean - centre
    covariance = spread.T @ spread / len(z_mean) + np.diag(np.exp(z_log_var).mean(axis=0))
    log_det = np.linalg.slogdet(covariance)[1]
    return float(0.5 * (np.trace(covariance) + centre @ centre - len(centre) - log_det))


def sampled_kl(z_mean, z_log_var, draws=100_000, seed=0) -> tuple[float, float]:
    """KL(N(z_mean, exp(z_log_var)) ‖ N(0, I)) from its definition, the mean of ln q(z) − ln p(z).

    Args:
        z_mean, z_log_var: of one Gaussian, shape (D,).
        draws: how many z ~ q.
        seed: seed of the draws.

    Returns:
        the estimate and its standard error, in nats.
    """
    z_mean, z_log_var = np.asarray(z_mean, "float64"), np.asarray(z_log_var, "float64")
    epsilon = np.random.default_rng(seed).standard_normal((draws, len(z_mean)))
    z = z_mean + np.exp(0.5 * z_log_var) * epsilon
    log_ratio = 0.5 * np.sum(np.square(z) - np.square(epsilon) - z_log_var, axis=1)
    return float(log_ratio.mean()), float(log_ratio.std() / np.sqrt(draws))


def log_density(z, z_mean, z_log_var) -> np.ndarray:
    """ln q(z|x) of every code (m, D) under every image's Gaussian (n, D), shape (m, n)."""
    precision = np.exp(-z_log_var)
    # Σ_d (z − μ)² / σ², multiplied out, so that it takes matrix products only
    squares = np.square(z) @ precision.T - 2 * z @ (z_mean * precision).T
    constant = np.sum(np.square(z_mean) * precision + z_log_var + np.log(2 * np.pi), axis=1)
    return -0.5 * (squares + constant)


def log_sum_exp(values) -> np.ndarray:
    """ln Σ exp of each row, shape (m,); −inf for a row of −inf."""
    most = np.maximum(values.max(axis=1), -1e300)
    with np.errstate(divide="ignore"):
        return most + np.log(np.exp(values - most[:, None]).sum(axis=1))
