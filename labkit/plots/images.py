"""Sheets and rows of grey images."""

from __future__ import annotations

import numpy as np

from labkit.plots.style import WIDTH, LabFigure, styled


def tile(images, columns, pad=1):
    """Join images (n, h, w[, 1]) in [0, 1] into one sheet, row by row, with white gaps."""
    images = check_images(images)
    n, h, w = images.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (h + pad) - pad, columns * (w + pad) - pad))
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + pad), (i % columns) * (w + pad)
        sheet[top : top + h, left : left + w] = image
    return sheet


def check_images(images):
    """Return images as (n, h, w). Raises ValueError if they are none, NaN or outside [0, 1]."""
    images = np.asarray(images, dtype="float64")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(
            f"images have shape {images.shape}; (n, height, width) or (n, height, width, 1) expected"
        )
    if not np.isfinite(images).all():
        raise ValueError("images hold NaN or infinite values")
    if images.min() < -1e-6 or images.max() > 1 + 1e-6:
        raise ValueError(f"images lie in [{images.min():.3g}, {images.max():.3g}]; plots expect [0, 1]")
    return np.clip(images, 0, 1)


def show_sheet(axes, sheet, extent=None):
    """Draw a sheet of grey images on axes without ticks."""
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


@styled
def image_grid(images, columns=10, *, title="", name="images", alt=None):
    """A grid of images (n, h, w[, 1]) in [0, 1]."""
    sheet = tile(images, columns)
    fig = LabFigure(height=WIDTH * sheet.shape[0] / sheet.shape[1] + (0.4 if title else 0.05), name=name)
    axes = fig.subplots()
    show_sheet(axes, sheet)
    axes.set_title(title)
    fig.alt = alt or f"{title or 'Images'}: a grid of {len(images)} images, {columns} a row."
    return fig


@styled
def image_rows(rows, *, title="", name="rows", alt=None):
    """Rows of images under each other, aligned by column, each with its label.

    Args:
        rows: dict of label → images (n, h, w[, 1]) in [0, 1], equally many in each row;
            for reconstructions: {"original": x, "reconstruction": x_hat}.
    """
    counts = {label: len(images) for label, images in rows.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"rows need equally many images; got {counts}")
    n = next(iter(counts.values()))
    fig = LabFigure(height=len(rows) * (WIDTH / n + 0.32) + (0.35 if title else 0.1), name=name)
    for axes, (label, images) in zip(np.atleast_1d(fig.subplots(len(rows), 1)), rows.items(), strict=True):
        show_sheet(axes, tile(images, n))
        axes.set_title(label, loc="left", fontsize=11, pad=3)
    if title:
        fig.suptitle(title)
    fig.alt = alt or f"{title + ': ' if title else ''}{n} images in each of the rows {'; '.join(rows)}."
    return fig
