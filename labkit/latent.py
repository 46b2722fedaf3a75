"""Moving about in a latent space: scaling, interpolation, norms. Arrays in, arrays out.

Spherical interpolation: Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985;
for the latent spaces of generative models: White, "Sampling Generative Networks", 2016.
"""

from __future__ import annotations

import numpy as np

PARALLEL = 1e-6  # sine of an angle below which two codes count as parallel


def scale(z, factors) -> np.ndarray:
    """The codes t · z for every t of `factors`, shape (len(factors), *z.shape), float32.

    Args:
        z: one code (D,) or several (m, D).
        factors: positive numbers t; 1 leaves the code as it is.

    Raises:
        ValueError: a factor is not positive and finite, or `z` is no code.
    """
    z, factors = check_codes(z), np.atleast_1d(np.asarray(factors, dtype="float64"))
    if factors.ndim != 1 or not len(factors) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(
            f"factors are {factors.tolist()}; positive numbers t were expected: 0 erases the code and a "
            "negative t reflects it"
        )
    return np.multiply.outer(factors, z).astype("float32")


def interpolate(a, b, n, *, spherical=False) -> np.ndarray:
    """`n` codes from `a` to `b`, both included, shape (n, *a.shape), float32.

    Linear: (1 − s) a + s b for s from 0 to 1 in equal steps. Spherical: the direction turns
    from a's to b's at constant speed in their common plane, and the length goes linearly from
    ‖a‖ to ‖b‖, so that it is never below the shorter one. Codes of nearly equal direction are
    joined by a line.

    Args:
        a, b: codes of equal shape, (D,) or (m, D); rows are joined pair by pair.
        n: codes on each path, at least 2.
        spherical: turn instead of cutting across.

    Raises:
        ValueError: lengths that differ, n below 2; if spherical, a code that is zero or two
            that are opposite, between which no turn is the shortest.
    """
    a, b = check_codes(a), check_codes(b)
    if a.shape != b.shape:
        raise ValueError(f"codes have shapes {a.shape} and {b.shape}; they must be equal")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
        raise ValueError(f"n is {n!r}; a whole number of at least 2 was expected, both ends counted")
    s = np.linspace(0.0, 1.0, n).reshape(-1, *(1,) * a.ndim)
    path = slerp(a, b, s) if spherical else (1 - s) * a + s * b
    return path.astype("float32")


def lines(a, b, n, *, spherical=False) -> np.ndarray:
    """The paths of `interpolate` from each row of `a` to that of `b`, one after another, (m·n, D)."""
    paths = interpolate(np.atleast_2d(a), np.atleast_2d(b), n, spherical=spherical)  # (n, m, D)
    return paths.swapaxes(0, 1).reshape(-1, paths.shape[-1])


def slerp(a, b, s) -> np.ndarray:
    """Spherical interpolation: the codes a share `s` of the way from `a` to `b`, shape (n, *a.shape).

    The directions are interpolated along the great circle, the lengths linearly: halfway from
    (1, 0) to (0, 3) lies (√2, √2), of length 2. `slerp` in `labkit/player/parts.js` is the same
    formula for pages. Shoemake 1985 has unit quaternions, where no length changes.

    Args:
        a, b: codes, float64, (D,) or (m, D).
        s: shares from 0 to 1, shape (n, 1) or (n, 1, 1), an axis for each of a code's.

    Raises:
        ValueError: a code that is zero, or two that are opposite.
    """
    length_a, length_b = (np.linalg.norm(z, axis=-1, keepdims=True) for z in (a, b))
    if not (np.all(length_a > 0) and np.all(length_b > 0)):
        raise ValueError("a code is zero and has no direction; interpolate linearly")
    u, v = a / length_a, b / length_b
    # From half the chords: exact for small and for large angles, unlike arccos.
    angle = 2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))[..., None]
    sine = np.sin(angle)
    parallel = sine < PARALLEL
    if np.any(parallel & (angle > 1)):
        raise ValueError(
            "two codes are opposite, so every turn between them is as short; interpolate linearly"
        )
    sine = np.where(parallel, 1.0, sine)
    left = np.where(parallel, 1 - s, np.sin((1 - s) * angle) / sine)
    right = np.where(parallel, s, np.sin(s * angle) / sine)
    return (left * u + right * v) * ((1 - s) * length_a + s * length_b)


def check_codes(z) -> np.ndarray:
    """Codes as float64. Raises ValueError unless they are finite, of shape (D,) or (m, D)."""
    z = np.asarray(z, dtype="float64")
    if z.ndim not in (1, 2) or z.size == 0:
        raise ValueError(f"codes have shape {z.shape}; (D,) or (m, D) was expected")
    if not np.isfinite(z).all():
        raise ValueError("codes hold NaN or infinite values; the model that made them has diverged")
    return z
