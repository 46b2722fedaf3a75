"""Figures say in words what they show, carry a name and refuse what they cannot draw."""

import base64
import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from PIL import Image

from labkit import plots

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 8, 8, 1))
HISTORY = {"epoch": [1, 2, 3], "loss": [200.0, 180.0, 170.5], "val_loss": [190.0, 175.0, 171.0]}


def figures():
    z, labels = RNG.normal(size=(100, 3)), RNG.integers(0, 4, 100)
    yield plots.history({"A": HISTORY, "B": HISTORY})
    yield plots.image_grid(IMAGES, 5)
    yield plots.image_rows({"original": IMAGES[:4], "reconstruction": IMAGES[4:8]})
    yield plots.latent_planes({"one": z, "two": 9 * z}, labels, list("abcd"))
    yield plots.manifold(lambda z: np.full((len(z), 4, 4), 0.5), 5)
    yield plots.kl_per_dim(RNG.random(30))
    yield plots.lines((0.0, 0.25, 1, 16), {"KL": [3, 2, 1, 0]}, xlabel="β", ylabel="nats", log2=True)
    gan = {"epoch": [1, 2], "d_loss": [1.2, 1.3], "g_loss": [0.9, 0.7]}
    keys = ("d_loss", "g_loss"), ("discriminator", "generator")
    yield plots.paired_history({"GAN": [gan, gan], "LSGAN": [gan]}, *keys, ylabel="loss", level=(1, "even"))
    yield plots.distances({"GAN": [10.0, 12, 20], "DCGAN": [2.0]}, 0.1, 200, xlabel="FCD")
    yield plots.tensor_path({"latent": (100,), "base": (7, 7, 256), "pixels": (28, 28, 1)})
    yield plots.class_shares({"test images": [0.3, 0.7], "GAN": [0.9, 0.1]}, ("T-shirt", "bag"))


def test_a_grey_figure_is_stored_as_grey_and_looks_the_same():
    noise = np.random.default_rng(0).random((4, 8, 8))
    figure, again = (plots.image_grid(noise, 2, title="noise") for _ in range(2))
    stored, drawn = Image.open(io.BytesIO(figure.png())), io.BytesIO()
    again.savefig(drawn, format="png")
    assert stored.mode == "L"
    assert np.array_equal(np.asarray(stored.convert("RGB")), np.asarray(Image.open(drawn).convert("RGB")))
    coloured = plots.lines([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")
    assert Image.open(io.BytesIO(coloured.png())).mode != "L"


@pytest.mark.parametrize("figure", list(figures()), ids=lambda figure: figure.name)
def test_every_figure_is_a_png_with_alt_text_and_a_name(figure):
    data, metadata = figure._repr_mimebundle_()
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.format == "PNG"
    assert metadata["image/png"]["name"] == figure.name
    assert len(metadata["image/png"]["alt"]) > 20
    assert image.width >= 1.4 * metadata["image/png"]["width"], "sharp on a screen with dense pixels"
    assert len(base64.b64decode(data["image/png"])) < 400_000


def test_alt_text_has_the_numbers_of_the_figure():
    alt = plots.history({"Lab 1": HISTORY}).alt
    assert "200 to 170.5" in alt and "190 to 171" in alt and "3 epochs" in alt


def test_a_legend_says_training_only_beside_a_test_curve():
    def legend(figure):
        return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]

    alone = {key: HISTORY[key] for key in ("epoch", "loss")}
    assert legend(plots.history({"A": HISTORY, "B": alone})) == ["A, training", "A, test", "B, training"]
    assert legend(plots.history({"A": alone, "B": alone})) == ["A", "B"]
    assert "A: 200 to 170.5" in plots.history({"A": alone}).alt


def test_the_range_of_paired_curves_can_be_set_for_all_panels_or_for_one():
    run = {"epoch": [1, 2], "d_real": [0.51, 0.5], "d_fake": [0.49, 0.5]}
    runs, keys = {"bound": [run], "free": [run]}, (("d_real", "d_fake"), ("real", "fake"))

    def ranges(ylim):
        figure = plots.paired_history(runs, *keys, ylabel="probability", ylim=ylim)
        return [axes.get_ylim() for axes in figure.axes]

    assert ranges((0, 1)) == [(0, 1), (0, 1)]
    fitted = ranges(None)
    assert all(0.4 < low < high < 0.6 for low, high in fitted)
    assert ranges({"free": (0, 1)}) == [fitted[0], (0, 1)]


def test_labels_of_rows_that_hold_commas_stay_apart_in_words():
    alt = plots.image_rows({"VAE, given": IMAGES[:2], "VAE, better": IMAGES[:2]}).alt
    assert alt.endswith("rows VAE, given; VAE, better.")


def test_names_of_classes_do_not_hide_each_other():
    labels = np.arange(300) % 3
    z = RNG.normal(size=(300, 2)) + np.array([[3, 0]]) * (labels == 2)[:, None]
    z[labels == 1] = z[labels == 0] + 0.01  # medians all but equal
    (axes,) = plots.latent_planes({"": z}, labels, list("abc")).axes
    places = np.array([text.get_position() for text in axes.texts])
    room = 0.06 * axes.get_xlim()[1] * 2
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(3, k=1)]
    assert [text.get_text() for text in axes.texts] == list("abc") and gaps.min() > room
    assert_allclose(places[2], np.median(z[labels == 2], axis=0), atol=0.01, err_msg="alone: not moved")


def test_axes_are_logarithmic_where_asked():
    figure = plots.lines([1, 10, 100], {"norm": [3, 2, 1]}, xlabel="step", ylabel="norm", log="xy")
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
    figure = plots.lines([0, 10], {"norm": [3, 2]}, xlabel="epoch", ylabel="norm", log="y")
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("linear", "log")


def test_distances_and_shares_are_told_in_words_too():
    assert (
        "GAN 12, DCGAN 2; floor 0.1"
        in plots.distances({"GAN": [10, 12, 20], "DCGAN": [2]}, 0.1, 200, xlabel="FCD").alt
    )
    assert "base 7×7×2, then pixels 9×9×1" in plots.tensor_path({"base": (7, 7, 2), "pixels": (9, 9, 1)}).alt
    assert "GAN 10.0% to 90.0%" in plots.class_shares({"GAN": [0.9, 0.1]}, ("a", "b")).alt


def test_tile_puts_image_i_at_its_row_and_column():
    sheet = plots.tile(np.array([np.full((2, 2), v) for v in (0.0, 0.2, 0.4)]), columns=2, pad=1)
    assert sheet.shape == (5, 5)
    assert_allclose([sheet[0, 0], sheet[0, 3], sheet[3, 0], sheet[3, 3]], [0, 0.2, 0.4, 1])


def test_manifold_decodes_quantiles_row_by_row_from_the_top():
    seen = []
    plots.manifold(lambda z: seen.append(z) or np.zeros((len(z), 2, 2)), 3, latent_dim=4, dims=(1, 3))
    (z,) = seen
    assert z.shape == (9, 4)
    assert_allclose(z[:, [0, 2]], 0)
    quantile = 0.9674  # of N(0, 1) at 5/6
    assert_allclose(z[0, [1, 3]], [-quantile, quantile], atol=1e-4)
    assert_allclose(z[8, [1, 3]], [quantile, -quantile], atol=1e-4)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 8, 8)), "shape"),
        (np.zeros((3, 8, 8, 3)), "expected"),
        (np.full((1, 8, 8), np.nan), "NaN"),
        (np.full((1, 8, 8), 255.0), r"\[0, 1\]"),
    ],
)
def test_what_is_no_image_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        plots.image_grid(images)


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        plots.image_rows({"a": IMAGES[:2], "b": IMAGES[:3]})


def test_the_plane_of_a_silent_code_can_be_drawn():
    figure = plots.latent_planes({"": np.full((50, 2), 1e-9)}, np.zeros(50, int), ["a"])
    assert len(figure.png()) > 1000
    assert figure.axes[0].get_xlim()[1] >= 0.1


def test_a_plane_needs_the_latents_it_draws():
    with pytest.raises(ValueError, match=r"\(5, 1\).*needs"):
        plots.latent_planes({"": np.zeros((5, 1))}, np.zeros(5, int), ["a"])


def test_line_colours_differ_in_lightness_or_hue_for_colour_blind_readers():
    # Machado et al. 2009, deuteranopia: nearest pair of the first four must stay apart.
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    seen = np.array([deutan @ to_rgb(colour) for colour in plots.LINES[:4]])
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[i + 1 :]]
    assert min(distances) > 0.15


def test_lines_over_whole_numbers_have_ticks_at_whole_numbers_only():
    fig = plots.lines([1, 2, 3], {"KL": [3.0, 2.0, 1.0]}, xlabel="epoch", ylabel="nats")
    (axes,) = fig.axes
    ticks = axes.get_xticks()
    assert len(ticks) >= 3
    assert all(float(tick).is_integer() for tick in ticks)
