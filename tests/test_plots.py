"""Figures say in words what they show, carry a name and refuse what they cannot draw."""

import base64
import io
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from PIL import Image

from labkit import plots

IMAGES = np.random.default_rng(0).random((12, 8, 8, 1))
HISTORY = {"epoch": [1, 2, 3], "loss": [200.0, 180.0, 170.5], "val_loss": [190.0, 175.0, 171.0]}


def figures():
    rng = np.random.default_rng(1)
    z, labels = rng.normal(size=(100, 3)), rng.integers(0, 4, 100)
    yield plots.history({"A": HISTORY, "B": HISTORY})
    yield plots.image_grid(IMAGES, 5)
    yield plots.image_rows({"original": IMAGES[:4], "reconstruction": IMAGES[4:8]})
    yield plots.latent_planes({"one": z, "two": 9 * z}, labels, list("abcd"))
    yield plots.manifold(lambda z: np.full((len(z), 4, 4), 0.5), 5)
    yield plots.kl_per_dim(rng.random(30))
    yield plots.lines((0.0, 0.25, 1, 16), {"KL": [3, 2, 1, 0]}, xlabel="β", ylabel="nats", log2=True)
    gan = {"epoch": [1, 2], "d_loss": [1.2, 1.3], "g_loss": [0.9, 0.7]}
    keys = ("d_loss", "g_loss"), ("discriminator", "generator")
    yield plots.paired_history({"GAN": [gan, gan], "LSGAN": [gan]}, *keys, ylabel="loss", level=(1, "even"))
    yield plots.distances({"GAN": [10.0, 12, 20], "DCGAN": [2.0]}, 0.1, 200, xlabel="FCD")
    yield plots.tensor_path({"latent": (100,), "base": (7, 7, 256), "pixels": (28, 28, 1)})
    circle = np.stack([np.cos(rng.random(9)), np.sin(rng.random(9))], axis=1)
    yield plots.vector_fields({"turn": (lambda x, y: (-y, x), circle)}, reach=2, labels=("θ", "ψ"))
    points = rng.random((20, 2))
    yield plots.point_panels({"GAN": {"0": points, "1": points**2}}, points)
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
    words = plots.image_rows({"VAE, given": IMAGES[:2], "VAE, better": IMAGES[:2]}).alt.split("; ")
    assert words[0].split(": ")[-1].startswith("VAE, given 0.") and words[1].startswith("VAE, better 0.")


def test_names_of_classes_do_not_hide_each_other(rng):
    labels = np.arange(300) % 3
    z = rng.normal(size=(300, 2)) + np.array([[3, 0]]) * (labels == 2)[:, None]
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


@pytest.mark.parametrize("x", [[1, 10, 240], [0.01, 1, 2048]], ids=["240 times", "200,000 times"])
def test_numbers_at_a_logarithmic_axis_do_not_touch(x):
    figure = plots.lines(x, {"norm": [3, 2, 1]}, xlabel="step", ylabel="norm", log="x")
    figure.draw_without_rendering()
    axis = figure.axes[-1].xaxis
    texts = [text for minor in (False, True) for text in axis.get_ticklabels(minor=minor) if text.get_text()]
    left, right = axis.axes.get_window_extent().intervalx
    boxes = sorted(text.get_window_extent().intervalx.tolist() for text in texts)
    boxes = [box for box in boxes if box[1] > left and box[0] < right]
    assert len(boxes) > 2
    assert all(box[1] < following[0] for box, following in itertools.pairwise(boxes))


def test_the_words_of_distances_have_medians_floor_and_ceiling():
    alt = plots.distances({"GAN": [10, 12, 20], "DCGAN": [2]}, 0.1, 200, xlabel="FCD").alt
    assert "GAN 12, DCGAN 2; floor 0.1, ceiling 200" in alt


def test_the_words_of_a_tensor_s_path_have_every_shape_in_order():
    alt = plots.tensor_path({"base": (7, 7, 2), "pixels": (9, 9, 1)}).alt
    assert "base 7×7×2, then pixels 9×9×1" in alt


def test_the_words_of_class_shares_have_the_ends():
    assert "GAN 10.0% to 90.0%" in plots.class_shares({"GAN": [0.9, 0.1]}, ("a", "b")).alt


def run_of(*values, key="fcd"):
    return {"epoch": list(range(1, len(values) + 1)), key: list(values)}


def test_a_history_is_called_by_its_key_and_known_quantities_have_their_unit():
    def ylabel(key):
        figure = plots.history({"A": run_of(3.0, 2.0, key=key)}, key)
        return figure.axes[0].get_ylabel(), figure.alt

    assert ylabel("fcd")[0] == "FCD" and "FCD" in ylabel("fcd")[1]
    assert ylabel("kl_loss")[0] == "nats per image"
    assert ylabel("sharpness")[0] == "sharpness"
    assert plots.history({"A": run_of(1.0)}, "fcd", ylabel="other").axes[0].get_ylabel() == "other"


def test_of_several_seeds_the_median_is_drawn_boldly_and_said():
    runs = {"GAN": [run_of(9.0, 4.0), run_of(7.0, 2.0), run_of(8.0, 6.0)], "one": run_of(5.0, 5.5)}
    figure = plots.history(runs, "fcd")
    drawn = figure.axes[0].get_lines()
    assert [line.get_linewidth() for line in drawn] == [1, 1, 1, 2, 2]
    assert_allclose(drawn[3].get_ydata(), [8, 4])
    assert "GAN: 8 to 4 (median of 3 seeds; in the end 2 to 6); one: 5 to 5.5." in figure.alt


def test_histories_that_cannot_be_drawn_together_are_refused():
    with pytest.raises(ValueError, match="'A' has no 'kcd'; it has epoch, fcd"):
        plots.history({"A": run_of(1.0)}, "kcd")
    with pytest.raises(ValueError, match="not measured after the same epochs"):
        plots.history({"A": [run_of(1.0), run_of(1.0, 2.0)]}, "fcd")


def test_the_words_of_paired_curves_count_the_seeds_of_each_model_if_there_are_several():
    run = {"epoch": [1, 2], "d_loss": [1.2, 1.3], "g_loss": [0.9, 0.7]}
    runs = {"GAN": [run, run, run], "LSGAN": [run]}
    keys = ("d_loss", "g_loss"), ("D", "G")
    alt = plots.paired_history(runs, *keys, ylabel="loss", level=(1.386, "2 ln 2")).alt
    assert "GAN (the first of 3 seeds): D 1.2 to 1.3, G 0.9 to 0.7; LSGAN: D 1.2" in alt
    assert "of 1 seeds" not in alt and "dotted line at 1.39 is: 2 ln 2" in alt


def test_the_words_of_a_grid_have_its_labels_row_by_row():
    alt = plots.image_grid(IMAGES[:5], 3, title="Digits", labels=[7, 2, 1, 0, 4]).alt
    assert alt == "Digits: 5 images, 3 a row. 7, 2, 1; 0, 4."


def test_the_words_of_unlabelled_images_tell_blank_from_bright_and_alike_from_varied():
    blank, bright = np.zeros((4, 3, 3)), np.ones((4, 3, 3))
    half = np.concatenate([blank[:2], bright[:2]])
    for images, numbers in ((blank, "0.00, 0.00"), (bright, "1.00, 0.00"), (half, "0.50, 0.50")):
        assert plots.image_grid(images, 4).alt.endswith(f"mean image): {numbers}.")


def test_the_words_of_rows_say_how_far_each_is_from_the_first():
    x = np.full((2, 4, 4), 0.5)
    rows = {"original": x, "reconstruction": x + 0.25}
    alt = plots.image_rows(rows, title="VAE", labels=["cat", "dog"]).alt
    assert alt.startswith("VAE: 2 rows of 2 images. From left to right: cat, dog.")
    assert alt.endswith("original 0.50, 0.00; reconstruction 0.75, 0.00, 0.25 from the first row.")


def test_a_label_for_each_image_is_expected():
    with pytest.raises(ValueError, match="2 labels for 3 images"):
        plots.image_grid(IMAGES[:3], labels=["a", "b"])
    with pytest.raises(ValueError, match="1 labels for 3 images"):
        plots.image_rows({"a": IMAGES[:3]}, labels=["a"])


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
        (np.zeros((0, 8, 8)), "no images"),
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


def test_panels_of_lines_have_units_of_their_own():
    series = {"MSE": [3.0, 2.0], "KL": [1.0, 2.0]}
    options = {"xlabel": "v", "panels": [("MSE",), ("KL",)]}
    fig = plots.lines([1, 2], series, ylabel=["MSE per pixel", "nats"], **options)
    assert [axes.get_ylabel() for axes in fig.axes] == ["MSE per pixel", "nats"]
    assert fig.alt.startswith("MSE per pixel and nats against v")
    alike = plots.lines([1, 2], series, ylabel="nats", **options)
    assert [axes.get_ylabel() for axes in alike.axes] == ["nats", "nats"]


def test_lines_over_whole_numbers_have_ticks_at_whole_numbers_only():
    fig = plots.lines([1, 2, 3], {"KL": [3.0, 2.0, 1.0]}, xlabel="epoch", ylabel="nats")
    (axes,) = fig.axes
    ticks = axes.get_xticks()
    assert len(ticks) >= 3
    assert all(float(tick).is_integer() for tick in ticks)


def test_rate_distortion_says_which_model_has_the_least_sum():
    fig = plots.rate_distortion([[9.0, 3.0], [10.0, 4.0]], [[4.0, 20.0], [5.0, 21.0]], ["β = 1", "β = 4"])
    assert "β = 4: 3.5 and 20.5; β = 1: 9.5 and 4.5" in fig.alt and "14, is that of β = 1" in fig.alt
    with pytest.raises(ValueError, match="a label a model"):
        plots.rate_distortion([[9.0, 3.0]], [[4.0, 20.0]], ["β = 1"])


def test_more_series_than_colours_are_drawn_in_panels_each_with_its_own():
    series = {name: [1.0, 2.0] for name in "abcdefgh"}
    figure = plots.lines([1, 2], series, xlabel="epoch", ylabel="FCD", panels=[tuple("abcd"), tuple("efgh")])
    for axes in figure.axes:
        named = [line for line in axes.lines if not line.get_label().startswith("_")]
        assert len({(line.get_color(), line.get_marker()) for line in named}) == 4
    assert all(f"{name} from 1 to 2" in figure.alt for name in series)


def test_a_longer_vector_is_drawn_taller():
    figure = plots.tensor_path({"z": (100,), "dense": (12544,), "base": (7, 7, 256), "logit": (1,)})
    z, dense, base, logit = (patch.get_height() for patch in figure.axes[0].patches)
    assert logit < z < dense
    assert base == 7
