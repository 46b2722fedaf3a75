"""Figures: arrays in, a figure with its alt text out.

All figures share one style, are legible at the width of a phone and use colours that
colour-blind readers can tell apart.
"""

from labkit.plots.curves import history, lines, paired_history
from labkit.plots.images import grey_images, image_grid, image_rows, tile
from labkit.plots.latents import kl_per_dim, latent_planes, manifold
from labkit.plots.planes import posteriors, scaled_planes
from labkit.plots.rates import rate_distortion
from labkit.plots.samples import class_shares, distances
from labkit.plots.shapes import tensor_path
from labkit.plots.style import LINES, LabFigure
from labkit.plots.sweeps import spread_lines
from labkit.plots.toys import point_panels, vector_fields

__all__ = [
    "LINES",
    "LabFigure",
    "class_shares",
    "distances",
    "grey_images",
    "history",
    "image_grid",
    "image_rows",
    "kl_per_dim",
    "latent_planes",
    "lines",
    "manifold",
    "paired_history",
    "point_panels",
    "posteriors",
    "rate_distortion",
    "scaled_planes",
    "spread_lines",
    "tensor_path",
    "tile",
    "vector_fields",
]
