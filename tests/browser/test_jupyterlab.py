"""An explorer in a real JupyterLab: live while the kernel is there, stored pictures after it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import nbformat
import numpy as np
import pytest

from labkit.explorer import LatentExplorer
from labkit.project import ROOT, own_notebooks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TOKEN = "a-token-for-the-test"
PATIENCE = 120_000  # ms, for a kernel that starts and imports on a busy machine
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
# Four grey pixels, a column a latent.
CODE = """\
import numpy as np
from labkit.explorer import LatentExplorer
def decode(z):
    return np.clip(0.5 + np.repeat(np.stack([z[:, 0], z[:, 1]], 1)[:, None], 2, axis=1) / 10, 0, 1)
LatentExplorer(decode, 2, title="Two grey columns")"""
# An explorer with an ipywidgets slider joined in the page, a label that Python writes, and a button
# by which Python moves the code; then the same explorer in a box of widgets.
LINKED = """\
import ipywidgets as widgets
explorer = LatentExplorer(decode, 2, title="Two grey columns")
mine, seen = widgets.FloatSlider(min=-3, max=3, step=0.01, description="mine"), widgets.Label()
widgets.jslink(explorer.latent(0), (mine, "value"))
def say(change):
    seen.value = f"z = {change.new}, {explorer.image[0].round(2)}"
explorer.observe(say, "z")
to_python = widgets.Button(description="Python moves")
to_python.on_click(lambda _: setattr(explorer, "z", (-3, 1.5)))
display(mine, seen, to_python)
explorer"""
SLIDERS = """\
from labkit.explorer import LatentSliders
import ipywidgets as widgets
import time
from pathlib import Path
decoded = []
def held(z):
    decoded.extend([1] if len(z) == 1 else [])  # the pictures stored for the page come in larger batches
    while Path("hold").exists():
        time.sleep(0.01)
    return decode(z)
sliders = LatentSliders(held, 2, title="Plain sliders")
seen, back = widgets.Label(), widgets.Button(description="Python moves")
sliders.explorer.observe(lambda change: setattr(seen, "value", f"z = {change.new} after {len(decoded)}"), "z")
back.on_click(lambda _: setattr(sliders.explorer, "z", (-3, 1.5)))
decoded.clear()
sliders"""
# What notebook 01 asks a student for: a slider of her own.
FIVE_LINES = """\
import matplotlib.pyplot as plt
from ipywidgets import interact
def show(z1=(-3.0, 3.0), z2=(-3.0, 3.0)):
    plt.figure(figsize=(2, 2)).gca().imshow(decode(np.array([[z1, z2]]))[0], cmap="gray", vmin=0, vmax=1)
    plt.show()
interact(show)"""
RIGHT_END = [0.8, 0.5]  # of the picture's columns when latent 1 is 3 and latent 2 is 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab server of this environment: its address, and the folder it serves.

    Nothing of the user's own settings is read, and nothing there is written.
    """
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_markdown_cell("# A test"), nbformat.v4.new_code_cell(CODE)]
    cells.append(nbformat.v4.new_code_cell("LatentExplorer(decode, 0)"))
    cells.append(nbformat.v4.new_code_cell("print('the notebook', 'goes on')"))
    for name in ("demo.ipynb", "restart.ipynb"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / name)
    setup = CODE.rpartition("\n")[0]
    for name, codes in {
        "linked.ipynb": (setup, LINKED, "widgets.VBox([LatentExplorer(decode, 2, title='In a box')])"),
        "sliders.ipynb": (setup, SLIDERS, "display(seen, back)"),
        "interact.ipynb": (setup, FIVE_LINES),
    }.items():
        cells = [nbformat.v4.new_code_cell(code) for code in codes]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / name)
    shutil.copy(own_notebooks() / "01_vae_mnist.ipynb", folder)
    state = {name: str(folder / name) for name in ("config", "data", "runtime")}
    away = ("LABKIT_RUN_DIR", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH")
    env = {name: value for name, value in os.environ.items() if name not in away}
    env |= {"JUPYTER_CONFIG_DIR": state["config"], "JUPYTER_DATA_DIR": state["data"]}
    env |= {"JUPYTER_RUNTIME_DIR": state["runtime"], "JUPYTERLAB_SETTINGS_DIR": state["config"]}
    env |= {
        "JUPYTERLAB_WORKSPACES_DIR": state["config"],
        "IPYTHONDIR": state["data"],
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    with open(folder / "log", "w+") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield wait_for(server, folder / "log"), folder
        finally:
            server.terminate()  # it shuts its kernels down first
            try:
                server.wait(60)
            finally:
                server.kill()


def wait_for(server, log):
    """The server's address, read from its log, once it answers."""
    for _ in range(240):
        found = re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())
        if found:
            try:
                urllib.request.urlopen(found[0] + "api", timeout=5)
                return found[0]
            except OSError:
                pass
        assert server.poll() is None, log.read_text()
        time.sleep(0.25)
    raise AssertionError("JupyterLab did not start:\n" + log.read_text())


@pytest.fixture
def notebook(chromium, lab):
    """Open a notebook of the server; the test fails on any request to another host."""
    address, _ = lab
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    requests = []
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()

    def open_notebook(name):
        page.goto(f"{address}lab/tree/{name}?token={TOKEN}&reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE)
        page.get_by_text("| Idle").wait_for(timeout=PATIENCE)  # a command before that is lost
        return page

    yield open_notebook
    context.close()
    own = (address, address.replace("http", "ws"), "data:", "blob:", "about:")
    assert [url for url in requests if not url.startswith(own)] == []


def menu(page, name, entry):
    page.locator(".lm-MenuBar-itemLabel").get_by_text(name, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def end_kernels(address):
    """Shut every kernel of the server down, as `Shut Down All` does."""
    headers = {"Authorization": f"token {TOKEN}"}

    def call(path, method="GET"):
        request = urllib.request.Request(address + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.read()

    for session in json.loads(call("api/sessions")):
        call(f"api/sessions/{session['id']}", "DELETE")


def player(page):
    frame = page.frame_locator(".labkit-player iframe")
    frame.get_by_role("heading", name="Two grey columns").wait_for(timeout=PATIENCE)
    return frame


def columns(frame):
    """The picture's two columns, as grey values from 0 to 1."""
    pixels = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 2, 1).data].map(v => v / 255)"
    left, _, _, _, right, *_ = frame.locator("canvas.picture").evaluate(pixels)
    return pytest.approx([left, right], abs=0.02)


def becomes(read, expected, seconds=20):
    end = time.monotonic() + seconds
    while read() != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert expected == read()


def drag_to_the_end(page, frame, name):
    """Drag a slider's thumb with the mouse, from its middle past its right end, in many small moves."""
    drag(page, frame.get_by_role("slider", name=name, exact=True))


def drag(page, slider, to=1.0, start=0.5):
    """Drag with the mouse from one share of an element's width to past another, in many small moves."""
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + to * box["width"] + (5 if to > 0.5 else -5), y, steps=40)
    page.mouse.up()


def widget_slider(page, name):
    """The track of an ipywidgets slider in the notebook."""
    row = page.locator(".widget-slider").filter(has_text=re.compile(rf"^{name}"))
    return row.locator(".slider-container, .noUi-target").first


def test_an_explorer_is_live_with_a_kernel_and_works_without_one(notebook, lab, at_rest):
    address, folder = lab
    page = notebook("demo.ipynb")
    menu(page, "Run", "Run All Cells")
    frame = player(page)
    frame.get_by_text("Live: the kernel decodes").wait_for(timeout=PATIENCE)
    at_rest(page)
    drag_to_the_end(page, frame, "latent 1")
    becomes(lambda: columns(frame), RIGHT_END)
    # What cannot be shown is a message, and the cells after it have run.
    assert page.get_by_role("alert").filter(has_text="latent_dim is 0").is_visible()
    page.get_by_text("the notebook goes on").wait_for()

    # The page is loaded anew while the kernel lives: the explorer finds it again.
    menu(page, "File", "Save Notebook")
    wait_until_saved(folder / "demo.ipynb")
    frame = player(notebook("demo.ipynb"))
    frame.get_by_text("Live: the kernel decodes").wait_for(timeout=PATIENCE)

    # The kernel goes: the same output goes on with its stored pictures.
    end_kernels(address)
    frame = player(notebook("demo.ipynb"))
    frame.get_by_text("No kernel here").wait_for(timeout=PATIENCE)
    at_rest(page)
    drag_to_the_end(page, frame, "latent 1")
    becomes(lambda: columns(frame), RIGHT_END)


def wait_until_saved(path):
    becomes(lambda: "labkit-player" in path.read_text(), True)


def test_explorer_python_and_a_widget_slider_follow_one_another(notebook, at_rest):
    page = notebook("linked.ipynb")
    menu(page, "Run", "Run All Cells")
    frame = page.frame_locator('iframe[title="Two grey columns"]')
    frame.get_by_text("Live: the kernel decodes").wait_for(timeout=PATIENCE)
    boxed = page.frame_locator('iframe[title="In a box"]')
    boxed.get_by_text("Live: the kernel decodes").wait_for(timeout=PATIENCE)
    at_rest(page)
    # The page moves; the widget, and what Python observes, follow.
    drag_to_the_end(page, frame, "latent 1")
    becomes(lambda: columns(frame), RIGHT_END)
    page.get_by_text("z = (3.0, 0.0), [0.8 0.5]").wait_for()
    handle = widget_slider(page, "mine").locator(".noUi-handle")
    becomes(lambda: handle.get_attribute("aria-valuenow"), "3.0")
    # The widget moves; the page and Python follow.
    drag(page, widget_slider(page, "mine"), to=0, start=1)
    becomes(lambda: columns(frame), [0.2, 0.5])
    page.get_by_text("z = (-3.0, 0.0), [0.2 0.5]").wait_for()
    # Python moves; page and widget follow.
    page.get_by_role("button", name="Python moves").click()
    becomes(lambda: columns(frame), [0.2, 0.65])
    becomes(lambda: frame.get_by_role("slider", name="latent 2", exact=True).input_value(), "1.5")


def test_plain_sliders_move_the_picture_and_the_code_and_leave_the_player(notebook, lab, at_rest):
    address, folder = lab
    page = notebook("sliders.ipynb")
    menu(page, "Run", "Run All Cells")
    picture = page.locator(".labkit-sliders img")
    picture.wait_for(timeout=PATIENCE)
    assert page.locator(".labkit-stand-in").is_hidden(), "the player waits for its turn"
    before = picture.get_attribute("src")
    hold = folder / "hold"  # the decoder does not answer before the drag is over
    hold.touch()
    drag(page, widget_slider(page, "latent 1"))
    hold.unlink()
    said = page.get_by_text(re.compile(r"z = \(3\.0, 0\.0\) after \d+"))
    said.wait_for()
    assert int(said.text_content().split()[-1]) <= 6, "of 40 moves the first and the last were decoded"
    becomes(lambda: shades(picture), RIGHT_END)
    assert picture.get_attribute("src") != before
    # Python moves the code: the sliders and the picture follow.
    page.get_by_role("button", name="Python moves").click()
    becomes(lambda: shades(picture), [0.2, 0.65])
    becomes(
        lambda: widget_slider(page, "latent 1").locator(".noUi-handle").get_attribute("aria-valuenow"), "-3.0"
    )
    page.get_by_role("button", name="back to the start").click()
    becomes(lambda: shades(picture), [0.5, 0.5])
    page.get_by_label("go to").select_option("random draw 3")
    z = LatentExplorer(lambda z: np.zeros((len(z), 2, 2)), 2).points[2].z
    becomes(lambda: shades(picture), [*(0.5 + z / 10)])
    # A page that is loaded anew finds the sliders again; without the kernel the player stands there.
    menu(page, "File", "Save Notebook")
    wait_until_saved(folder / "sliders.ipynb")
    page = notebook("sliders.ipynb")
    picture.wait_for(timeout=PATIENCE)
    assert page.locator(".labkit-stand-in").is_hidden()
    end_kernels(address)
    page = notebook("sliders.ipynb")
    frame = page.frame_locator('iframe[title="Plain sliders"]')
    frame.get_by_text("No kernel here").wait_for(timeout=PATIENCE)
    at_rest(page)
    drag_to_the_end(page, frame, "latent 1")
    becomes(lambda: columns(frame), RIGHT_END)
    area = page.locator(".jp-OutputArea").filter(has=page.locator(".labkit-stand-in"))
    assert "widget" not in area.inner_text(), "JupyterLab's word on a model that is gone is hidden"


def shades(picture):
    """Grey values of the left and the right end of an image element."""
    read = """async image => { await image.decode(); const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
      return [1, canvas.width - 1].map(x => context.getImageData(x, 1, 1, 1).data[0] / 255); }"""
    return pytest.approx(picture.evaluate(read), abs=0.02)


def test_a_student_builds_a_slider_of_her_own_in_five_lines(notebook):
    page = notebook("interact.ipynb")
    menu(page, "Run", "Run All Cells")
    image = page.locator(".widget-interact img")
    image.wait_for(timeout=PATIENCE)
    before = image.get_attribute("src")
    drag(page, widget_slider(page, "z1"))
    becomes(lambda: image.count() and image.get_attribute("src") != before, True)


def test_a_notebook_opens_with_its_own_kernel_and_its_plumbing_folded_under_a_name(notebook):
    page = notebook("01_vae_mnist.ipynb")
    assert page.locator(".jp-Toolbar-kernelName").inner_text().strip().startswith("labkit")
    folded = page.locator(".jp-InputPlaceholder").filter(has_text="@title")
    folded.first.wait_for(timeout=PATIENCE)
    assert "The data" in folded.first.inner_text()
    cell = page.locator(".jp-CodeCell").filter(has=folded).first
    assert not cell.locator(".jp-InputArea-editor").is_visible()
    folded.first.click()
    cell = page.locator(".jp-CodeCell").filter(has_text="@title The data").first
    cell.get_by_text("data.load(").wait_for(timeout=PATIENCE)


def test_a_restarted_kernel_is_told_from_a_live_one(notebook):
    page = notebook("restart.ipynb")
    menu(page, "Run", "Run All Cells")
    frame = player(page)
    frame.get_by_text("Live: the kernel decodes").wait_for(timeout=PATIENCE)
    menu(page, "Kernel", "Restart Kernel…")
    page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    frame.get_by_text("No kernel here").wait_for(timeout=PATIENCE)
    page.get_by_text("| Idle").wait_for(timeout=PATIENCE)  # a server ended in mid-restart hangs


def test_a_notebook_that_is_not_trusted_shows_the_contact_sheet(notebook, lab, at_rest):
    _, folder = lab
    explorer = LatentExplorer(lambda z: np.full((len(z), 2, 2), 0.5), 2, title="From elsewhere")
    output = nbformat.v4.new_output("display_data", data=explorer._repr_mimebundle_())
    cells = [nbformat.v4.new_code_cell("explorer", outputs=[output], execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / "foreign.ipynb")
    page = notebook("foreign.ipynb")
    at_rest(page)
    page.get_by_text("Contact sheet: From elsewhere").click()
    assert page.get_by_role("img", name="From elsewhere").evaluate("image => image.naturalWidth > 0")
    assert page.get_by_text("run the cell, or trust the notebook").is_visible()
    assert page.locator(".labkit-player iframe").count() == 0
