"""Games in the plane: fields of arrows with paths, and clouds of points through a training."""

from __future__ import annotations

import numpy as np

from labkit.plots.style import BLUE, GREY, RED, WIDTH, LabFigure, styled

ARROWS = 15  # a side


@styled
def vector_fields(panels, *, reach, labels, title="", name="vector-fields"):
    """Fields of arrows, all of one length, each with a path through it, on one common scale.

    Args:
        panels: dict of title → (field, path): `field` takes two arrays of coordinates and returns
            the arrows' two parts, of their shape; `path` has shape (n, 2).
        reach: the axes run from −reach to reach.
        labels: what the two coordinates are.
    """
    rows = -(-len(panels) // 2)
    fig = LabFigure(height=3.1 * rows + 0.4, name=name)
    every = fig.subplots(rows, 2, squeeze=False, sharex=True, sharey=True).ravel()
    ticks = np.linspace(-reach, reach, ARROWS)
    x, y = np.meshgrid(ticks, ticks)
    words = []
    for axes, (label, (field, path)) in zip(every, panels.items(), strict=False):
        u, v = field(x, y)
        length = np.maximum(np.hypot(u, v), 1e-12)
        axes.quiver(x, y, u / length, v / length, color=GREY, pivot="mid", width=0.004)
        axes.plot(*path.T, color=BLUE, lw=1.5)
        axes.plot(*path[0], "o", color=BLUE)
        axes.plot(0, 0, "+", color=RED, markersize=12, markeredgewidth=2)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.set_title(label, fontsize=11)
        ends = np.linalg.norm(path[[0, -1]], axis=1)
        words.append(f"{label}: from {ends[0]:.2g} to {ends[1]:.2g} away from the origin")
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    fig.supxlabel(labels[0], fontsize=12)
    fig.supylabel(labels[1], fontsize=12)
    fig.suptitle(title)
    fig.alt = f"{title or 'Fields of arrows'}, a path in each: {'; '.join(words)}."
    return fig


@styled
def point_panels(rows, real, *, limits=(0.0, 1.0), title="", name="points"):
    """Clouds of points in the plane, a row of panels for each label, over the real points.

    Args:
        rows: dict of label → dict of panel title → points (n, 2); equally many panels a row.
        real: points (m, 2), drawn in grey behind each cloud.
        limits: (least, greatest) of both axes.
    """
    columns = len(next(iter(rows.values())))
    side = WIDTH / columns
    fig = LabFigure(height=len(rows) * (side + 0.3) + 0.3, name=name)
    every = fig.subplots(len(rows), columns, squeeze=False)
    words = []
    for line, (label, panels) in zip(every, rows.items(), strict=True):
        for axes, (over, points) in zip(line, panels.items(), strict=True):
            axes.scatter(*np.transpose(real), s=2, color=GREY, alpha=0.3, linewidths=0)
            axes.scatter(*np.transpose(points), s=4, color=RED, alpha=0.6, linewidths=0)
            axes.set(xlim=limits, ylim=limits, aspect="equal", xticks=[], yticks=[])
            axes.set_title(over, fontsize=10, pad=2)
        line[0].set_ylabel(label, fontsize=11)
        spread = [np.sqrt(np.var(points, axis=0).sum()) for points in panels.values()]
        words.append(f"{label}: spread of the points {', '.join(f'{s:.2f}' for s in spread)}")
    fig.suptitle(title)
    shown = ", ".join(next(iter(rows.values())))
    spread = np.sqrt(np.var(real, axis=0).sum())
    fig.alt = f"{title or 'Points'} at {shown}. {'; '.join(words)}; of the real points {spread:.2f}."
    return fig
