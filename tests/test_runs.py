"""Numbers of training runs: time, unrest, agreement of ranks and directions, the rule for verdicts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from labkit import metrics

HISTORY = {"epoch": [1, 2, 3], "seconds": [12.0, 10.0, 10.0], "measuring": [2.0, 0.0, 5.0], "fcd": [9, 5, 4]}


def test_time_spent_on_measuring_is_not_time_of_training():
    assert_allclose(metrics.training_seconds(HISTORY), [10, 20, 25])
    assert_allclose(metrics.training_seconds({"seconds": [1, 2]}), [1, 3])


@pytest.mark.parametrize(("seconds", "expected"), [(15, 7), (20, 5), (22.5, 4.5), (3, 9), (99, 4)])
def test_a_value_at_a_time_lies_on_the_line_between_two_epochs(seconds, expected):
    assert_allclose(metrics.at_time(HISTORY, "fcd", seconds), expected)


def test_unrest_is_the_jump_of_an_epoch_in_the_second_half():
    assert_allclose(metrics.unrest([100, 7, 2, 2.2, 2, 2.2]), np.log(1.1))
    assert metrics.unrest([5, 1, 3, 3, 3]) == 0
    assert_allclose(metrics.unrest([2, 1]), np.log(2))


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=9), st.floats(0.1, 10))
def test_unrest_does_not_depend_on_the_unit(values, unit):
    assert_allclose(metrics.unrest(np.multiply(unit, values)), metrics.unrest(values), atol=1e-9)


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0], []])
def test_unrest_of_what_cannot_jump_is_refused(values):
    with pytest.raises(ValueError, match="at least 2 positive values"):
        metrics.unrest(values)


def test_rank_correlation_sees_order_and_nothing_else():
    assert_allclose(metrics.rank_correlation([1, 2, 3, 4], [1, 10, 11, 1e6]), 1)
    assert_allclose(metrics.rank_correlation([1, 2, 3], [9, 5, -1]), -1)
    d = np.array([0, 1, -1, 0])  # 1 − 6 Σd² / (n (n² − 1))
    assert_allclose(metrics.rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]), 1 - 6 * (d @ d) / 60)
    assert metrics.rank_correlation([1, 2, 3], [4, 4, 4]) == 0
    with pytest.raises(ValueError, match="equal length"):
        metrics.rank_correlation([1, 2], [1, 2, 3])


def test_mean_cosine_of_known_directions():
    assert_allclose(metrics.mean_cosine([[1, 0], [5, 0], [2, 0]]), 1)
    assert_allclose(metrics.mean_cosine([[1, 0], [0, 3]]), 0, atol=1e-12)
    assert_allclose(metrics.mean_cosine([[1, 0], [0, 1], [1, 1]]), (0 + 2 * np.sqrt(0.5)) / 3)


def test_mean_cosine_is_that_of_all_pairs(rng):
    vectors = rng.normal(size=(6, 4)) + 1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(6) for j in range(i)]
    assert_allclose(metrics.mean_cosine(vectors), np.mean(pairs))
    with pytest.raises(ValueError, match="no direction"):
        metrics.mean_cosine([[0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        ([1, 2, 3], [2, 3, 4], "supported"),
        ([1, 2, 3], [1, 1, 2], "refuted"),
        ([1, 2, 3], [2, 1, 4], "undecided"),
        ([1, 2], [2, 3], "undecided"),
        ([1, 2, 3, 4], [5, 5, 5, 5], "supported"),
    ],
)
def test_a_verdict_needs_every_seed(better, worse, expected):
    assert metrics.verdict(better, worse) == expected


def test_a_verdict_needs_pairs():
    with pytest.raises(ValueError, match="one of each a seed"):
        metrics.verdict([1, 2], [1, 2, 3])


CALM = {
    "fcd": [30.0, 12.0, 14.0, 9.0],
    "recall": [0, 20, 30, 40],
    "rarest": [0, 0.2, 3, 4],
    "d_real": [0.9, 0.7],
    "d_fake": [0.2, 0.3],
}


@pytest.mark.parametrize(
    ("change", "stable"),
    [
        ({}, 1),
        ({"fcd": [30.0, 12.0, 18.5, 9.0]}, 0),  # lost half as much again on the way
        ({"fcd": [30.0, 31.0, 32.0]}, 1),  # learns nothing, which is another question
        ({"recall": [40, 9]}, 0),
        ({"rarest": [4, 0.9]}, 0),
        ({"d_real": [0.97], "d_fake": [0.05]}, 0),
    ],
)
def test_a_run_is_stable_that_keeps_varies_lacks_no_class_and_plays_on(change, stable):
    found = metrics.stability(CALM | change, noise=60)
    assert found["stable"] == stable


def test_the_numbers_of_the_rule():
    found = metrics.stability(CALM, noise=60)
    numbers = [found[name] for name in ("lost", "recall", "rarest", "gap", "of_noise")]
    assert_allclose(numbers, [14 / 12, 40, 4, 0.4, 0.15])
