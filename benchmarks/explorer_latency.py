"""How long an explorer takes from a slider's event to the new picture on its canvas.

    python benchmarks/explorer_latency.py [EVENTS]

Live: a notebook in a real JupyterLab, in headless Chromium, whose kernel decodes with the
dense decoder of Lab 1 and with the DCGAN generator of the tutorial. Static: the same dense
decoder in the page, and stored pictures of the generator. Weights are random, since time does
not depend on them. Run it on a quiet machine: it prints the load next to its figures.
"""

from __future__ import annotations

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

MODELS = {
    "dense decoder (2–256–784)": (
        "vae = models.dense_vae((256,), 2)",
        "LatentExplorer(vae.decode, 2, network=models.dense_layers(vae.decoder, last='sigmoid'), title='dense')",
        50,
    ),
    "DCGAN generator (100 latents)": (
        "gan = models.GAN(models.conv_generator(latent_dim=100), models.conv_discriminator())",
        "LatentExplorer(gan.generate, 100, title='DCGAN')",
        100,
    ),
}
STATIC_BAR = 16
TOKEN = "benchmark"
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


def write_notebook(path: Path) -> None:
    """A notebook that shows an explorer of each model."""
    cells = [
        nbformat.v4.new_code_cell("from labkit import models\nfrom labkit.explorer import LatentExplorer")
    ]
    cells += [nbformat.v4.new_code_cell(f"{build}\n{show}") for build, show, _ in MODELS.values()]
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
        for label, (_, show, _) in MODELS.items():
            title = re.search("title='(.+?)'", show)[1]
            element = page.locator(f'iframe[title="{title}"]')
            element.wait_for(timeout=300_000)
            element.scroll_into_view_if_needed()
            element.content_frame.get_by_text("Live: the kernel").wait_for(timeout=120_000)
            times[f"live, {label}"] = measured(element.content_frame, events)
        return times
    finally:
        server.terminate()
        server.wait(30)


def static(browser, folder: Path, events: int) -> dict[str, list[float]]:
    """Milliseconds of each model in a page of its own, without a kernel."""
    os.environ["LABKIT_RUN_DIR"] = str(folder / "run")
    times = {}
    for label, (build, show, _) in MODELS.items():
        names: dict = {}
        exec(
            f"from labkit import models\nfrom labkit.explorer import LatentExplorer\n{build}\nx = {show}",
            names,
        )  # noqa: S102
        page_path = folder / "static.html"
        page_path.write_text(
            "<!DOCTYPE html>" + names["x"]._repr_mimebundle_()["text/html"], encoding="utf-8"
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(page_path.as_uri())
        frame = page.locator("iframe").content_frame
        frame.get_by_role("heading").first.wait_for()
        times[f"static, {label}"] = measured(frame, events)
        page.close()
    return times


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    path = os.environ.get("LABKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    bars = {f"live, {label}": bar for label, (_, _, bar) in MODELS.items()}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_notebook(folder / "latency.ipynb")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        times = static(browser, folder, events) | live(browser, folder, events)
        browser.close()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {events} events each, milliseconds")
    for label, values in times.items():
        median, late = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(
            f"{label:45} median {median:6.1f}   95th percentile {late:6.1f}   bar {bars.get(label, STATIC_BAR)}"
        )


if __name__ == "__main__":
    main()
