"""The way of a tensor through a network."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.patches import Rectangle

from labkit.plots.style import BLUE, GREY, LabFigure, styled


@styled
def tensor_path(shapes, *, title="", name="tensor-path"):
    """The shapes that a tensor takes on its way through a network, drawn to scale from left to right.

    A map (h, w, c) is a box h high whose width grows with the logarithm of its channels; a vector is
    a grey line whose height grows with the logarithm of its length.

    Args:
        shapes: dict of label → shape (n,) or (h, w, c), in order.
    """
    fig = LabFigure(height=3.4, name=name)
    axes = fig.subplots()
    tallest = max([s[0] for s in shapes.values() if len(s) == 3], default=1)
    longest = max([s[0] for s in shapes.values() if len(s) == 1], default=1)
    x, places = 0.0, []
    for shape in shapes.values():
        width = draw_shape(axes, shape, x, tallest, longest)
        places.append(x + width / 2)
        x += width + 0.32 * tallest
    for left, right in itertools.pairwise(places):
        axes.plot([left + 0.1 * tallest, right - 0.1 * tallest], [0, 0], color=GREY, lw=1, zorder=0)
    axes.set(xlim=(-4, x), ylim=(-0.95 * tallest, 0.95 * tallest), title=title)
    axes.set_yticks([])
    axes.set_xticks(places, list(shapes), rotation=25, ha="right", fontsize=10)
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    fig.alt = (
        f"{title or 'Shapes'}: "
        + ", then ".join(f"{label} {'×'.join(map(str, shape))}" for label, shape in shapes.items())
        + "."
    )
    return fig


def draw_shape(axes, shape, x, tallest, longest) -> float:
    """Draw the box of a map (h, w, c) or the line of a vector (n,) from `x` on; return its width."""
    if len(shape) == 3:
        height, width, colour = shape[0], 2 + 1.4 * np.log2(shape[2]), BLUE
    else:
        height, width, colour = 1.25 * tallest * np.log2(1 + shape[0]) / np.log2(1 + longest), 0.8, GREY
    axes.add_patch(Rectangle((x, -height / 2), width, height, fc=colour, ec="white"))
    text = "×".join(map(str, shape))
    axes.text(x + width / 2, height / 2 + 1, text, ha="center", va="bottom", fontsize=10)
    return width
