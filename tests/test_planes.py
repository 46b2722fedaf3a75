"""Figures of the plane, of posteriors and of seeds show what they are given."""

import numpy as np
import pytest

from labkit import plots
from labkit.plots.planes import INSIDE


def codes(scale, seed=0):
    return scale * np.random.default_rng(seed).standard_normal((300, 3))


def test_each_plane_has_its_own_scale_and_the_whole_circle():
    wide, narrow = codes(20.0), codes(0.1)
    labels = np.arange(300) % 10
    fig = plots.scaled_planes({"wide": wide, "narrow": narrow}, labels, list("0123456789"), dims=(0, 2))
    first, second = fig.axes[:2]
    inside = np.abs(wide[:, [0, 2]]).max(axis=1) <= first.get_xlim()[1]
    assert 100 * inside.mean() >= INSIDE
    assert second.get_xlim()[1] >= 2 and first.get_xlim()[1] > 10 * second.get_xlim()[1]
    assert "wide: standard deviations" in fig.alt


def test_a_plane_needs_two_latents():
    with pytest.raises(ValueError, match="a plane over latents"):
        plots.scaled_planes({"one": codes(1.0)[:, :1]}, np.zeros(300, int), ["0"])


def test_posterior_and_gaussian_are_both_within_the_panel():
    axis = np.linspace(-5, 5, 101)
    shares = np.exp(-0.5 * (np.square((axis[:, None] - 2) / 0.2) + np.square((axis[None] + 1) / 0.2)))
    gaussians = {"q": (np.array([[-1.0, 0.5]]), np.log([[0.01, 0.01]]))}
    fig = plots.posteriors(
        np.zeros((1, 4, 4)), shares[None] / shares.sum(), axis, gaussians, titles=["gap 1"]
    )
    panel = fig.axes[1]
    assert panel.get_xlim()[0] <= -1.0 <= 2.0 <= panel.get_xlim()[1]
    assert panel.get_ylim()[0] <= -1.0 <= 0.5 <= panel.get_ylim()[1]
    (ellipse,) = panel.patches
    assert ellipse.center[0] == -1.0 and ellipse.width == pytest.approx(0.4)  # 2 standard deviations each way


def test_lines_go_through_the_medians_and_show_every_seed():
    values = np.array([[1.0, 5.0], [2.0, 4.0], [9.0, 6.0]])
    fig = plots.lines((1, 2), {"loss": values}, xlabel="D", log2=True)
    line, *dots = fig.axes[0].get_lines()
    assert list(line.get_ydata()) == [2.0, 5.0]
    assert sorted(float(y) for dot in dots for y in dot.get_ydata()) == sorted(values.ravel())
    assert "over 3 seeds" in fig.alt and "from 2 to 5" in fig.alt


def test_lines_of_different_length_each_have_points_of_their_own():
    seconds = {"GAN": [[1, 2, 4], [3, 4, 6]], "VAE": [1, 5]}
    values = {"GAN": [[9.0, 5.0, 3.0], [7.0, 4.0, 1.0]], "VAE": [8.0, 6.0]}
    fig = plots.lines(seconds, values, xlabel="seconds", ylabel="FCD", log="xy")
    (axes,) = fig.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["GAN"] == [[2, 8], [3, 4.5], [5, 2]] and drawn["VAE"] == [[1, 8], [5, 6]]
    dots = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "None"]
    assert [[1, 9], [2, 5], [4, 3]] in [d.tolist() for d in dots]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    fig.canvas.draw()
    ticks = [tick.get_text() for tick in axes.get_yticklabels(which="both")]
    assert {"1", "2", "5", "10"} <= set(ticks) and not any("10^" in tick for tick in ticks)
    assert "from 1 to 6: GAN from 8 to 2" in fig.alt
