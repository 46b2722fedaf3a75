"""Exercises in a notebook: a student's value beside the true one."""

from __future__ import annotations

import html

import numpy as np

OPEN, RIGHT, WRONG = "– not written yet", "✓ right", "✗ not yet"


class Compared:
    """Your values beside the true ones, shown as a table; a line not yet written is no error.

    Args:
        values: what is compared → (yours, true): numbers or arrays. `...` or None as yours
            stands for a line that is still to be written.
        tolerance: how far apart the two may be.

    Example:
        Compared({"KL of N(0, I)": (my_kl(zero, zero), 0.0)})
    """

    def __init__(self, values, tolerance=1e-3):
        self.rows = [
            (what, value_text(yours), value_text(true), verdict(yours, true, tolerance))
            for what, (yours, true) in values.items()
        ]

    def _repr_html_(self) -> str:
        headings = ("", "your value", "true value", "")
        lines = ["".join(f"<th scope='col'>{text}</th>" for text in headings)]
        lines += ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in self.rows]
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in self.rows)


def verdict(yours, true, tolerance) -> str:
    """Whether a value is right, wrong or still to be written."""
    if yours is None or yours is ...:
        return OPEN
    try:
        yours, true = np.asarray(yours, "float64"), np.asarray(true, "float64")
    except (TypeError, ValueError):
        return WRONG
    return RIGHT if yours.shape == true.shape and np.allclose(yours, true, 0, tolerance) else WRONG


def value_text(value) -> str:
    """A number, a short array, or the shape of a longer one."""
    if value is None or value is ...:
        return "…"
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"
    if array.size > 6:
        return f"an array of shape {array.shape}"
    return np.array2string(array, precision=4, separator=", ", suppress_small=True)
