"""What a code costs against what it saves."""

from __future__ import annotations

import numpy as np

from labkit.plots.style import BLUE, GREY, LabFigure, styled

ABOVE = (6, 6)  # points from a dot to its label


@styled
def rate_distortion(rates, distortions, labels, *, title="", name="rate-distortion"):
    """Distortion against rate, a labelled point a model; every seed is a dot, the line joins medians.

    On a dotted line the sum of both is the same: that of the model with the least, so that what
    lies above it has the larger −ELBO.

    Args:
        rates: KL in nats an image, shape (seeds, models).
        distortions: reconstruction in nats an image, same shape.
        labels: a text a model, such as "β = 4".

    Raises:
        ValueError: shapes that differ, or not a label a model.
    """
    rates, distortions = np.asarray(rates, "float64"), np.asarray(distortions, "float64")
    if rates.ndim != 2 or rates.shape != distortions.shape or rates.shape[1] != len(labels):
        raise ValueError(
            f"rates {rates.shape}, distortions {distortions.shape}, {len(labels)} labels; two arrays "
            "(seeds, models) and a label a model were expected"
        )
    x, y = np.median(rates, axis=0), np.median(distortions, axis=0)
    order, best = np.argsort(x), np.argmin(x + y)
    fig = LabFigure(height=4.2, name=name)
    axes = fig.subplots()
    axes.plot(x[order], y[order], color=BLUE)
    axes.plot(rates, distortions, "o", color=BLUE, alpha=0.7)
    for place in zip(x, y, labels, strict=True):
        axes.annotate(place[2], place[:2], textcoords="offset points", xytext=ABOVE)
    axes.margins(0.12)
    total = x[best] + y[best]
    low, high = axes.get_xlim(), axes.get_ylim()
    axes.axline((x[best], y[best]), slope=-1, color=GREY, ls=":", lw=1.5, label=f"sum {total:.1f} nats")
    axes.set(xlabel="rate: KL, nats per image", ylabel="distortion, nats per image", title=title)
    axes.set(xlim=low, ylim=high)
    axes.legend(loc="upper right")
    points = "; ".join(f"{labels[i]}: {x[i]:.4g} and {y[i]:.4g}" for i in order)
    fig.alt = (
        f"{title or 'Distortion against rate'}, medians of {len(rates)} seeds, rate and distortion in nats: "
        f"{points}. The least sum, {total:.4g}, is that of {labels[best]}."
    )
    return fig
