"""An exercise tells right from wrong, and runs before it is written."""

import numpy as np
import pytest

from labkit import exercises


@pytest.mark.parametrize(
    ("yours", "true", "verdict"),
    [
        (..., 0.5, exercises.OPEN),
        (None, 0.5, exercises.OPEN),
        (0.5001, 0.5, exercises.RIGHT),
        (0.6, 0.5, exercises.WRONG),
        (float("nan"), 0.5, exercises.WRONG),
        ("half", 0.5, exercises.WRONG),
        (np.zeros((2, 3)), np.zeros((2, 3)), exercises.RIGHT),
        (np.zeros((3, 2)), np.zeros((2, 3)), exercises.WRONG),
        ([0.0, 0.5], [0.0, 0.5], exercises.RIGHT),
        (0.25, [0.0, 0.5], exercises.WRONG),
    ],
)
def test_a_value_is_right_if_it_has_the_shape_and_is_near(yours, true, verdict):
    assert exercises.verdict(yours, true, 1e-3) == verdict


def test_the_table_shows_both_values_and_says_what_is_not_written():
    shown = exercises.Compared({"KL < 1": (..., 0.5), "grid": (np.zeros((4, 4)), np.zeros((4, 4)))})
    text = shown._repr_html_()
    assert "KL &lt; 1" in text and "0.5" in text and exercises.OPEN in text
    assert "an array of shape (4, 4)" in repr(shown) and exercises.RIGHT in repr(shown)
