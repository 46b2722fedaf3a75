"""Explorers in a report, without a kernel: their pictures are the decoder's."""

import re

import nbformat
import numpy as np
import pytest

from labkit import models
from labkit.explorer import FramePlayer, LatentExplorer
from labkit.latent import slerp
from labkit.player import refreshed
from labkit.project import ROOT
from labkit.reports.record import RunRecord
from labkit.reports.results import put_results

pytestmark = pytest.mark.browser

STRENGTH = np.array([1.0, 0.8, 0.6, 0.4, 0.2])
GREY = 2 / 255  # the most that the page's own decoder may be off
STORED = 0.06  # what WebP and blending may cost a smooth decoder
REPORTS = sorted((ROOT / "reports").glob("*/report.ipynb"))
STATE = "shown => shown.src || shown.toDataURL()"
PIXELS = """canvas => {
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return { shape: [height, width], grey: [...data].filter((_, i) => i % 4 === 0) };
}"""


def waves(z, labels=None):
    """A smooth decoder of five latents to 20×24 pixels; a class brightens one corner."""
    y, x = np.mgrid[0:20, 0:24] / 24
    phase = np.stack([x, y, x + y, x - y, x * y]) * 2.5
    images = 0.5 + 0.1 * np.einsum("nd,dhw->nhw", z * STRENGTH, np.cos(phase))
    if labels is not None:
        images[:, :10, :12] = (labels[:, None, None] + 1) / 4
    return np.clip(images, 0, 1)


@pytest.fixture(scope="module")
def vae():
    """A dense VAE with weights large enough for pictures full of contrast."""
    made = models.dense_vae((64,), 12, initializer="glorot")
    rng = np.random.default_rng(0)
    made.decoder.set_weights([rng.normal(0, 0.5, w.shape) for w in made.decoder.get_weights()])
    return made


@pytest.fixture(scope="module")
def report(vae, tmp_path_factory):
    """A report with an explorer of each kind, in a folder of its own."""
    images = np.random.default_rng(1).random((12, 28, 28, 1))
    layers = models.dense_layers(vae.decoder, last="sigmoid")
    encode = lambda x: np.asarray(vae.encode(x)[0])  # noqa: E731
    shown = {
        "network": LatentExplorer(
            vae.decode, 12, encode=encode, images=images, network=layers, title="In the page"
        ),
        "stored": LatentExplorer(waves, 5, title="Stored"),
        "classes": LatentExplorer(waves, 5, class_names=["a", "b", "c"], title="By class"),
        "one": LatentExplorer(lambda z: waves(np.pad(z, ((0, 0), (0, 4)))), 1, title="One latent"),
        "unequal": LatentExplorer(
            lambda z: waves(np.pad(z, ((0, 0), (0, 3)))), 2, title="Unequal lengths",
            encode=lambda x: np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]]), images=images[:3],
        ),
        "frames": FramePlayer({e: np.full((16, 8, 8), e / 10) for e in (1, 2, 5)}, 4, title="Mosaics"),
    }  # fmt: skip
    cells = [nbformat.v4.new_markdown_cell("# Explorers\n\n## All of them")]
    for item in shown.values():
        output = nbformat.v4.new_output("display_data", data=item._repr_mimebundle_())
        cells.append(nbformat.v4.new_code_cell("explorer", outputs=[output]))
    record = RunRecord(
        lab="01_vae_mnist", title="Explorers", profile="quick", parameters={}, status="completed",
        cells_run=5, cells_total=5, start="2026-01-02T03:04:05+00:00", seconds=1.0, cells=[],
        code_digest="ab" * 32, processor={"model": "A processor", "cores": 2},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("explorers")
    notebook = nbformat.v4.new_notebook(cells=cells)
    put_results(record, {}, notebook, folder / "01_vae_mnist", folder, keep=False)
    return folder / "01_vae_mnist" / "report.html"


@pytest.fixture
def open_players(open_page, report, at_rest):
    """Open the report and wait until each player is made, has told its height and has its place."""

    def find(width=1280, **options):
        page = open_page(report, width, **options)
        for element in page.locator(".labkit-player iframe").all():
            element.content_frame.get_by_role("heading").first.wait_for(state="attached")
        page.locator('.labkit-player iframe:not([style*="height"])').first.wait_for(state="detached")
        at_rest(page)
        return page

    return find


@pytest.fixture
def explorer(open_players, at_rest):
    """Open the report and return the frame of the player with this title, scrolled into view."""

    def find(title, **options):
        page = open_players(**options)
        element = page.locator(f'iframe[title="{title}"]')
        element.scroll_into_view_if_needed()
        at_rest(page)
        return page, element.content_frame

    return find


def picture(frame):
    """The picture that is shown, in [0, 1], and the code that it is said to be of."""
    canvas = frame.locator("canvas.picture")
    read = canvas.evaluate(PIXELS)
    z = np.array(canvas.get_attribute("data-z").split(), dtype="float32")
    return np.reshape(read["grey"], read["shape"]) / 255, z


def assert_shows(frame, decode, tolerance):
    shown, z = picture(frame)
    expected = np.asarray(decode(z[None])).reshape(shown.shape)
    assert np.abs(shown - expected).max() <= tolerance + 0.5 / 255  # bytes are rounded
    return z


def slide(frame, name, value):
    """Move a slider as its input event does, and return where it came to stand."""
    move = "(input, v) => { input.value = v; input.dispatchEvent(new Event('input')); return +input.value; }"
    return frame.get_by_role("slider", name=name, exact=True).evaluate(move, value)


def test_sliders_of_the_page_decoder_change_the_picture_as_keras_would(explorer, vae):
    _, frame = explorer("In the page")
    frame.get_by_text("4 further latents").click()
    before = assert_shows(frame, vae.decode, GREY)
    values = np.linspace(-2.5, 2.5, 12)
    expected = [slide(frame, f"latent {i + 1}", value) for i, value in enumerate(values)]
    after = assert_shows(frame, vae.decode, GREY)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    np.testing.assert_allclose(after, values, atol=0.01)
    assert not np.allclose(before, after)


def test_the_pad_moves_two_latents_by_pointer_and_by_key(explorer, vae):
    page, frame = explorer("In the page")
    pad = frame.get_by_role("slider", name="Plane of two latents")
    box = pad.bounding_box()
    pad.click(position={"x": box["width"] - 2, "y": 2})
    z = assert_shows(frame, vae.decode, GREY)
    assert sorted(z[z != 0]) == [3, 3], "the right top corner"
    pad.focus()
    for _ in range(10):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+ArrowLeft")
    z = assert_shows(frame, vae.decode, GREY)
    np.testing.assert_allclose(sorted(z[z != 0]), [-3, 1.8], atol=1e-4)
    assert "1.80" in pad.get_attribute("aria-valuetext")


def test_the_plane_can_be_laid_through_any_two_latents(explorer, vae):
    _, frame = explorer("In the page")
    frame.get_by_role("combobox", name="Latent across").select_option("latent 7")
    frame.get_by_role("combobox", name="Latent up").select_option("latent 11")
    pad = frame.get_by_role("slider", name="Plane of two latents")
    pad.click(position={"x": 2, "y": 2})
    z = assert_shows(frame, vae.decode, GREY)
    np.testing.assert_allclose([z[6], z[10]], [-3, 3])


def test_buttons_and_walks_of_the_page_decoder(explorer, vae):
    _, frame = explorer("In the page")
    frame.get_by_role("button", name="Random z").click()
    z = assert_shows(frame, vae.decode, GREY)
    assert 0 < np.abs(z).max() < 6
    frame.get_by_role("button", name="Back to the start").click()
    assert not assert_shows(frame, vae.decode, GREY).any()
    frame.get_by_role("group", name="Go to").get_by_role("radio", name="test image 2").check()
    code = assert_shows(frame, vae.decode, GREY)
    frame.get_by_role("radio", name="Scale t·z").check()
    frame.get_by_role("group", name="Scale").get_by_role("radio", name="test image 2").check()
    slide(frame, "t", 1.5)
    np.testing.assert_allclose(assert_shows(frame, vae.decode, GREY), 1.5 * code, atol=1e-3)
    frame.get_by_role("radio", name="From A to B").check()
    frame.get_by_role("group", name="B", exact=True).get_by_role("radio", name="test image 5").check()
    slide(frame, "t", 0.5)
    straight = assert_shows(frame, vae.decode, GREY)
    frame.get_by_role("radio", name="spherical").check()
    assert np.linalg.norm(assert_shows(frame, vae.decode, GREY)) > np.linalg.norm(straight)


def test_stored_strips_and_plane_are_the_decoders_pictures(explorer):
    _, frame = explorer("Stored")
    for name, value in (("latent 5", 2.2), ("latent 3", -3), ("latent 4", 1.1)):
        slide(frame, name, value)
        z = assert_shows(frame, waves, STORED)
        assert np.count_nonzero(z) == 1, "without a kernel one latent moves at a time"
    slide(frame, "latent 1", -1.9)
    slide(frame, "latent 2", 2.5)
    z = assert_shows(frame, waves, STORED)
    np.testing.assert_allclose(z[:2], [-1.9, 2.5], atol=0.01)
    pad = frame.get_by_role("slider", name="Plane of two latents")
    pad.click(position={"x": 40, "y": 90})
    moved = assert_shows(frame, waves, STORED)
    assert np.abs(moved[:2] - z[:2]).max() > 0.5 and not moved[2:].any()


def test_stored_draws_and_walks_are_the_decoders_pictures(explorer):
    _, frame = explorer("Stored")
    seen = []
    for _ in range(3):
        frame.get_by_role("button", name="Random z").click()
        seen.append(assert_shows(frame, waves, STORED))
    assert len(np.unique(seen, axis=0)) == 3
    frame.get_by_role("radio", name="Scale t·z").check()
    slide(frame, "t", 0.3)
    assert_shows(frame, waves, STORED)
    frame.get_by_role("radio", name="From A to B").check()
    for a, b in ((1, 4), (5, 2), (3, 3)):
        frame.get_by_role("group", name="A", exact=True).get_by_role("radio", name=f"random draw {a}").check()
        frame.get_by_role("group", name="B", exact=True).get_by_role("radio", name=f"random draw {b}").check()
        for path in ("linear", "spherical"):
            frame.get_by_role("radio", name=path).check()
            slide(frame, "t", 0.7)
            assert_shows(frame, waves, STORED)


def test_arcs_between_codes_of_unequal_lengths_are_those_of_labkit_latent(explorer):
    _, frame = explorer("Unequal lengths")
    frame.get_by_role("radio", name="From A to B").check()
    frame.get_by_role("radio", name="spherical").check()
    b = frame.get_by_role("group", name="B", exact=True)
    for name, expected in (("test image 2", [2**0.5, 2**0.5]), ("test image 3", [-0.5, 0])):
        b.get_by_role("radio", name=name).check()
        slide(frame, "t", 0.5)
        z = assert_shows(frame, lambda z: waves(np.pad(z, ((0, 0), (0, 3)))), STORED)
        np.testing.assert_allclose(z, expected, atol=1e-6)
    b.get_by_role("radio", name="test image 2").check()
    for t in (0.13, 0.5, 0.77):
        slide(frame, "t", t)
        _, z = picture(frame)
        np.testing.assert_allclose(
            z, slerp(np.array([1.0, 0.0]), np.array([0.0, 3.0]), np.array([[t]]))[0], atol=1e-6
        )


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_players_of_published_reports_run_with_the_script_of_now(open_page, path, tmp_path):
    cells = nbformat.read(path, 4).cells
    outputs = [
        output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])
    ]
    stored = [refreshed(text) for text in outputs if "labkit-player" in text]
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>Players</title>{''.join(stored)}")
    page = open_page(tmp_path / "page.html")
    assert page.locator(".labkit-player iframe").count() == len(stored) > 0
    for element in page.locator(".labkit-player iframe").all():
        element.scroll_into_view_if_needed()
        frame = element.content_frame
        frame.get_by_role("heading", level=1).wait_for()
        shown = frame.locator("canvas.picture, img.frame")
        before = shown.evaluate(STATE)
        slider = frame.get_by_role("slider", name=re.compile(r"^(latent \d+|epoch)$")).first
        slider.evaluate("input => { input.value = input.min; input.dispatchEvent(new Event('input')); }")
        assert shown.evaluate(STATE) != before


def test_a_class_is_chosen_and_kept(explorer):
    _, frame = explorer("By class")
    frame.get_by_role("radio", name="c", exact=True).check()
    of_class = lambda z: waves(z, np.array([2]))  # noqa: E731
    assert_shows(frame, of_class, STORED)
    slide(frame, "latent 3", 3)
    assert assert_shows(frame, of_class, STORED)[2] == 3
    assert "class c" in frame.locator("canvas.picture").get_attribute("aria-label")


def test_one_latent_has_a_slider_and_no_plane(explorer):
    _, frame = explorer("One latent")
    slide(frame, "latent 1", 2)
    assert_shows(frame, lambda z: waves(np.pad(z, ((0, 0), (0, 4)))), STORED)
    assert frame.get_by_role("slider", name="Plane of two latents").count() == 0


def test_a_finger_on_the_pad_moves_it(explorer):
    _, frame = explorer("Stored", width=400, has_touch=True)
    pad = frame.get_by_role("slider", name="Plane of two latents")
    pad.tap(position={"x": 3, "y": 3})
    np.testing.assert_allclose(assert_shows(frame, waves, STORED)[:2], [-3, 3], atol=0.2)


def test_frames_are_stepped_scrubbed_and_played(explorer):
    page, frame = explorer("Mosaics")
    image = frame.get_by_role("img")
    assert image.get_attribute("alt") == "Mosaics, epoch 5"
    kept = [int(image.get_attribute(side)) for side in ("width", "height")]
    assert kept == image.evaluate("image => [image.naturalWidth, image.naturalHeight]"), (
        "its place is kept before it is decoded"
    )
    frame.get_by_role("button", name="Previous").click()
    assert image.get_attribute("alt") == "Mosaics, epoch 2"
    slide(frame, "epoch", 0)
    assert image.get_attribute("alt") == "Mosaics, epoch 1"
    frame.get_by_role("button", name="Play").click()
    frame.get_by_role("img", name="Mosaics, epoch 5").wait_for()
    frame.get_by_role("button", name="Play").wait_for()  # and it stops by itself
    page.emulate_media(reduced_motion="reduce")
    frame.get_by_role("button", name="Play").wait_for(state="hidden")
    frame.get_by_role("button", name="Previous").click()
    assert image.get_attribute("alt") == "Mosaics, epoch 2"


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_players_fit_their_frames(open_players, at_rest, width):
    page = open_players(width)
    for element in page.locator(".labkit-player iframe").all():
        element.scroll_into_view_if_needed()
        at_rest(page)  # a frame out of sight is not laid out anew
        sizes = element.content_frame.locator("html").evaluate(
            "html => [html.scrollWidth - innerWidth, html.scrollHeight - innerHeight]"
        )
        assert max(sizes) <= 1, "nothing is cut off and nothing scrolls in the frame"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def contact_sheet(page):
    return page.get_by_role("img", name="Stored: 11 by 11 pictures")


def test_without_scripts_the_contact_sheet_stands_there(open_page, report):
    page = open_page(report, java_script_enabled=False)
    assert contact_sheet(page).is_visible()
    assert page.locator(".labkit-player iframe").first.is_hidden()


def test_print_shows_the_contact_sheet(open_page, report):
    page = open_page(report)
    assert not contact_sheet(page).is_visible()
    page.emulate_media(media="print")
    assert contact_sheet(page).is_visible()
    assert page.locator(".labkit-player iframe").first.is_hidden()


def test_a_player_runs_no_script_but_its_own_and_reaches_no_network(chromium, report, tmp_path):
    """Even in a page without the report's policy, the frame's own one holds."""
    text = report.read_text()
    start = text.index('<div class="labkit-player">')
    player = text[start : text.index("</iframe>", start) + len("</iframe>")]
    bad = "&lt;script&gt;document.title = 'ran'&lt;/script&gt;&lt;img src=http://127.0.0.1:9/x.png&gt;"
    page_path = tmp_path / "bare.html"
    page_path.write_text("<!DOCTYPE html>" + player.replace("&lt;p class=", bad + "&lt;p class=", 1))
    page = chromium.new_page()
    failed = []
    page.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    page.goto(page_path.as_uri())
    frame = page.frames[1]
    frame.wait_for_selector("h1")
    assert frame.evaluate("document.title") == "In the page"
    assert frame.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'blocked')") == "blocked"
    assert all("csp" in reason for url, reason in failed if url.startswith("http")), failed
    assert (
        frame.evaluate("(() => { try { return parent.document.title; } catch { return 'apart'; } })()")
        == "apart"
    )
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1280])
def test_axe_finds_nothing(open_players, faults, width, scheme):
    page = open_players(width, color_scheme=scheme)
    frame = page.locator('iframe[title="In the page"]').content_frame
    frame.get_by_text("4 further latents").click()
    assert faults(page) == []
    frame.get_by_role("radio", name="From A to B").check()
    assert faults(page) == []
