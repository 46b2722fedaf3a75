"""Figures: arrays in, a figure with its alt text out.

All figures share one style, are legible at the width of a phone and use colours that
colour-blind readers can tell apart (Paul Tol's "muted" and "bright" schemes).
"""

from __future__ import annotations

import base64
import functools
import io
import itertools
from statistics import NormalDist

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

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
        """The figure as PNG."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()

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


@styled
def history(runs, key="loss", *, ylabel="nats per image", title="", name="history"):
    """Training (solid) and validation (dashed) curves, one colour a run.

    Args:
        runs: dict of label → history (dict with "epoch", `key` and, if there, `val_key`).
    """
    fig = LabFigure(name=name)
    axes = fig.subplots()
    ends = []
    for (label, run), colour in zip(runs.items(), LINES, strict=False):
        axes.plot(run["epoch"], run[key], color=colour, marker="o", markersize=3, label=f"{label}, training")
        ends.append(f"{label}: training {run[key][0]:.4g} to {run[key][-1]:.4g}")
        if f"val_{key}" in run:
            axes.plot(
                run["epoch"], run[f"val_{key}"], "--o", color=colour, markersize=3, label=f"{label}, test"
            )
            ends[-1] += f", test {run[f'val_{key}'][0]:.4g} to {run[f'val_{key}'][-1]:.4g}"
    axes.set(xlabel="epoch", ylabel=ylabel, title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    epochs = max(run["epoch"][-1] for run in runs.values())
    fig.alt = f"{title or key} over {epochs} epochs in {ylabel}. " + "; ".join(ends) + "."
    return fig


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
    fig.alt = alt or f"{title + ': ' if title else ''}{n} images in each of the rows {', '.join(rows)}."
    return fig


@styled
def latent_planes(codes, labels, class_names, *, dims=(0, 1), title="", name="latent-plane"):
    """Codes of images in two latent dimensions, coloured by class, on one common scale.

    A single panel names each class at its median; the dashed circle is two standard
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
    reach = max(np.percentile(np.abs(z), 99.7) for z in codes.values()) * 1.05
    for axes, (label, z) in zip(panels, codes.items(), strict=False):
        draw_codes(axes, z, labels, class_names if one else None)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=label)
        axes.set(xlabel=f"latent {dims[0] + 1}", ylabel=f"latent {dims[1] + 1}")
    for axes in panels[len(codes) :]:
        axes.set_visible(False)
    if title:
        fig.suptitle(title)
    spreads = "; ".join(
        f"{label + ': ' if label else ''}standard deviations {z[:, 0].std():.2f} and {z[:, 1].std():.2f}"
        for label, z in codes.items()
    )
    fig.alt = f"{title or 'Latent plane'}: codes of {len(labels):,} images in two dimensions; {spreads}."
    return fig


def draw_codes(axes, z, labels, class_names):
    """Scatter codes (n, 2) by class, the prior's circle, and the classes' names if given."""
    colours = [CLASSES[c % len(CLASSES)] for c in labels]
    axes.scatter(*z.T, c=colours, s=5 if class_names else 3, alpha=0.6, linewidths=0)
    axes.add_patch(Circle((0, 0), 2, fill=False, ls="--", ec="#333333", lw=1.2))
    for c in np.unique(labels) if class_names else ():
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": CLASSES[c % len(CLASSES)], "lw": 1.5}
        axes.text(*np.median(z[labels == c], axis=0), class_names[c], ha="center", va="center", bbox=box)
    axes.set_aspect("equal")


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
    step = max(1, len(kl) // 16)
    axes.set_xticks(np.arange(len(kl))[::step], [str(d + 1) for d in order[::step]])
    axes.set(xlabel="latent dimension", ylabel="KL, nats per image", title=title)
    axes.grid(axis="x", visible=False)
    fig.alt = (
        f"{title or 'KL per latent dimension'}: bars from {kl.max():.2f} down to {kl.min():.2f} nats; "
        f"{int((kl > 0.05).sum())} of {len(kl)} dimensions above 0.05 nats, {kl.sum():.1f} nats in all."
    )
    return fig


@styled
def lines(x, series, *, xlabel, ylabel, title="", panels=None, log2=False, log="", name="lines"):
    """One line a series over a shared axis, with a marker at each measured point.

    Args:
        x: values of the axis, shape (n,). series: dict of label → n values.
        panels: labels to draw together, a tuple a panel; None draws all in one.
        log2: a logarithmic horizontal axis with a tick at every value.
        log: which other axes are logarithmic: "y", "xy" or none.
    """
    panels = panels or [tuple(series)]
    fig = LabFigure(height=1.0 + 2.6 * len(panels), name=name)
    looks = dict(zip(series, zip(LINES, "osD^vP", strict=True), strict=False))
    every = np.atleast_1d(fig.subplots(len(panels), 1, sharex=True))
    for axes, labels in zip(every, panels, strict=True):
        for label in labels:
            colour, marker = looks[label]
            axes.plot(x, series[label], color=colour, marker=marker, label=label)
        axes.set_ylabel(ylabel)
        axes.legend()
        if "y" in log:
            axes.set_yscale("log")
        if "x" in log:
            axes.set_xscale("log")
    if "x" not in log and all(float(v).is_integer() for v in x):
        every[-1].xaxis.get_major_locator().set_params(integer=True)  # no epoch 1.25
    if log2:
        every[-1].set_xscale("symlog", base=2, linthresh=min(v for v in x if v > 0))
        every[-1].set_xticks(x, [f"{v:g}" for v in x])
        every[-1].minorticks_off()
    every[0].set_title(title)
    every[-1].set_xlabel(xlabel)
    ranges = [f"{label} from {v[0]:.4g} to {v[-1]:.4g}" for label, v in series.items()]
    fig.alt = f"{title or ylabel} against {xlabel} from {x[0]:g} to {x[-1]:g}: " + "; ".join(ranges) + "."
    return fig


@styled
def paired_history(runs, keys, labels, *, ylabel, title="", level=None, name="paired-history"):
    """Two quantities of a training through the epochs, such as a GAN's two losses; a panel a model.

    Args:
        runs: dict of model → list of histories, one a seed; the first is drawn boldly, the
            others thinly behind it.
        keys: the two entries of a history, drawn solid and dashed. labels: what they are.
        level: (value, text) of a dotted line for reference in every panel, or None.
    """
    fig = LabFigure(height=0.9 + 1.6 * len(runs), name=name)
    ends = []
    panels = np.atleast_1d(fig.subplots(len(runs), 1))
    for axes, (model, histories) in zip(panels, runs.items(), strict=True):
        for key, label, colour, line in zip(keys, labels, (BLUE, RED), ("-", "--"), strict=True):
            for run in reversed(histories):
                bold = run is histories[0]
                look = {"lw": 2, "marker": "o", "markersize": 3} if bold else {"lw": 1, "alpha": 0.45}
                axes.plot(run["epoch"], run[key], line, color=colour, label=label if bold else None, **look)
            ends.append(f"{model}: {label} {histories[0][key][0]:.3g} to {histories[0][key][-1]:.3g}")
        if level is not None:
            axes.axhline(level[0], color=GREY, ls=":", lw=1.5, label=level[1])
        axes.set_title(model, loc="left", fontsize=11, pad=3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(ylabel)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=len(names), title=title or None)
    panels[-1].set_xlabel("epoch")
    fig.alt = f"{title or ylabel} through the epochs, first of {len(histories)} seeds. {'; '.join(ends)}."
    return fig


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
    panels[-1].set_xticks(range(len(class_names)), class_names)
    fig.supylabel("share, %", fontsize=12)
    fig.suptitle(title, fontsize=12)
    ends = [f"{label} {min(v):.1%} to {max(v):.1%}" for label, v in rows.items()]
    fig.alt = f"{title or 'Share of each class'}, least to most frequent class: {'; '.join(ends)}."
    return fig


@styled
def tensor_path(shapes, *, title="", name="tensor-path"):
    """The shapes that a tensor takes on its way through a network, drawn to scale from left to right.

    A map (h, w, c) is a box h high whose width grows with its channels; a vector is a line.

    Args:
        shapes: dict of label → shape (n,) or (h, w, c), in order.
    """
    fig = LabFigure(height=3.4, name=name)
    axes = fig.subplots()
    tallest = max([s[0] for s in shapes.values() if len(s) == 3], default=1)
    x, places = 0.0, []
    for shape in shapes.values():
        height, width = (shape[0], 2 + 1.4 * np.log2(shape[2])) if len(shape) == 3 else (1.25 * tallest, 0.8)
        axes.add_patch(
            Rectangle((x, -height / 2), width, height, fc=BLUE if len(shape) == 3 else GREY, ec="white")
        )
        axes.text(
            x + width / 2, height / 2 + 1, "×".join(map(str, shape)), ha="center", va="bottom", fontsize=10
        )
        places.append(x + width / 2)
        x += width + 0.32 * tallest
    for left, right in itertools.pairwise(places):
        axes.annotate(
            "",
            (right - 0.1 * tallest, 0),
            (left + 0.1 * tallest, 0),
            zorder=0,
            arrowprops={"arrowstyle": "-", "color": GREY},
        )
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
