"""Curves of training runs and of experiments."""

from __future__ import annotations

import itertools

import numpy as np

from labkit.plots.style import BLUE, GREY, LINES, RED, LabFigure, styled

MOST_INSIDE = 3  # entries of a legend that lies among the curves


# What a quantity of a history is, and its unit; another one is called by its key.
QUANTITIES = {
    "loss": "nats per image",
    "reconstruction_loss": "nats per image",
    "kl_loss": "nats per image",
    "mse": "MSE per pixel",
    "fcd": "FCD",
    "kcd": "KCD",
    "d_loss": "discriminator's loss",
    "g_loss": "generator's loss",
}


@styled
def history(runs, key="loss", *, ylabel=None, title="", name="history"):
    """Training (solid) and validation (dashed) curves of one quantity, one colour a run.

    Of several seeds each is drawn thinly, their median boldly. The legend tells training from
    validation; where no run has a validation curve it gives the runs alone.

    Args:
        runs: dict of label → history (dict with "epoch", `key` and, if there, `val_key`), or a
            list of histories, one a seed, over the same epochs.
        key: the quantity, such as "loss", "mse", "fcd".
        ylabel: what it is, and its unit; None takes it from QUANTITIES, else the key itself.

    Raises:
        ValueError: a history without the key, or seeds over different epochs.
    """
    runs = {label: check_seeds(label, run, key) for label, run in runs.items()}
    ylabel = ylabel or QUANTITIES.get(key, key)
    fig = LabFigure(name=name)
    axes = fig.subplots()
    tested = any(f"val_{key}" in seeds[0] for seeds in runs.values())
    words = []
    for (label, seeds), colour in zip(runs.items(), LINES, strict=False):
        draw_seeds(axes, seeds, key, colour, "-", f"{label}, training" if tested else label)
        words.append(f"{label}: {'training ' if tested else ''}{in_words(seeds, key)}")
        if f"val_{key}" in seeds[0]:
            draw_seeds(axes, seeds, f"val_{key}", colour, "--", f"{label}, test")
            words[-1] += f", test {in_words(seeds, f'val_{key}')}"
    axes.set(xlabel="epoch", ylabel=ylabel, title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    place_legend(fig, axes)
    epochs = max(seeds[0]["epoch"][-1] for seeds in runs.values())
    fig.alt = f"{title or key} over {epochs} epochs, {ylabel}. " + "; ".join(words) + "."
    return fig


def check_seeds(label, run, key):
    """The histories of a run as a list. Raises ValueError if one lacks the key or other epochs."""
    seeds = list(run) if isinstance(run, list | tuple) else [run]
    for seed in seeds:
        if key not in seed:
            raise ValueError(f"{label!r} has no {key!r}; it has {', '.join(seed)}")
        if list(seed["epoch"]) != list(seeds[0]["epoch"]):
            raise ValueError(f"the seeds of {label!r} were not measured after the same epochs")
    return seeds


def draw_seeds(axes, seeds, key, colour, line, label):
    """One curve with a marker an epoch; of several seeds thin curves and their median."""
    for run in seeds if len(seeds) > 1 else ():
        axes.plot(run["epoch"], run[key], line, color=colour, lw=1, alpha=0.35)
    median = np.median([run[key] for run in seeds], axis=0)
    axes.plot(seeds[0]["epoch"], median, line, color=colour, marker="o", markersize=3, label=label)


def in_words(seeds, key):
    """First and last value; of several seeds the median's, and the range of the last."""
    first, last = np.median([run[key] for run in seeds], axis=0)[[0, -1]]
    ends = f"{first:.4g} to {last:.4g}"
    if len(seeds) == 1:
        return ends
    finals = [run[key][-1] for run in seeds]
    return f"{ends} (median of {len(seeds)} seeds; in the end {min(finals):.4g} to {max(finals):.4g})"


def place_legend(fig, axes):
    """A legend among the curves or, if it is long, below, where it hides none."""
    entries = len(axes.get_legend_handles_labels()[1])
    if entries <= MOST_INSIDE:
        axes.legend()
    else:
        fig.set_figheight(fig.get_figheight() + 0.25 * -(-entries // 2))
        fig.legend(loc="outside lower center", ncols=2)


@styled
def lines(
    x, series, *, xlabel, ylabel="nats per image", title="", panels=None, log2=False, log="", name="lines"
):
    """One line a series over a shared axis; of several seeds the medians, and every seed as a dot.

    Args:
        x: values of the axis, shape (n,); or, where series differ in theirs, a dict of label →
            such values, or (seeds, n) of them, such as seconds.
        series: dict of label → values, shape (n,), or (seeds, n).
        ylabel: what the vertical axes show, and the unit: one text, or one a panel.
        panels: labels to draw together, a tuple a panel; None draws all in one. After six
            series colours and markers come again, so put these into another panel.
        log2: a logarithmic horizontal axis with a tick at every value.
        log: which other axes are logarithmic: "y", "xy" or none.
    """
    series = {label: np.atleast_2d(np.asarray(values, "float64")) for label, values in series.items()}
    places = {label: np.atleast_2d(x[label] if isinstance(x, dict) else x) for label in series}
    panels = panels or [tuple(series)]
    fig = LabFigure(height=1.0 + 2.6 * len(panels), name=name)
    looks = dict(zip(series, itertools.cycle(zip(LINES, "osD^vP", strict=True)), strict=False))
    every = np.atleast_1d(fig.subplots(len(panels), 1, sharex=True))
    units = [ylabel] * len(panels) if isinstance(ylabel, str) else ylabel
    for axes, labels, unit in zip(every, panels, units, strict=True):
        for label in labels:
            colour, marker = looks[label]
            middle = (np.median(values, axis=0) for values in (places[label], series[label]))
            axes.plot(*middle, color=colour, marker=marker, label=label)
            dots = {"ls": "", "color": colour, "marker": marker, "markersize": 4, "alpha": 0.5}
            axes.plot(places[label].T, series[label].T, **dots)
        axes.set_ylabel(unit)
        axes.legend()
        if "y" in log:
            axes.set_yscale("log")
            plain_ticks(axes.yaxis)
    every[0].set_title(title)
    every[-1].set_xlabel(xlabel)
    used = np.unique(np.concatenate([values.ravel() for values in places.values()]))
    scale_axis(every[-1], used, log2, "x" in log)
    ranges = "; ".join(range_in_words(label, values) for label, values in series.items())
    what = title or " and ".join(dict.fromkeys(units))
    fig.alt = f"{what} against {xlabel} from {used[0]:.4g} to {used[-1]:.4g}: {ranges}."
    return fig


def scale_axis(axes, x, log2, log):
    """A horizontal axis that is logarithmic, or has ticks at whole numbers where all values are whole."""
    if log2:
        axes.set_xscale("symlog", base=2, linthresh=min(v for v in x if v > 0))
        axes.set_xticks(x, [f"{v:g}" for v in x])
        axes.minorticks_off()
    elif log:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis)
    elif all(float(v).is_integer() for v in x):
        axes.xaxis.get_major_locator().set_params(integer=True)  # no epoch 1.25


def plain_ticks(axis):
    """Numbers as one writes them at a logarithmic axis, 300 in place of 3 × 10².

    An axis of up to three and a half powers of ten has numbers at 2 and 5, too.
    """

    def between(value, _):
        decades = np.ptp(np.log10(axis.get_view_interval()))
        return f"{value:g}" if f"{value:.0e}"[0] in "25" and decades <= 3.5 else ""

    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(between)


def range_in_words(label, values):
    """The medians of (seeds, n) values at both ends, and the widest range over seeds."""
    first, last = np.median(values[:, [0, -1]], axis=0)
    apart = f", at most {np.ptp(values, axis=0).max():.2g} apart over {len(values)} seeds"
    return f"{label} from {first:.4g} to {last:.4g}{apart if len(values) > 1 else ''}"


@styled
def paired_history(runs, keys, labels, *, ylabel, title="", level=None, ylim=None, name="paired-history"):
    """Two quantities of a training through the epochs, such as a GAN's two losses; a panel a model.

    Args:
        runs: dict of model → list of histories, one a seed; the first is drawn boldly, the
            others thinly behind it.
        keys: the two entries of a history, drawn solid and dashed. labels: what they are.
        level: (value, text) of a dotted line for reference in every panel, or None.
        ylim: (lowest, highest) value of the vertical axis in every panel, or a dict of model →
            such a pair for the panels that need one; None fits each panel to its own curves.
    """
    fig = LabFigure(height=0.9 + 1.6 * len(runs), name=name)
    words = []
    panels = np.atleast_1d(fig.subplots(len(runs), 1))
    for axes, (model, histories) in zip(panels, runs.items(), strict=True):
        ends = []
        for key, label, colour, line in zip(keys, labels, (BLUE, RED), ("-", "--"), strict=True):
            for run in reversed(histories):
                bold = run is histories[0]
                look = {"lw": 2, "marker": "o", "markersize": 3} if bold else {"lw": 1, "alpha": 0.45}
                axes.plot(run["epoch"], run[key], line, color=colour, label=label if bold else None, **look)
            ends.append(f"{label} {histories[0][key][0]:.3g} to {histories[0][key][-1]:.3g}")
        which = f" (the first of {len(histories)} seeds)" if len(histories) > 1 else ""
        words.append(f"{model}{which}: {', '.join(ends)}")
        if level is not None:
            axes.axhline(level[0], color=GREY, ls=":", lw=1.5, label=level[1])
        axes.set_title(model, loc="left", fontsize=11, pad=3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(ylabel)
        axes.set_ylim(ylim.get(model) if isinstance(ylim, dict) else ylim)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=len(names), title=title or None)
    panels[-1].set_xlabel("epoch")
    dotted = "" if level is None else f" The dotted line at {level[0]:.3g} is: {level[1]}."
    fig.alt = f"{title or ylabel} through the epochs. {'; '.join(words)}.{dotted}"
    return fig
