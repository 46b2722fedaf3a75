"""The figure that carries its own alt text, and the one style of all figures.

Colours are Paul Tol's "muted" and "bright" schemes, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import base64
import functools
import io

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

WIDTH = 6.4  # inches; 640 px on the page at 100 px an inch
DPI = 150
BLUE, RED, GREEN, YELLOW, PURPLE, GREY = "#4477AA", "#EE6677", "#228833", "#CCBB44", "#AA3377", "#777777"
LINES = (BLUE, RED, GREEN, PURPLE, YELLOW, GREY)
CLASSES = (
    "#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE",
    "#882255", "#44AA99", "#999933", "#AA4499", "#777777",
)  # fmt: skip
STYLE = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "legend.fontsize": 11,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": matplotlib.cycler(color=LINES),
}


class LabFigure(Figure):
    """A matplotlib figure that carries alt text and a file name into the notebook."""

    def __init__(self, width=WIDTH, height=3.6, *, name, alt=""):
        super().__init__(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(self)
        self.name, self.alt = name, alt

    def png(self) -> bytes:
        """The figure as PNG; with one channel if it is grey, which makes it half as large."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        drawn = Image.open(buffer).convert("RGB")  # nothing in it is transparent
        pixels = np.asarray(drawn)
        grey = not np.any(np.ptp(pixels, axis=-1))
        stored = io.BytesIO()
        (Image.fromarray(pixels[..., 0]) if grey else drawn).save(stored, "png", optimize=True)
        return stored.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        width = round(self.get_figwidth() * 100)
        data = {
            "image/png": base64.b64encode(self.png()).decode("ascii"),
            "text/plain": f"Figure: {self.alt}",
        }
        return data, {"image/png": {"alt": self.alt, "name": self.name, "width": width}}


def styled(plot):
    """Run a plotting function under the house style."""

    @functools.wraps(plot)
    def wrapper(*args, **kwargs):
        with matplotlib.rc_context(STYLE):
            return plot(*args, **kwargs)

    return wrapper
