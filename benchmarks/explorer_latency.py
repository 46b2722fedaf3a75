"""How long an explorer takes from a slider's event to the new picture on its canvas.

    python benchmarks/explorer_latency.py [EVENTS]

Live: a notebook in a real JupyterLab, in headless Chromium, whose kernel decodes with the
dense decoder of Lab 1 and with the DCGAN generator of the tutorial; and that dense decoder
behind plain ipywidgets sliders. Static: the same dense decoder in the page, and stored
pictures of the generator. Weights are random, since time does
not depend on them. Run it on a quiet machine: it prints the load next to its figures.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from labkit import models
from labkit.explorer import LatentExplorer, LatentSliders


def dense():
    """Lab 1's decoder, 2–256–784."""
    vae = models.dense_vae((256,), 2)
    layers = models.dense_layers(vae.decoder, last="sigmoid")
    return LatentExplorer(vae.decode, 2, network=layers, title="dense")


def dcgan():
    """The tutorial's DCGAN generator, 100 latents."""
    gan = models.GAN(models.conv_generator(latent_dim=100), models.conv_discriminator())
    return LatentExplorer(gan.generate, 100, title="dcgan")


def plain():
    """Lab 1's decoder behind ipywidgets sliders."""
    return LatentSliders(models.dense_vae((256,), 2).decode, 2, title="plain")


BARS = {dense: 50, dcgan: 100, plain: 60}  # milliseconds in the median, live
STATIC_BAR = 16
TOKEN = "benchmark"  # noqa: S105
# One event after the other: the next one only when the picture of the last is there.
MEASURE = """async (slider, events) => {
  const drawn = () => document.documentElement.dataset.draws;
  const times = [];
  for (let i = 0; i < events; i++) {
    const before = drawn();
    const start = performance.now();
    slider.value = Number(slider.min) + (slider.max - slider.min) * ((i * 0.37) % 1);
    slider.dispatchEvent(new Event("input"));
    while (drawn() === before) await new Promise((go) => { const c = new MessageChannel(); c.port1.onmessage = go; c.port2.postMessage(0); });
    times.push(performance.now() - start);
    await new Promise((go) => setTimeout(go, 100));
  }
  return times;
}"""  # noqa: E501

# The same for an ipywidgets slider, which an arrow key moves, until its image has loaded.
MEASURE_PLAIN = """async (handle, events) => {
  const image = document.querySelector(".labkit-sliders img");
  const times = [];
  for (let i = 0; i < events; i++) {
    const loaded = new Promise((go) => image.addEventListener("load", go, { once: true }));
    const start = performance.now();
    handle.dispatchEvent(new KeyboardEvent("keydown", { key: i % 20 < 10 ? "ArrowRight" : "ArrowLeft", bubbles: true }));
    await loaded;
    times.push(performance.now() - start);
    await new Promise((go) => setTimeout(go, 100));
  }
  return times;
}"""  # noqa: E501


def write_notebook(path: Path) -> None:
    """A notebook that shows an explorer of each model."""
    sources = ["from labkit import models\nfrom labkit.explorer import LatentExplorer, LatentSliders"]
    sources += [f"{inspect.getsource(build)}\n{build.__name__}()" for build in BARS]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def start_lab(folder: Path):
    """A JupyterLab server on a free port, and its address."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    env = {name: value for name, value in os.environ.items() if name != "LABKIT_RUN_DIR"}
    env |= {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "config")}
    log = folder / "log"
    server = subprocess.Popen(command, env=env, stdout=log.open("w"), stderr=subprocess.STDOUT)
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())):
        if server.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.2)
    time.sleep(2)
    return server, found[0]


def measured(frame, events: int) -> list[float]:
    """Milliseconds from event to picture, on the first slider."""
    slider = frame.get_by_role("slider", name=re.compile(r"^latent \d+$")).first
    slider.evaluate(MEASURE, 5)  # the first ones compile and trace
    return slider.evaluate(MEASURE, events)


def live(browser, folder: Path, events: int) -> dict[str, list[float]]:
    """Milliseconds of each model with a kernel."""
    server, address = start_lab(folder)
    try:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}lab/tree/latency.ipynb?token={TOKEN}&reset")
        page.get_by_text("| Idle").wait_for(timeout=120_000)
        page.locator(".lm-MenuBar-itemLabel").get_by_text("Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
        times = {}
        for build in (dense, dcgan):
            element = page.locator(f'iframe[title="{build.__name__}"]')
            element.wait_for(timeout=300_000)
            element.scroll_into_view_if_needed()
            element.content_frame.get_by_text("Live: the kernel").wait_for(timeout=120_000)
            times[f"live, {build.__name__}"] = measured(element.content_frame, events)
        handle = page.locator(".labkit-sliders .noUi-handle").first
        handle.evaluate(MEASURE_PLAIN, 5)
        return times | {"live, plain": handle.evaluate(MEASURE_PLAIN, events)}
    finally:
        server.terminate()
        server.wait(30)


def static(browser, folder: Path, events: int) -> dict[str, list[float]]:
    """Milliseconds of each model in a page of its own, without a kernel."""
    os.environ["LABKIT_RUN_DIR"] = str(folder / "run")
    times = {}
    for build in (dense, dcgan):
        page_path = folder / "static.html"
        made = build()._repr_mimebundle_()["text/html"]
        page_path.write_text(f"<!DOCTYPE html>{made}", encoding="utf-8")
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(page_path.as_uri())
        frame = page.locator("iframe").content_frame
        frame.get_by_role("heading").first.wait_for()
        times[f"static, {build.__name__}"] = measured(frame, events)
        page.close()
    return times


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    path = os.environ.get("LABKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    bars = {f"live, {build.__name__}": bar for build, bar in BARS.items()}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_notebook(folder / "latency.ipynb")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        times = static(browser, folder, events) | live(browser, folder, events)
        browser.close()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {events} events each, milliseconds")
    for label, values in times.items():
        median, late = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        bar = bars.get(label, STATIC_BAR)
        print(f"{label:16} median {median:6.1f}   95th percentile {late:6.1f}   bar {bar}")


if __name__ == "__main__":
    main()
