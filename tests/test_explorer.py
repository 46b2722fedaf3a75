"""Explorers: what a page is told agrees with the decoder; what cannot be shown is a message."""

import base64
import html
import inspect
import io
import json
import re

import ipywidgets
import keras
import nbclient
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ipywidgets.widgets import widget
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from traitlets import TraitError

from labkit import models
from labkit.explorer import FramePlayer, LatentExplorer, LatentSliders, live, sheets
from labkit.explorer.decoding import Decoder, ExplorerError
from labkit.explorer.latents import Latents
from labkit.explorer.network import Network
from labkit.latent import interpolate
from labkit.project import ROOT

RNG = np.random.default_rng(0)
LAYERS = [
    (RNG.normal(size=(3, 20)), RNG.normal(size=20), "relu"),
    (RNG.normal(size=(20, 64)) / 3, RNG.normal(size=64), "sigmoid"),
]


def decode(z):
    """Three latents to 8×8 pixels, through LAYERS in double precision."""
    (k1, b1, _), (k2, b2, _) = LAYERS
    return (1 / (1 + np.exp(-(np.maximum(z @ k1 + b1, 0) @ k2 + b2)))).reshape(-1, 8, 8, 1)


def bands(z, labels=None):
    """Each latent lights a row of its own; with labels the class lights the left column."""
    images = np.tile(np.clip(0.5 + z[:, :, None] / 8, 0, 1), (1, 1, 6))
    if labels is not None:
        images[:, :, 0] = labels[:, None] / 4
    return images


def spec_of(explorer):
    """What the page is told, read back from the output."""
    made = explorer._repr_mimebundle_()["text/html"]
    inside = html.unescape(re.search(r"srcdoc='(.*?)'", made, re.DOTALL)[1])
    return json.loads(re.search(r'<script type="application/json" id="spec">(.*?)</script>', inside)[1])


def tiles(spec):
    """The pictures of a stored sheet, (n, h, w) in [0, 1]."""
    (h, w), (down, across) = spec["shape"], spec["sheet"]["pitch"]
    coded = base64.b64decode(spec["sheet"]["uri"].split(",")[1])
    sheet = np.asarray(Image.open(io.BytesIO(coded)).convert("L")) / 255
    rows = sheet.reshape(sheet.shape[0] // down, down, -1, across).swapaxes(1, 2)
    top, left = (down - h) // 2, (across - w) // 2
    return rows.reshape(-1, down, across)[:, top : top + h, left : left + w]


def test_stored_pictures_stand_where_the_page_looks_for_them():
    spec = spec_of(LatentExplorer(bands, 5, title="Bands"))
    pictures = tiles(spec)
    x, y = spec["plane"]["dims"]
    corner = np.zeros((1, 5))
    corner[0, [x, y]] = -3, 3
    assert_allclose(pictures[spec["plane"]["first"]], bands(corner)[0], atol=0.03)
    k, steps = 2, spec["strips"]["steps"]
    end = 3 * np.eye(5)[[spec["strips"]["dims"][k]]]
    at = spec["strips"]["first"] + k * steps + steps - 1
    assert_allclose(pictures[at], bands(end)[0], atol=0.03)
    points = np.array([point["z"] for point in spec["points"]])
    assert_allclose(pictures[spec["pointsFirst"] :][: len(points)], bands(points), atol=0.03)
    walk = spec["scale"]["steps"]
    doubled = spec["scale"]["first"] + 1 * walk + walk - 1  # the second point at t = 2
    assert_allclose(pictures[doubled], bands(2 * points[[1]])[0], atol=0.03)
    samples = np.array([sample["z"] for sample in spec["samples"]])
    assert_allclose(pictures[spec["samplesFirst"] :][: len(samples)], bands(samples), atol=0.03)


def test_stored_mixtures_go_pair_by_pair_straight_and_along_the_arc():
    spec = spec_of(LatentExplorer(bands, 5))
    pictures, walk = tiles(spec), spec["mix"]["steps"]
    a, b = (np.array(spec["points"][i]["z"]) for i in (0, 2))  # the second pair: (0, 1), (0, 2), …
    for arc in (False, True):
        middle = spec["mix"]["first"] + (2 * 1 + arc) * walk + walk // 2
        expected = bands(interpolate(a, b, 3, spherical=arc))[1]
        assert_allclose(pictures[middle], expected, atol=0.03)


def test_stored_pictures_of_each_class():
    names = ["a", "b", "c"]
    spec = spec_of(LatentExplorer(bands, 5, class_names=names))
    pictures, n = tiles(spec), spec["plane"]["n"]
    for label in range(3):
        plane = pictures[spec["plane"]["first"] + label * n * n :][: n * n]
        assert_allclose(plane[:, :, 0], label / 4, atol=0.06)
        strips = len(spec["strips"]["dims"]) * spec["strips"]["steps"]
        block = pictures[spec["strips"]["first"] + label * strips :][:strips]
        assert_allclose(block[:, :, 0], label / 4, atol=0.06)


def test_stored_arcs_join_codes_of_unequal_lengths_as_labkit_latent_does():
    codes = np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]])
    images = np.zeros((3, 2, 6, 1))
    spec = spec_of(LatentExplorer(bands, 2, encode=lambda x: codes, images=images))
    pictures, walk = tiles(spec), spec["mix"]["steps"]
    first = spec["mix"]["first"] + walk  # of the first pair's arc
    halfway = bands(np.array([[2**0.5, 2**0.5]]))[0]
    assert_allclose(pictures[first + walk // 2], halfway, atol=0.03)
    # No arc from (1, 0) to (−2, 0) is the shortest: the line stands in.
    opposite = spec["mix"]["first"] + 3 * walk + walk // 2
    assert_allclose(pictures[opposite], bands(np.array([[-0.5, 0.0]]))[0], atol=0.03)


def test_the_plane_starts_top_left_and_has_the_start_in_its_middle():
    latents = Latents(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 2.0]), (0, 1, 2))
    z = latents.plane((2, 0), 5)
    assert_allclose(z[0], [4, 2, -3])  # up is +3σ of latent 1, left is −3σ of latent 3
    assert_allclose(z[-1], [-2, 2, 9])
    assert_allclose(z[12], latents.start)


def test_latents_are_ordered_by_what_is_known_of_them():
    images = np.zeros((40, 3, 6, 1))
    codes = RNG.normal(size=(40, 3)) * [0.1, 1.0, 3.0]
    assert LatentExplorer(bands, 3, order=[1]).latents.order == (1, 0, 2)
    assert LatentExplorer(bands, 3, encode=lambda x: codes, images=images).latents.order == (2, 1, 0)
    strengths = np.array([0.2, 1.0, 0.5])
    assert LatentExplorer(lambda z: bands(z * strengths), 3).latents.order == (1, 2, 0)


def test_an_autoencoder_starts_at_the_mean_of_its_codes_and_reaches_as_far_as_they_do():
    codes = np.array([[10.0, 0.0], [14.0, 0.0], [12.0, 6.0]])
    explorer = LatentExplorer(
        lambda z: np.full((len(z), 2, 2), 0.5), 2, encode=lambda x: codes, images=np.zeros((3, 2, 2, 1)),
        prior="codes",
    )  # fmt: skip
    assert_allclose(explorer.latents.start, codes.mean(0))
    assert_allclose(explorer.latents.spread, codes.std(0))


def test_network_in_half_precision_is_within_two_grey_levels():
    explorer = LatentExplorer(decode, 3, network=LAYERS)
    assert explorer.problem is None
    z = RNG.normal(size=(100, 3))
    gap = np.abs(explorer.network(z).astype(int) - Decoder(decode, 3)(z).reshape(100, 64))
    assert gap.max() <= 2
    spec = spec_of(explorer)
    weights = np.frombuffer(base64.b64decode(spec["network"]["weights"]), "<f2")
    assert_array_equal(weights[:60].reshape(3, 20), LAYERS[0][0].astype("f2"))
    assert len(weights) == 3 * 20 + 20 + 20 * 64 + 64
    assert "sheet" not in spec


def test_network_takes_code_and_label_one_hot():
    kernel = np.vstack([np.zeros((2, 4)), np.diag([0.25, 0.5, 1.0, 0.0])[:3]])
    network = Network([(kernel, np.zeros(4), "linear")], 2, n_classes=3)
    assert_array_equal(network(np.ones((1, 2)), 1)[0], [0, 128, 0, 0])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([LAYERS[1], LAYERS[0]], r"shape \(20, 64\).*follow 3"),
        ([(LAYERS[0][0], LAYERS[0][1], "selu")], "selu"),
        ([LAYERS[0]], "20 pixels, and decode 64"),
        ([LAYERS[0], (*LAYERS[1][:2], "linear")], "not what decode computes"),
        ([(np.full((3, 20), 1e6), np.zeros(20), "relu")], "half precision"),
    ],
)
def test_a_network_that_is_not_the_decoder_is_refused(layers, message):
    explorer = LatentExplorer(decode, 3, network=layers)
    assert re.search(message, explorer.problem)


def test_a_network_too_large_for_a_page_gives_way_to_stored_pictures():
    large = LatentExplorer(decode, 3, network=[(np.zeros((3, 100_000)), np.zeros(100_000), "relu")])
    spec = spec_of(large)
    assert large.problem is None and "375,000 fit" in spec["note"]
    assert "sheet" in spec and "network" not in spec


def test_dense_layers_compute_what_the_decoder_does():
    vae = models.dense_vae((12,), 3)
    explorer = LatentExplorer(vae.decode, 3, network=models.dense_layers(vae.decoder, last="sigmoid"))
    assert explorer.problem is None
    cvae = models.dense_cvae((12,), 3, n_classes=4)
    layers = models.dense_layers(cvae.decoder, last="sigmoid")
    assert LatentExplorer(cvae.decode, 3, class_names=list("abcd"), network=layers).problem is None


def test_dense_layers_read_only_a_plain_chain():
    z = keras.Input((3,))
    h = keras.layers.Dense(4, activation="relu", name="wide")(z)
    skipping = keras.Model(z, keras.layers.Add(name="join")([h, keras.layers.Dense(4)(h)]))
    with pytest.raises(ValueError, match="join"):
        models.dense_layers(skipping)
    normed = keras.Model(z, keras.layers.BatchNormalization(name="norm")(h))
    with pytest.raises(ValueError, match="'norm' is a BatchNormalization"):
        models.dense_layers(normed)
    with pytest.raises(ValueError, match="'relu' already"):
        models.dense_layers(keras.Model(z, h), last="sigmoid")
    apart = keras.Sequential([z, keras.layers.Dense(4, use_bias=False), keras.layers.ReLU()])
    ((kernel, bias, activation),) = models.dense_layers(apart)
    assert kernel.shape == (3, 4) and not bias.any() and activation == "relu"


def fails(z):
    raise RuntimeError("no such layer")


@pytest.mark.parametrize(
    ("decoder", "latent_dim", "message"),
    [
        (lambda z: np.full((len(z), 4, 4), np.nan), 2, "NaN"),
        (lambda z: np.zeros((len(z), 16)), 2, r"shape \(2, 16\)"),
        (lambda z: np.zeros((len(z), 4, 4, 3)), 2, r"\(2, 4, 4, 3\)"),
        (lambda z: np.zeros((1, 4, 4)), 2, "1 images of 2 codes"),
        (lambda z: np.zeros((len(z), 300, 20)), 2, "300×20"),
        (lambda z: np.full((len(z), 4, 4), 255.0), 2, r"\[0, 1\]"),
        (lambda z: "no array", 2, "shape"),
        (fails, 2, "RuntimeError: no such layer"),
        (bands, 0, "latent_dim is 0"),
        (bands, 2.5, "latent_dim is 2.5"),
        (bands, True, "latent_dim is True"),
        (bands, 5000, "4096"),
    ],
)
def test_what_cannot_be_shown_is_a_message_and_no_error(decoder, latent_dim, message):
    explorer = LatentExplorer(decoder, latent_dim)
    assert re.search(message, explorer.problem)
    data = explorer._repr_mimebundle_()
    assert 'role="alert"' in data["text/html"] and "iframe" not in data["text/html"]
    assert explorer.problem in data["text/plain"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encode": lambda x: np.zeros((4, 7)), "images": np.zeros((4, 3, 6))}, "take the first"),
        ({"encode": lambda x: np.full((4, 3), np.inf), "images": np.zeros((4, 3, 6))}, "infinite"),
        ({"encode": fails, "images": np.zeros((4, 3, 6))}, "encode failed"),
        ({"prior": "uniform"}, "prior is 'uniform'"),
        ({"prior": "codes"}, "two images"),
        ({"order": [0, 0]}, "different latents"),
        ({"order": [3]}, "0 to 2"),
        ({"dims": (1, 1)}, "different latents"),
        ({"dims": (0, 7)}, "0 to 2"),
        ({"class_names": ["only"]}, "has 1 names"),
        ({"class_names": range(31)}, "has 31 names"),
        ({"class_names": ["a", "b"], "images": np.zeros((2, 3, 6)), "labels": [0, 2]}, "0 to 1"),
    ],
)
def test_arguments_that_do_not_fit_are_named(options, message):
    assert re.search(message, LatentExplorer(bands, 3, **options).problem)


def test_a_decoder_that_breaks_later_is_a_message_too():
    broken = LatentExplorer(lambda z: np.full((len(z), 4, 4), np.nan if len(z) > 20 else 0.5), 2)
    assert broken.problem is None
    made = broken._repr_mimebundle_()["text/html"]
    assert "NaN" in made and 'role="alert"' in made


def test_hundreds_of_latents_fit_a_page_and_say_what_is_left_out():
    explorer = LatentExplorer(lambda z: np.clip(0.5 + z[:, :64].reshape(-1, 8, 8) / 8, 0, 1), 400)
    made = explorer._repr_mimebundle_()["text/html"]
    spec = spec_of(explorer)
    assert len(made) < 400_000
    assert len(spec["order"]) == 400 and set(spec["order"][:64]) == set(range(64))
    assert f"{len(spec['strips']['dims'])} most active of 400" in spec["note"]


@pytest.mark.parametrize(("dim", "classes"), [(1, 0), (2, 0), (15, 10), (64, 0), (128, 0), (2, 30)])
@pytest.mark.parametrize("side", [28, 64, 128])
def test_stored_pictures_stay_few_whatever_is_shown(dim, classes, side):
    plan = sheets.plan((side, side), dim, classes, 10)
    per_class = plan.plane**2 + plan.latents * plan.steps
    walks = plan.points * plan.walk * plan.points
    count = per_class * max(classes, 1) + walks + plan.points + plan.samples
    assert count <= 1600
    assert count * side**2 <= 9_000_000, "pixels of a sheet that a phone can open"
    assert (plan.plane > 1) == (dim > 1) and plan.steps % 2 == plan.walk % 2 == 1


def test_sheets_give_back_what_was_packed():
    pictures = (RNG.random((7, 5, 9)) > 0.5).astype("uint8").repeat(4, 1).repeat(4, 2) * 255
    packed = sheets.pack(pictures)
    back = tiles({"shape": pictures.shape[1:], "sheet": packed})[: len(pictures)]
    assert np.abs(back * 255 - pictures).mean() < 6


def test_the_output_is_the_same_from_run_to_run_in_batch():
    make = lambda: LatentExplorer(bands, 5)._repr_mimebundle_()["text/html"]  # noqa: E731
    assert make() == make()


def test_text_from_outside_cannot_end_the_frame_or_the_script():
    bad = "</script><script>alert(1)</script>' onload='x"
    explorer = LatentExplorer(bands, 3, title=bad)
    made = explorer._repr_mimebundle_()["text/html"]
    assert spec_of(explorer)["title"] == bad
    assert made.count("<script") == 0 and "onload='" not in made


class Wire(live.CodeWidget):
    """A widget whose answers are kept."""

    def __init__(self, decoder):
        super().__init__(key="a-key")
        self.decoder, self.latent_dim = decoder, decoder.latent_dim

    def send(self, content, buffers=None):
        self.sent = content, buffers


def ask(decoder, z, **question):
    wire = Wire(decoder)
    wire.answer(wire, {"serial": 7, "count": len(z), "label": 0, **question}, [np.float32(z).tobytes()])
    content, buffers = wire.sent
    assert content["serial"] == 7
    return content, buffers


def test_the_kernel_answers_with_the_pictures_of_the_codes_asked_for():
    z = RNG.normal(size=(4, 3))
    content, (pixels,) = ask(Decoder(bands, 3), z)
    assert "error" not in content
    assert_array_equal(np.frombuffer(pixels, "uint8").reshape(4, 3, 6), Decoder(bands, 3)(z))


@pytest.mark.parametrize(
    ("decoder", "question", "message"),
    [
        (lambda z: np.full((len(z), 2, 2), np.nan), {}, "NaN"),
        (fails, {}, "no such layer"),
        (bands, {"count": 3}, "3 codes of 3"),
        (bands, {"count": 10**9}, "1 to 1000"),
    ],
)
def test_the_kernel_answers_with_what_is_wrong(decoder, question, message):
    content, buffers = ask(Decoder(decoder, 3), np.zeros((2, 3)), **question)
    assert message in content["error"] and buffers is None


def test_the_kernel_says_that_it_is_there():
    wire = Wire(Decoder(bands, 3))
    wire.answer(wire, {"ping": True}, [])
    assert wire.sent == ({"here": True}, None)


def moves(explorer, name="z"):
    """The values that a trait takes from now on."""
    seen = []
    explorer.observe(lambda change: seen.append(change.new), name)
    return seen


def test_the_code_is_a_trait_that_starts_where_the_latents_do():
    codes = np.array([[10.0, 0.0], [14.0, 0.0], [12.0, 6.0]])
    explorer = LatentExplorer(bands, 2, encode=lambda x: codes, images=np.zeros((3, 2, 6, 1)), prior="codes")
    assert explorer.z == (12, 2)
    seen = moves(explorer)
    explorer.z = np.float32([1.5, -2])
    explorer.z = (1.5, -2)
    assert seen == [(1.5, -2)], "a code that is the same is no move"


@settings(max_examples=20)
@given(arrays("float64", (3,), elements=st.floats(-6, 6)), st.integers(0, 2))
def test_the_image_is_the_picture_of_the_code_and_its_class(z, label):
    explorer = LatentExplorer(bands, 3, class_names=["a", "b", "c"])
    explorer.z, explorer.label = z, label
    assert explorer.image.shape == (3, 6)
    expected = np.clip(bands(z[None].astype("float32"), np.array([label]))[0], 0, 1)
    assert_allclose(explorer.image, expected, atol=0.5 / 255 + 1e-6)


def test_what_the_page_sends_moves_the_code_and_those_who_watch_it():
    explorer = LatentExplorer(bands, 3, class_names=["a", "b"])
    codes, labels = moves(explorer), moves(explorer, "label")
    explorer.set_state({"z": [1, 0.5, -2], "label": 1})  # as a message of the page does
    assert codes == [(1, 0.5, -2)] and labels == [1]


def test_explorers_and_sliders_are_linked_both_ways():
    one, other = LatentExplorer(bands, 3), LatentExplorer(lambda z: 1 - bands(z), 3)
    slider = ipywidgets.FloatSlider(min=-3, max=3)
    links = [
        ipywidgets.link((one, "z"), (other, "z")),
        ipywidgets.link((slider, "value"), other.latent(1)),
    ]
    one.z = (0, 1, 2)
    assert other.z == (0, 1, 2) and slider.value == 1
    slider.value = -2
    assert one.z == other.z == (0, -2, 2)
    assert other.latent(1) == (other, "latent_1") and other.latent_1 == -2
    for link in links:
        link.unlink()


@pytest.mark.parametrize("z", [0, [1, 2], [[1, 2, 3]], [1, 2, np.nan], [1, 2, np.inf]])
def test_a_code_of_another_shape_is_refused_and_the_old_one_stays(z):
    explorer = LatentExplorer(bands, 3)
    with pytest.raises(TraitError, match="3 finite numbers"):
        explorer.z = z
    assert explorer.z == (0, 0, 0)


def test_a_class_or_a_latent_that_is_none_is_refused():
    explorer = LatentExplorer(bands, 3, class_names=["a", "b"])
    with pytest.raises(TraitError, match="0 to 1"):
        explorer.label = 2
    with pytest.raises(TraitError, match="0 to 0"):
        LatentExplorer(bands, 3).label = 1
    for dim in (-1, 3, 0.0):
        with pytest.raises(ExplorerError, match="0 to 2"):
            explorer.latent(dim)
    with pytest.raises(ExplorerError, match="NaN"):
        LatentExplorer(lambda z: np.full((len(z), 4, 4), np.nan), 2).image  # noqa: B018


@pytest.fixture
def sliders(monkeypatch):
    """Make LatentSliders as in a notebook that a person looks at."""
    monkeypatch.delenv("LABKIT_RUN_DIR")
    monkeypatch.setattr("labkit.explorer.sliders.has_frontend", lambda: True)
    return LatentSliders


def drawn(made):
    """The picture of LatentSliders, (h, w) in [0, 1], each magnified pixel taken once."""
    picture = np.asarray(Image.open(io.BytesIO(made.picture.value))) / 255
    h, w = made.explorer.shape
    return picture[:: picture.shape[0] // h, :: picture.shape[1] // w]


def find(widget, kind):
    """All widgets of a kind in a box."""
    inside = [found for child in getattr(widget, "children", ()) for found in find(child, kind)]
    return [*([widget] if isinstance(widget, kind) else []), *inside]


def test_plain_sliders_move_the_code_and_its_picture(sliders):
    made = sliders(bands, 3)
    assert_allclose(drawn(made), bands(np.zeros((1, 3)))[0], atol=1 / 255)
    made.sliders[2].value = 1.5
    assert made.explorer.z == (0, 0, 1.5)
    assert_allclose(drawn(made), bands(np.array([[0, 0, 1.5]]))[0], atol=1 / 255)


def test_plain_sliders_follow_the_code_past_their_ends(sliders):
    made = sliders(bands, 3)
    made.explorer.z = (-1, 3.5, 0.25)
    assert [made.sliders[dim].value for dim in range(3)] == [-1, 3.5, 0.25]
    assert made.explorer.z == (-1, 3.5, 0.25)
    assert_allclose(drawn(made), bands(np.array([made.explorer.z]))[0], atol=1 / 255)


def test_plain_sliders_stand_in_order_with_the_rest_folded(sliders):
    made = sliders(lambda z: bands(z[:, :3]), 20, order=[5, 2])
    controls = made.controls()
    names = [slider.description for slider in find(controls, ipywidgets.FloatSlider)]
    assert names[:3] == ["latent 6", "latent 3", "latent 1"] and len(names) == 20
    (folded,) = find(controls, ipywidgets.Accordion)
    assert len(find(folded, ipywidgets.FloatSlider)) == 12
    assert not find(sliders(bands, 8).controls(), ipywidgets.Accordion)


def test_controls_go_to_a_class_an_image_the_start_and_a_draw(sliders):
    codes = np.array([[1.0, 2, 3], [0, 1, 0], [-2, 0, 2]])
    made = sliders(
        bands, 3, class_names=["a", "b"], images=np.zeros((3, 3, 6, 1)), labels=[0, 1, 1],
        encode=lambda x, labels: codes,
    )  # fmt: skip
    explorer, controls = made.explorer, made.controls()
    classes, images = find(controls, ipywidgets.Dropdown)
    start, draw = find(controls, ipywidgets.Button)
    images.value = 2
    assert explorer.z == (-2, 0, 2) and explorer.label == 1 and classes.label == "b"
    classes.value = 0
    assert explorer.label == 0
    assert_allclose(drawn(made), bands(codes[[2]], np.array([0]))[0], atol=1 / 255)
    draw.click()
    assert explorer.z != (-2, 0, 2) and made.sliders[0].value == explorer.z[0]
    start.click()
    assert explorer.z == (0, 0, 0)


def test_a_decoder_that_fails_in_mid_slide_is_a_message_and_the_last_picture_stays(sliders):
    made = sliders(lambda z: bands(z) if z[0, 0] < 2 else fails(z), 3, order=[0])
    before = made.picture.value
    made.sliders[0].value = 2.5
    assert "no such layer" in made.problem.value and made.picture.value == before
    made.sliders[0].value = 1
    assert made.problem.value == "" and made.picture.value != before


def test_plain_sliders_are_short_enough_to_copy():
    assert len(inspect.getsource(inspect.getmodule(LatentSliders)).splitlines()) <= 80


def test_in_batch_plain_sliders_leave_the_explorers_player_and_no_widget(monkeypatch):
    shown = []
    monkeypatch.setattr("labkit.explorer.sliders.display", lambda item, **_: shown.append(item))
    opened = set(widget._instances)
    made = LatentSliders(bands, 3, title="Bands")
    made._ipython_display_()
    assert set(widget._instances) == opened
    assert shown == [made.explorer] and spec_of(made.explorer)["title"] == "Bands"
    LatentSliders(bands, 0)._ipython_display_()
    assert 'role="alert"' in shown[1]._repr_mimebundle_()["text/html"]


def test_a_batch_run_keeps_no_widget_state_in_the_notebook(monkeypatch, tmp_path):
    code = """\
import numpy as np
from labkit.explorer import LatentExplorer, LatentSliders
decode = lambda z: np.full((len(z), 2, 2), 0.5)
explorer = LatentExplorer(decode, 2)
explorer.z = (1, 2)
display(explorer)
LatentSliders(decode, 2)"""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    ran = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    assert "widgets" not in ran.metadata
    kinds = [set(output.data) for output in ran.cells[0].outputs]
    assert kinds == [{"text/html", "text/plain"}] * 2


def test_frames_are_kept_in_order_as_they_fit_a_page():
    frames = {epoch: np.full((64, 28, 28), epoch / 100) for epoch in range(1, 101)}
    made = FramePlayer(frames)._repr_mimebundle_()["text/html"]
    assert len(made) < 400_000
    noise = {epoch: RNG.random((64, 28, 28)) for epoch in range(1, 13)}
    player = FramePlayer(noise)
    spec = spec_of(player)
    names = [frame["name"] for frame in spec["frames"]]
    assert names[0] == "epoch 1" and names[-1] == "epoch 12" and 2 <= len(names) < 12
    assert sum(len(frame["uri"]) for frame in spec["frames"]) < 300_000


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({}, "empty"),
        ({1: np.zeros((4, 8, 8)), 2: np.zeros((40, 8, 8))}, "one size"),
        ({1: np.full((4, 8, 8), np.nan)}, "Frame 1.*NaN"),
        ({1: np.zeros((4000, 3000))}, "2048"),
    ],
)
def test_frames_that_cannot_be_shown_are_a_message(frames, message):
    player = FramePlayer(frames)
    assert re.search(message, player.problem)
    assert 'role="alert"' in player._repr_mimebundle_()["text/html"]


def test_without_a_kernel_or_in_batch_nothing_is_opened(monkeypatch):
    assert not live.has_frontend()
    explorer = LatentExplorer(bands, 3)
    slider = ipywidgets.FloatSlider()
    joined = ipywidgets.jslink(explorer.latent(0), (slider, "value"))
    explorer.z = [1, 2, 3]
    assert explorer.comm is None and spec_of(explorer)["key"] == ""
    joined.unlink()
    monkeypatch.setattr(live, "get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    assert not live.has_frontend(), "a batch run has no reader"
    monkeypatch.delenv("LABKIT_RUN_DIR")
    assert live.has_frontend()


def test_decoder_works_in_batches_and_gives_each_its_label():
    seen = []

    def watched(z, labels):
        seen.append(len(z))
        return bands(z, labels)

    labels = np.arange(600) % 3
    pictures = Decoder(watched, 3, conditional=True)(np.zeros((600, 3)), labels)
    assert max(seen) <= 256 and len(pictures) == 600
    assert_array_equal(pictures[:, 0, 0], np.rint(labels / 4 * 255).astype("uint8"))


def test_a_decoder_is_told_from_one_that_takes_labels():
    with pytest.raises(ExplorerError, match=r"failed.*TypeError"):
        Decoder(decode, 3, conditional=True)(np.zeros((2, 3)))
