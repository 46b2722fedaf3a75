"""Latent spaces: codes in a plane, what a plane decodes to, what each latent carries."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from labkit.plots.images import show_sheet, tile
from labkit.plots.style import BLUE, CLASSES, WIDTH, LabFigure, styled

LEAST_REACH = 0.1  # of a latent plane, in standard deviations of the prior
MOST_NAMED = 16  # latents whose bars have their names below
NAME_ROOM = 0.13  # of half a plane's width, between the names of two classes


@styled
def latent_planes(codes, labels, class_names, *, dims=(0, 1), title="", name="latent-plane"):
    """Codes of images in two latent dimensions, coloured by class, on one common scale.

    A single panel names each class at its median, or beside it, with a line to it, where names
    would hide each other; several share a key to the colours. The dashed circle is two standard
    deviations of the prior.

    Args:
        codes: dict of panel title → codes, shape (n, D) with D ≥ 2.
        labels: class of each image, integers, shape (n,). class_names: a name a class.
        dims: which two latent dimensions to draw.
    """
    codes = {label: take_dims(z, dims) for label, z in codes.items()}
    one = len(codes) == 1
    rows = -(-len(codes) // 2)
    fig = LabFigure(height=5.6 if one else rows * 3.2 + 0.3, name=name)
    panels = fig.subplots(rows, 1 if one else 2, squeeze=False).ravel()
    # A floor, for a silent code: the prior's dashed circle would else have millions of dashes.
    reach = max(LEAST_REACH, *(np.percentile(np.abs(z), 99.7) * 1.05 for z in codes.values()))
    for axes, (label, z) in zip(panels, codes.items(), strict=False):
        draw_codes(axes, z, labels)
        if one:
            name_classes(axes, z, labels, class_names, apart=NAME_ROOM * reach)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=label)
        axes.set(xlabel=f"latent {dims[0] + 1}", ylabel=f"latent {dims[1] + 1}")
    for axes in panels[len(codes) :]:
        axes.set_visible(False)
    if not one:
        key_to_classes(fig, class_names)
    if title:
        fig.suptitle(title)
    spreads = "; ".join(
        f"{label + ': ' if label else ''}standard deviations {z[:, 0].std():.2f} and {z[:, 1].std():.2f}"
        for label, z in codes.items()
    )
    fig.alt = f"{title or 'Latent plane'}: codes of {len(labels):,} images in two dimensions; {spreads}."
    return fig


def key_to_classes(fig, class_names):
    """A legend below the panels: a dot in each class's colour."""
    colours = [CLASSES[c % len(CLASSES)] for c in range(len(class_names))]
    dots = [Line2D([], [], color=colour, marker="o", linestyle="") for colour in colours]
    fig.legend(dots, class_names, loc="outside lower center", ncols=5, handletextpad=0.1, columnspacing=1)


def draw_codes(axes, z, labels):
    """Scatter codes (n, 2) by class, with the prior's circle."""
    axes.scatter(*z.T, c=[CLASSES[c % len(CLASSES)] for c in labels], s=4, alpha=0.6, linewidths=0)
    axes.add_patch(Circle((0, 0), 2, fill=False, ls="--", ec="#333333", lw=1.2))
    axes.set_aspect("equal")


def name_classes(axes, z, labels, class_names, apart):
    """Write each class's name at the median of its codes (n, 2), names at least `apart` apart."""
    found = np.unique(labels)
    medians = np.array([np.median(z[labels == c], axis=0) for c in found])
    for c, median, place in zip(found, medians, spread_apart(medians, apart), strict=True):
        colour = CLASSES[c % len(CLASSES)]
        axes.plot(*np.transpose([median, place]), color=colour, lw=1.5)
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": colour, "lw": 1.5}
        axes.text(*place, class_names[c], ha="center", va="center", bbox=box)


def spread_apart(points, least, rounds=500):
    """Points (n, 2), of which those nearer to each other than `least` are pushed apart."""
    angles = 2 * np.pi * np.arange(len(points)) / len(points)
    points = points + 1e-3 * least * np.column_stack([np.cos(angles), np.sin(angles)])  # parts equal ones
    for _ in range(rounds):
        offsets = points[:, None] - points  # (n, n, 2)
        distances = np.linalg.norm(offsets, axis=-1)
        np.fill_diagonal(distances, np.inf)
        lack = np.maximum(least - distances, 0) / distances
        if lack.max() < 1e-3:
            break
        points = points + (offsets * lack[..., None]).sum(axis=1) / 2
    return points


def take_dims(z, dims):
    """Columns `dims` of codes (n, D). Raises ValueError when D does not have them."""
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] <= max(dims):
        raise ValueError(
            f"codes have shape {z.shape}; a plane over latents {dims} needs (n, D > {max(dims)})"
        )
    return z[:, list(dims)]


@styled
def manifold(decode, n=15, *, latent_dim=2, dims=(0, 1), title="", name="manifold"):
    """What a plane of the latent space decodes to, on a grid of n × n Gaussian quantiles.

    Quantiles, since equal steps in probability show the prior as it is sampled.

    Args:
        decode: function of codes (batch, D) → images (batch, h, w[, 1]) in [0, 1].
        latent_dim: D; the latents not in `dims` stay 0.
        dims: which two latents run along the axes.
    """
    quantiles = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    z = np.zeros((n * n, latent_dim), dtype="float32")
    take_dims(z, dims)
    z[:, list(dims)] = [(x, y) for y in reversed(quantiles) for x in quantiles]
    fig = LabFigure(height=WIDTH, name=name)
    axes = fig.subplots()
    sheet = tile(decode(z), n, pad=0)
    show_sheet(axes, sheet)
    axes.set(xlabel=f"latent {dims[0] + 1}", ylabel=f"latent {dims[1] + 1}", title=title)
    shown = [0, n // 4, n // 2, n - 1 - n // 4, n - 1]
    axes.set_xticks(
        [(i + 0.5) / n * sheet.shape[1] for i in shown],
        [f"{quantiles[i]:.1f}".replace("-", "−") for i in shown],
    )
    axes.set_yticks(
        [(i + 0.5) / n * sheet.shape[0] for i in shown],
        [f"{quantiles[n - 1 - i]:.1f}".replace("-", "−") for i in shown],
    )
    fig.alt = (
        f"{title or 'Manifold'}: {n} by {n} images decoded from a grid of Gaussian quantiles, "
        f"{quantiles[0]:.2f} to {quantiles[-1]:.2f} in both latent dimensions."
    )
    return fig


@styled
def kl_per_dim(kl, *, title="", name="kl-per-dim"):
    """KL of each latent dimension in nats, the largest first; `kl` has shape (D,)."""
    kl = np.asarray(kl)
    order = np.argsort(kl)[::-1]
    fig = LabFigure(height=3.2, name=name)
    axes = fig.subplots()
    axes.bar(np.arange(len(kl)), kl[order], color=BLUE)
    names = [str(d + 1) for d in order]
    if len(kl) <= MOST_NAMED:
        axes.set_xticks(np.arange(len(kl)), names)
        axes.set(xlabel="latent dimension")
    else:
        ranks = np.r_[0, np.arange(9, len(kl), max(10, len(kl) // 80 * 10))]
        axes.set_xticks(ranks, [str(rank + 1) for rank in ranks])
        axes.set(xlabel="latent dimensions by rank")
        most = "largest: latents " + ", ".join(names[:4])
        axes.text(0.98, 0.92, most, transform=axes.transAxes, ha="right", va="top")
    axes.set(ylabel="KL, nats per image", title=title)
    axes.grid(axis="x", visible=False)
    fig.alt = (
        f"{title or 'KL per latent dimension'}: bars from {kl.max():.2f} down to {kl.min():.2f} nats; "
        f"{int((kl > 0.05).sum())} of {len(kl)} dimensions above 0.05 nats, {kl.sum():.1f} nats in all."
    )
    return fig
