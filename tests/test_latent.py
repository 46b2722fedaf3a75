"""Paths in a latent space: ends, lengths, angles, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from labkit import latent

COORDINATES = st.floats(-10, 10, width=32)
CODES = arrays("float32", (5,), elements=COORDINATES)
LONG_CODES = CODES.filter(lambda z: np.linalg.norm(z) > 0.1)


def angle(u, v):
    cosine = np.sum(u * v, axis=-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
    return np.arccos(np.clip(cosine, -1, 1))


def test_scaling_multiplies_length_and_keeps_direction():
    z = np.array([3.0, -4.0])
    scaled = latent.scale(z, [0.5, 1.0, 2.0])
    assert scaled.dtype == np.float32
    assert_allclose(scaled, [[1.5, -2.0], [3.0, -4.0], [6.0, -8.0]])


def test_scaling_of_many_codes_has_the_factor_as_first_axis():
    z = np.random.default_rng(0).normal(size=(7, 4))
    scaled = latent.scale(z, (2.0, 3.0))
    assert scaled.shape == (2, 7, 4)
    assert_allclose(scaled[1], 3 * z, rtol=1e-6)


@pytest.mark.parametrize("factors", [0, [1.0, -1.0], [np.nan], [np.inf], [], [[1.0]]])
def test_factors_that_are_not_positive_are_refused(factors):
    with pytest.raises(ValueError, match="positive numbers t"):
        latent.scale(np.ones(3), factors)


@given(CODES, CODES, st.integers(2, 9))
def test_a_line_has_equal_steps(a, b, n):
    path = latent.interpolate(a, b, n)
    assert path.shape == (n, 5)
    assert_allclose(path[0], a, atol=1e-5)
    assert_allclose(path[-1], b, atol=1e-5)
    assert_allclose(np.diff(path, axis=0), np.tile((b - a) / (n - 1), (n - 1, 1)), atol=1e-4)


@given(LONG_CODES, LONG_CODES)
def test_a_turn_has_equal_angles_and_the_lengths_between_the_ends(a, b):
    whole = angle(a.astype("float64"), b.astype("float64"))
    if whole > 3.13:  # nearly opposite: refused, or without a plane that rounding keeps
        return
    path = latent.interpolate(a, b, 5, spherical=True).astype("float64")
    assert_allclose(path[[0, -1]], [a, b], atol=1e-4)
    lengths = np.linalg.norm(path, axis=1)
    assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 5), rtol=1e-4)
    assert_allclose(angle(path[:-1], path[1:]), np.full(4, whole / 4), atol=2e-3)


def test_the_middle_of_a_quarter_turn():
    middle = latent.interpolate([1.0, 0.0], [0.0, 1.0], 3, spherical=True)[1]
    assert_allclose(middle, [np.sqrt(0.5), np.sqrt(0.5)], rtol=1e-6)
    assert_allclose(latent.interpolate([1.0, 0.0], [0.0, 1.0], 3)[1], [0.5, 0.5])


def test_halfway_between_codes_of_unequal_lengths_lies_their_mean_length():
    middle = latent.slerp(np.array([1.0, 0.0]), np.array([0.0, 3.0]), np.array([[0.5]]))
    assert_allclose(middle, [[np.sqrt(2), np.sqrt(2)]])


def test_parallel_codes_are_joined_by_a_line():
    path = latent.interpolate([1.0, 1.0], [3.0, 3.0], 3, spherical=True)
    assert_allclose(path, [[1, 1], [2, 2], [3, 3]], rtol=1e-6)


@pytest.mark.parametrize("spherical", [False, True])
def test_many_pairs_are_joined_each_as_alone(spherical):
    a, b = np.random.default_rng(1).normal(size=(2, 6, 4))
    together = latent.interpolate(a, b, 4, spherical=spherical)
    alone = [latent.interpolate(u, v, 4, spherical=spherical) for u, v in zip(a, b, strict=True)]
    assert_array_equal(together, np.stack(alone, axis=1))


@pytest.mark.parametrize(
    ("a", "b", "n", "message"),
    [
        (np.ones(3), np.ones(4), 5, r"shapes \(3,\) and \(4,\)"),
        (np.ones(3), np.ones(3), 1, "n is 1"),
        (np.ones(3), np.ones(3), 2.5, "n is 2.5"),
        (np.ones(3), np.ones(3), True, "n is True"),
        (1.0, 1.0, 5, r"shape \(\)"),
        (np.full(3, np.nan), np.ones(3), 5, "NaN"),
    ],
)
def test_what_has_no_path_is_refused(a, b, n, message):
    with pytest.raises(ValueError, match=message):
        latent.interpolate(a, b, n)


def test_turns_without_a_direction_are_refused():
    with pytest.raises(ValueError, match="a code is zero"):
        latent.interpolate(np.zeros(3), np.ones(3), 5, spherical=True)
    with pytest.raises(ValueError, match="opposite"):
        latent.interpolate([1.0, 0.0], [-2.0, 0.0], 5, spherical=True)


@pytest.mark.parametrize("spherical", [False, True])
def test_lines_are_the_paths_one_after_another(spherical):
    a, b = np.random.default_rng(0).normal(size=(2, 3, 5))
    found = latent.lines(a, b, 4, spherical=spherical)
    assert found.shape == (12, 5)
    for i in range(3):
        alone = latent.interpolate(a[i], b[i], 4, spherical=spherical)
        assert_allclose(found[4 * i : 4 * i + 4], alone, rtol=1e-5, atol=1e-6)
