"""Curves of training runs and of experiments."""

from __future__ import annotations

import numpy as np

from labkit.plots.style import BLUE, GREY, LINES, RED, LabFigure, styled

MOST_INSIDE = 3  # entries of a legend that lies among the curves


@styled
def history(runs, key="loss", *, ylabel="nats per image", title="", name="history"):
    """Training (solid) and validation (dashed) curves, one colour a run.

    The legend tells the two apart; where no run has a validation curve it gives the runs alone.

    Args:
        runs: dict of label → history (dict with "epoch", `key` and, if there, `val_key`).
    """
    fig = LabFigure(name=name)
    axes = fig.subplots()
    ends = []
    told = any(f"val_{key}" in run for run in runs.values())
    for (label, run), colour in zip(runs.items(), LINES, strict=False):
        text = f"{label}, training" if told else label
        axes.plot(run["epoch"], run[key], color=colour, marker="o", markersize=3, label=text)
        ends.append(f"{label}: {'training ' if told else ''}{run[key][0]:.4g} to {run[key][-1]:.4g}")
        if f"val_{key}" in run:
            axes.plot(
                run["epoch"], run[f"val_{key}"], "--o", color=colour, markersize=3, label=f"{label}, test"
            )
            ends[-1] += f", test {run[f'val_{key}'][0]:.4g} to {run[f'val_{key}'][-1]:.4g}"
    axes.set(xlabel="epoch", ylabel=ylabel, title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if (entries := len(axes.get_lines())) <= MOST_INSIDE:
        axes.legend()
    else:  # below, where it hides no curve
        fig.set_figheight(fig.get_figheight() + 0.25 * -(-entries // 2))
        fig.legend(loc="outside lower center", ncols=2)
    epochs = max(run["epoch"][-1] for run in runs.values())
    fig.alt = f"{title or key} over {epochs} epochs in {ylabel}. " + "; ".join(ends) + "."
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
        axes.set_ylim(ylim.get(model) if isinstance(ylim, dict) else ylim)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=len(names), title=title or None)
    panels[-1].set_xlabel("epoch")
    fig.alt = f"{title or ylabel} through the epochs, first of {len(histories)} seeds. {'; '.join(ends)}."
    return fig
