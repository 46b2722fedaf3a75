"""An explorer in a real JupyterLab: live while the kernel is there, stored pictures after it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import nbformat
import numpy as np
import pytest

from labkit.explorer import LatentExplorer
from labkit.project import ROOT

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
    box = frame.get_by_role("slider", name=name, exact=True).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 5, y, steps=40)
    page.mouse.up()


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
