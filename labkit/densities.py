"""Densities fitted to codes after training, so that new codes can be drawn from them.

Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020, call this ex-post density
estimation.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

VARIANCE_ADDED = 1e-3  # to each direction of each Gaussian, so that no covariance is singular
ROUNDS = 30  # of expectation and maximisation, at most


@dataclass(frozen=True, eq=False)
class Density:
    """A mixture of `components` Gaussians, each with a full covariance.

    `log_density` is the mean ln p(z) of codes that it was not fitted to, in nats.
    """

    mixture: GaussianMixture
    log_density: float

    @property
    def components(self) -> int:
        """How many Gaussians are mixed."""
        return self.mixture.n_components

    def sample(self, n, seed=0) -> np.ndarray:
        """Draw `n` codes, shape (n, D), float32, in random order."""
        self.mixture.set_params(random_state=seed)
        codes, _ = self.mixture.sample(n)  # sorted by component
        return np.random.default_rng(seed).permutation(codes).astype("float32")


def fit_densities(codes, held_out, components: Iterable[int] = (1, 10), seed=0) -> list[Density]:
    """Fit one mixture for each number of components, the best on held-out codes first.

    Args:
        codes: shape (n, D), what is fitted; n at least the largest number of components.
        held_out: further codes (m, D), by whose mean log-density the mixtures are ranked.
        components: numbers of Gaussians, each at least 1.
        seed: seed of the start.

    Raises:
        ValueError: codes that are not (n, D), too few of them, or not finite.
    """
    codes, held_out = check_codes(codes, "codes"), check_codes(held_out, "held-out codes")
    components = list(components)
    if codes.shape[1] != held_out.shape[1] or not 1 <= min(components) <= max(components) <= len(codes):
        raise ValueError(
            f"{codes.shape} codes, {held_out.shape} held out, {components} components; codes of one length "
            "and from 1 to as many components as codes were expected"
        )
    options = {"reg_covar": VARIANCE_ADDED, "tol": 1e-2, "max_iter": ROUNDS, "random_state": seed}
    fitted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the rounds are bounded on purpose
        for count in components:
            mixture = GaussianMixture(count, init_params="k-means++", **options).fit(codes)
            fitted.append(Density(mixture, float(mixture.score(held_out))))
    return sorted(fitted, key=lambda density: -density.log_density)


def check_codes(codes, what) -> np.ndarray:
    """The codes as float64. Raises ValueError unless they are finite, of shape (n, D)."""
    codes = np.asarray(codes, dtype="float64")
    if codes.ndim != 2 or codes.size == 0 or not np.isfinite(codes).all():
        raise ValueError(f"{what} have shape {codes.shape}; finite codes (n, D) were expected")
    return codes
