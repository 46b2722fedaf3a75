"""Distances and class shares of generated images."""

from __future__ import annotations

import numpy as np

from labkit.plots.curves import plain_ticks
from labkit.plots.style import BLUE, GREEN, GREY, RED, LabFigure, styled


@styled
def distances(groups, floor, ceiling, *, xlabel, title="", name="distances"):
    """Distances of several models on a logarithmic axis: a dot a seed, a bar at the median.

    Args:
        groups: dict of model → distances, one a seed, each positive.
        floor, ceiling: the same distance for real images and for noise.
    """
    fig = LabFigure(height=1.3 + 0.42 * len(groups), name=name)
    axes = fig.subplots()
    axes.axvspan(floor, floor + 0.1 * (ceiling - floor), color=GREEN, alpha=0.1, lw=0)
    for value, label, colour in ((floor, "floor", GREEN), (ceiling, "ceiling", RED)):
        axes.axvline(value, color=colour, ls="--", lw=1.5)
        side = "left" if label == "floor" else "right"
        axes.text(value, -0.75, f" {label} ", color=colour, ha=side, va="center", fontsize=11)
    for row, values in enumerate(groups.values()):
        axes.plot(values, [row] * len(values), "o", color=BLUE, alpha=0.7)
        axes.plot([np.median(values)], [row], "|", color="black", markersize=18, markeredgewidth=2)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set(xscale="log", xlabel=xlabel, title=title, ylim=(len(groups) - 0.5, -1.1))
    plain_ticks(axes.xaxis)
    medians = ", ".join(f"{label} {np.median(values):.3g}" for label, values in groups.items())
    fig.alt = f"{title or xlabel}, medians: {medians}; floor {floor:.3g}, ceiling {ceiling:.4g}."
    return fig


@styled
def class_shares(rows, class_names, *, title="", name="class-shares"):
    """Share of each class among images, a row of bars for each set of images.

    Args:
        rows: dict of set → shares (classes,), each summing to 1.
        class_names: a name a class. The dotted line is an equal share of all classes.
    """
    fig = LabFigure(height=0.9 + 1.1 * len(rows), name=name)
    panels = np.atleast_1d(fig.subplots(len(rows), 1, sharex=True, sharey=True))
    for axes, (label, shares) in zip(panels, rows.items(), strict=True):
        axes.bar(range(len(shares)), 100 * np.asarray(shares), color=BLUE)
        axes.axhline(100 / len(shares), color=GREY, ls=":", lw=1.5)
        axes.set_title(label, loc="left", fontsize=11, pad=3)
        axes.grid(axis="x", visible=False)
    words = {"rotation": 35, "ha": "right"} if max(map(len, class_names)) > 5 else {}
    panels[-1].set_xticks(range(len(class_names)), class_names, **words)
    fig.supylabel("share, %", fontsize=12)
    fig.suptitle(title, fontsize=12)
    ends = [f"{label} {min(v):.1%} to {max(v):.1%}" for label, v in rows.items()]
    fig.alt = f"{title or 'Share of each class'}, least to most frequent class: {'; '.join(ends)}."
    return fig
