"""Curves of an experiment that was repeated with several seeds."""

from __future__ import annotations

import numpy as np

from labkit.plots.style import LINES, LabFigure, styled


@styled
def seed_lines(
    x, series, *, xlabel, ylabel="nats per image", title="", panels=None, log2=False, name="seed-lines"
):
    """One line a series through the medians over seeds; every seed is a dot.

    Args:
        x: values of the axis, shape (n,).
        series: dict of label → values, shape (seeds, n).
        panels: labels to draw together, a tuple a panel; None draws all in one.
        log2: a logarithmic horizontal axis with a tick at every value.
    """
    panels = panels or [tuple(series)]
    fig = LabFigure(height=1.0 + 2.5 * len(panels), name=name)
    looks = dict(zip(series, zip(LINES, "osD^vP", strict=True), strict=False))
    every = np.atleast_1d(fig.subplots(len(panels), 1, sharex=True))
    for axes, labels in zip(every, panels, strict=True):
        for label in labels:
            colour, marker = looks[label]
            values = np.asarray(series[label], "float64")
            axes.plot(x, np.median(values, axis=0), color=colour, label=label)
            axes.plot(x, values.T, marker, color=colour, markersize=5, alpha=0.7)
        axes.set_ylabel(ylabel)
        axes.legend()
    if log2:
        every[-1].set_xscale("symlog", base=2, linthresh=min(v for v in x if v > 0))
        every[-1].set_xticks(x, [f"{v:g}" for v in x])
        every[-1].minorticks_off()
    every[0].set_title(title)
    every[-1].set_xlabel(xlabel)
    fig.alt = f"{title or ylabel} against {xlabel} from {x[0]:g} to {x[-1]:g}: " + "; ".join(
        range_text(label, values) for label, values in series.items()
    )
    return fig


def range_text(label, values):
    """A series in words: its medians at both ends, and its widest range over seeds."""
    values = np.asarray(values, "float64")
    ends = np.median(values[:, [0, -1]], axis=0)
    widest = np.ptp(values, axis=0).max()
    seeds = f", at most {widest:.2g} apart over {len(values)} seeds" if len(values) > 1 else ""
    return f"{label} from {ends[0]:.4g} to {ends[1]:.4g}{seeds}"
