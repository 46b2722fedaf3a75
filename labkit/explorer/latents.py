"""What an explorer knows of its latents: order, start, reach, and some codes to go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.explorer.decoding import ExplorerError, error_text

REACH = 3.0  # standard deviations that a slider covers to each side
MOST_LATENTS = 4096
PRIORS = ("normal", "codes")


@dataclass(frozen=True)
class Point:
    """A code with a name that the reader can go to: an image's encoding, or a draw."""

    name: str
    z: np.ndarray  # (D,)
    label: int


@dataclass(frozen=True)
class Latents:
    """Start and standard deviation of each latent, each (D,), and the most active first."""

    start: np.ndarray
    spread: np.ndarray
    order: tuple[int, ...]

    def along(self, dim: int, places) -> np.ndarray:
        """Codes (n, D) with latent `dim` at `places` in [-1, 1], the ends of its slider."""
        z = np.tile(self.start, (len(places), 1))
        z[:, dim] += REACH * self.spread[dim] * np.asarray(places)
        return z

    def plane(self, dims, n: int) -> np.ndarray:
        """Codes (n·n, D) of the plane over two latents, row by row from the top."""
        places = np.linspace(-1, 1, n)
        z = np.tile(self.start, (n * n, 1))
        for dim, at in zip(dims, (np.tile(places, n), np.repeat(places[::-1], n)), strict=True):
            z[:, dim] += REACH * self.spread[dim] * at
        return z

    def draws(self, rng, n: int) -> np.ndarray:
        """Random codes (n, D): normal, around the start with the latents' spread."""
        return self.start + self.spread * rng.standard_normal((n, len(self.start)))


def check_latent_dim(latent_dim) -> int:
    """`latent_dim` as an int. Raises ExplorerError unless it is from 1 to MOST_LATENTS."""
    whole = isinstance(latent_dim, int | np.integer) and not isinstance(latent_dim, bool)
    if not whole or not 1 <= latent_dim <= MOST_LATENTS:
        raise ExplorerError(
            f"latent_dim is {latent_dim!r}; a whole number from 1 to {MOST_LATENTS} was expected, "
            "the length of a code."
        )
    return int(latent_dim)


def codes_of(encode, images, labels, latent_dim: int, *, conditional: bool) -> np.ndarray:
    """Codes (n, D) of images, by a function that need not be trusted. Raises ExplorerError."""
    try:
        codes = encode(images, labels) if conditional else encode(images)
        codes = np.asarray(codes, dtype="float64")
    except Exception as error:
        raise ExplorerError(
            f"encode failed for images of shape {np.shape(images)}: {error_text(error)}"
        ) from error
    if codes.shape != (len(images), latent_dim):
        raise ExplorerError(
            f"encode gave codes of shape {codes.shape}; {(len(images), latent_dim)} was expected. A VAE's "
            "encode returns mean and log-variance: take the first."
        )
    if not np.isfinite(codes).all():
        raise ExplorerError("encode gave codes that are NaN or infinite.")
    return codes


def center_and_spread(codes, prior: str, latent_dim: int):
    """Start and spread (D,): those of N(0, I), or mean and standard deviation of the codes."""
    if prior not in PRIORS:
        raise ExplorerError(f"prior is {prior!r}; one of {', '.join(PRIORS)} was expected.")
    if prior == "normal":
        return np.zeros(latent_dim), np.ones(latent_dim)
    if codes is None or len(codes) < 2:
        raise ExplorerError(
            'prior="codes" takes start and reach from codes: give encode and two images or more.'
        )
    spread = codes.std(axis=0)
    return codes.mean(axis=0), np.maximum(spread, 0.05 * spread.max() + 1e-6)


def find_order(order, codes, effect, latent_dim: int) -> tuple[int, ...]:
    """All latents, the most active first.

    By `order` if it is given (the rest follows), else by the variance of the codes of
    images, else by `effect()`: how much the picture changes, shape (D,).
    """
    if order is not None:
        given = [int(dim) for dim in order]
        if len(set(given)) != len(given) or not all(0 <= dim < latent_dim for dim in given):
            raise ExplorerError(
                f"order is {given}; different latents from 0 to {latent_dim - 1} were expected."
            )
        return (*given, *(dim for dim in range(latent_dim) if dim not in set(given)))
    activity = codes.var(axis=0) if codes is not None and len(codes) > 2 else effect()
    return tuple(int(dim) for dim in np.argsort(-activity, kind="stable"))


def point_specs(points) -> list[dict[str, Any]]:
    """Points as the page reads them."""
    return [{"name": point.name, "z": rounded(point.z), "label": point.label} for point in points]


def rounded(values) -> list[float]:
    """Numbers short enough for a page."""
    return [round(float(v), 4) for v in values]
