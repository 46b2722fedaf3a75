"""Planes of two latents: codes at a scale of their own, and posteriors beside their Gaussians."""

from __future__ import annotations

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from labkit.plots.images import grey_images, show_sheet
from labkit.plots.latents import draw_codes, take_dims
from labkit.plots.style import CLASSES, LINES, LabFigure, styled

INSIDE = 99.0  # percent of the codes that a panel shows, at least
SHOWN = 1e-3  # of its greatest value: where a posterior is drawn
STD = 2.0  # standard deviations at which a Gaussian's ellipse is drawn


@styled
def scaled_planes(codes, labels, class_names, *, dims=(0, 1), title="", name="scaled-planes"):
    """Codes of images in two latents, a panel a model, each panel on a scale of its own.

    The dashed circle is two standard deviations of the prior, so that the scales can be
    compared. A panel shows 99 % of its codes at least, and the whole circle.

    Args:
        codes: dict of panel title → codes, shape (n, D) with D ≥ 2.
        labels: class of each image, integers, shape (n,). class_names: a name a class.
        dims: which two latents to draw.
    """
    rows = -(-len(codes) // 2)
    fig = LabFigure(height=rows * 3.3 + 0.5, name=name)
    panels = fig.subplots(rows, 2, squeeze=False).ravel()
    spreads = []
    for axes, (label, every) in zip(panels, codes.items(), strict=False):
        z = take_dims(every, dims)
        draw_codes(axes, z, labels)
        reach = max(2.2, 1.05 * np.percentile(np.abs(z).max(axis=1), INSIDE))
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=label)
        spreads.append(f"{label}: standard deviations {z[:, 0].std():.2f} and {z[:, 1].std():.2f}")
    for axes in panels[len(codes) :]:
        axes.set_visible(False)
    dots = [
        Line2D([], [], color=CLASSES[c % len(CLASSES)], marker="o", linestyle="")
        for c in range(len(class_names))
    ]
    fig.legend(dots, class_names, loc="outside lower center", ncols=10, handletextpad=0.0, columnspacing=0.6)
    fig.suptitle(title or None)
    fig.alt = (
        f"{title or 'Latent planes'}: codes of {len(labels):,} images in two latents, each panel on its "
        f"own scale with the prior's circle. {'; '.join(spreads)}."
    )
    return fig


@styled
def posteriors(images, shares, axis, gaussians, *, titles=None, title="", name="posteriors"):
    """The true posterior over two latents as a heat map, with Gaussians drawn over it; below each image.

    Each panel is cut to where the posterior or a Gaussian is.

    Args:
        images: (n, h, w[, 1]) in [0, 1], a column each; four at most read well.
        shares: p(z|x) on a square grid, shape (n, points, points), the first latent first.
        axis: the grid's values along each latent, shape (points,).
        gaussians: dict of label → (z_mean, z_log_var), each (n, 2); drawn as ellipses at two
            standard deviations.
        titles: a text above each image, or None.
    """
    n = len(images)
    fig = LabFigure(height=4.6, name=name)
    panels = fig.subplots(2, n, squeeze=False, height_ratios=(1, 1.7))
    for i, image in enumerate(grey_images(images)):
        show_sheet(panels[0, i], image)
        panels[0, i].set_title(titles[i] if titles else "", fontsize=11)
        own = {label: (mean[i], np.exp(0.5 * log_var[i])) for label, (mean, log_var) in gaussians.items()}
        draw_posterior(panels[1, i], shares[i], axis, own)
        panels[1, i].set_xlabel("latent 1")
    panels[1, 0].set_ylabel("latent 2")
    looks = [Line2D([], [], color=colour, ls=line) for colour, line in ellipse_looks(gaussians)]
    fig.legend(looks, list(gaussians), loc="outside lower center", ncols=len(gaussians))
    fig.suptitle(title or None)
    fig.alt = (
        f"{title or 'Posteriors'}: {n} images; below each its true posterior over two latents as a heat "
        f"map, with {' and '.join(gaussians)} as ellipses of {STD:g} standard deviations."
    )
    return fig


def ellipse_looks(gaussians):
    """Colour and line of each Gaussian."""
    return list(zip(LINES[1:], ("-", "--", ":"), strict=False))[: len(gaussians)]


def draw_posterior(axes, shares, axis, gaussians):
    """One heat map (points, points) with ellipses of (mean (2,), std (2,)), cut to what is there."""
    where = np.argwhere(shares > SHOWN * shares.max())
    corners = [axis[where.min(axis=0)], axis[where.max(axis=0)]]
    for mean, std in gaussians.values():
        corners += [mean - 1.2 * STD * std, mean + 1.2 * STD * std]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    centre, half = (low + high) / 2, max((high - low).max() / 2, 2 * (axis[1] - axis[0]))
    extent = (axis[0], axis[-1], axis[0], axis[-1])
    axes.imshow(
        shares.T, origin="lower", extent=extent, cmap="Greys", aspect="equal", interpolation="nearest"
    )
    for (mean, std), (colour, line) in zip(gaussians.values(), ellipse_looks(gaussians), strict=True):
        axes.add_patch(Ellipse(mean, *(2 * STD * std), fill=False, ec=colour, ls=line, lw=2))
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    axes.grid(False)
    axes.locator_params(nbins=3)
