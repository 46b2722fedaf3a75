"""A metric against a parameter, over the runs of a sweep."""

from __future__ import annotations

import numpy as np

from labkit.plots.curves import place_legend
from labkit.plots.style import LINES, LabFigure, styled

MARKERS = "osD^vP"
MOST_SERIES = len(MARKERS)
MOST_TICKS = 12  # a value of the axis each, where there are no more


@styled
def spread_lines(series, *, xlabel, ylabel, title="", name="spread"):
    """One line a series through the medians over repetitions; every run is a dot.

    Unlike `lines` it takes any number of repetitions at each value, none included.

    Args:
        series: dict of label → dict of value → list of numbers, at most six series. Values are
            numbers, drawn to scale (logarithmic where they span more than a factor of 30), or
            texts, drawn side by side.

    Raises:
        ValueError: more series than there are markers, or not one number.
    """
    if len(series) > MOST_SERIES:
        raise ValueError(f"{len(series)} series; at most {MOST_SERIES} can be told apart")
    values = ordered({x for points in series.values() for x, ys in points.items() if ys})
    if not values:
        raise ValueError("there is no number to draw")
    numeric = all(is_number(x) for x in values)
    places = {x: float(x) if numeric else i for i, x in enumerate(values)}
    fig = LabFigure(name=name)
    axes = fig.subplots()
    for (label, points), colour, marker in zip(series.items(), LINES, MARKERS, strict=False):
        xs = [x for x in values if points.get(x)]
        axes.plot([places[x] for x in xs], [np.median(points[x]) for x in xs], color=colour, label=label)
        dots = [(places[x], y) for x in xs for y in points[x]]
        axes.plot(*zip(*dots, strict=True), marker, color=colour, markersize=5, alpha=0.6)
    arrange_axis(axes, values, places, numeric)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if len(series) > 1:
        place_legend(fig, axes)
    fig.alt = f"{title or ylabel} against {xlabel}, {values[0]} to {values[-1]}: " + "; ".join(
        in_words(label, points, values) for label, points in series.items()
    )
    return fig


def is_number(value):
    """Whether a value of the axis is a number, truth values left out."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def ordered(values):
    """Numbers by size; where one is none, all by their text."""
    return sorted(values) if all(map(is_number, values)) else sorted(values, key=str)


def arrange_axis(axes, values, places, numeric):
    """A scale and ticks that fit the values."""
    if numeric and values[0] > 0 and values[-1] > 30 * values[0]:
        axes.set_xscale("log")
        axes.minorticks_off()
    if not numeric or len(values) <= MOST_TICKS:
        axes.set_xticks([places[x] for x in values], [f"{x:g}" if numeric else str(x) for x in values])


def in_words(label, points, values):
    """A series in words: its medians at both ends, and the widest range over repetitions."""
    xs = [x for x in values if points.get(x)]
    if not xs:
        return f"{label} has no value"
    first, last = (np.median(points[x]) for x in (xs[0], xs[-1]))
    most = max(len(points[x]) for x in xs)
    widest = max(np.ptp(points[x]) for x in xs)
    spread = f", at most {widest:.2g} apart over {most} repetitions" if most > 1 else ""
    return f"{label} from {first:.4g} to {last:.4g}{spread}"
