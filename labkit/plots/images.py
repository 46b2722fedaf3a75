"""Sheets and rows of grey images."""

from __future__ import annotations

import numpy as np

from labkit.images import clipped_images
from labkit.plots.style import WIDTH, LabFigure, styled


def tile(images, columns, pad=1):
    """Join images (n, h, w[, 1]) in [0, 1] into one sheet, row by row, with white gaps."""
    images = grey_images(images)
    n, h, w = images.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (h + pad) - pad, columns * (w + pad) - pad))
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + pad), (i % columns) * (w + pad)
        sheet[top : top + h, left : left + w] = image
    return sheet


def grey_images(images) -> np.ndarray:
    """Images (n, h, w[, 1]) in [0, 1] as (n, h, w). Raises ValueError as `labkit.images` does."""
    images = clipped_images(images)
    return images.reshape(images.shape[:3])


def show_sheet(axes, sheet, extent=None):
    """Draw a sheet of grey images on axes without ticks."""
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


@styled
def image_grid(images, columns=10, *, title="", name="images", labels=None, alt=None):
    """A grid of images (n, h, w[, 1]) in [0, 1].

    Args:
        labels: what each image shows, for the alt text, such as its class; one an image.
        alt: the whole alt text, where the one made here does not say what matters.
    """
    sheet = tile(images, columns)
    fig = LabFigure(height=WIDTH * sheet.shape[0] / sheet.shape[1] + (0.4 if title else 0.05), name=name)
    axes = fig.subplots()
    show_sheet(axes, sheet)
    axes.set_title(title)
    fig.alt = alt or grid_in_words(title or "Images", grey_images(images), columns, labels)
    return fig


def grid_in_words(title, images, columns, labels):
    """What a grid shows: its images' labels, row by row, or else how bright and how unlike they are."""
    n = len(images)
    layout = f"{title}: {n} images" + (f", {columns} a row" if n > columns else "")
    if labels is None:
        return f"{layout}. {MEASURES}: {in_numbers(images)}."
    check_count(labels, n)
    lines = [", ".join(map(str, labels[i : i + columns])) for i in range(0, n, columns)]
    return f"{layout}. " + "; ".join(lines) + "."


MEASURES = "Brightness (0 black, 1 white) and variety (distance of a pixel from the mean image)"


def in_numbers(images):
    """Mean grey of images (n, h, w), and the root mean square of pixels about the images' mean."""
    variety = np.sqrt(np.mean(np.square(images - images.mean(axis=0))))
    return f"{images.mean():.2f}, {variety:.2f}"


def check_count(labels, n):
    """Raise ValueError unless there is a label for each of `n` images."""
    if len(labels) != n:
        raise ValueError(f"there are {len(labels)} labels for {n} images; one for each was expected")


@styled
def image_rows(rows, *, title="", name="rows", labels=None, alt=None):
    """Rows of images under each other, aligned by column, each with its label.

    Args:
        rows: dict of label → images (n, h, w[, 1]) in [0, 1], equally many in each row;
            for reconstructions: {"original": x, "reconstruction": x_hat}.
        labels: what each column shows, for the alt text, such as the class; n of them.
        alt: the whole alt text, where the one made here does not say what matters.
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
    fig.alt = alt or rows_in_words(title, {label: grey_images(x) for label, x in rows.items()}, labels)
    return fig


def rows_in_words(title, rows, labels):
    """What rows show: the columns' labels, and how bright and unlike each row's images are.

    Where the images are of one size, also how far those of each row are from the first row's.
    """
    first, n = next(iter(rows.values())), len(next(iter(rows.values())))
    start = f"{title + ': ' if title else ''}{len(rows)} rows of {n} images."
    if labels is not None:
        check_count(labels, n)
        start += f" From left to right: {', '.join(map(str, labels))}."
    alike = len(rows) > 1 and all(images.shape == first.shape for images in rows.values())
    words = []
    for label, images in rows.items():
        words.append(f"{label} {in_numbers(images)}")
        if alike and images is not first:
            words[-1] += f", {np.sqrt(np.mean(np.square(images - first))):.2f} from the first row"
    return f"{start} {MEASURES}: {'; '.join(words)}."
