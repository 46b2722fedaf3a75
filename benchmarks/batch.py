"""What batch runs cost: the figures of issue 16.

    python -m benchmarks.batch [jobs] [overhead] [speedup] [dask] [index] [--runs N] [--simulated N]

Without names all of them. Writes results/batch.json. `speedup` and `dask` run a notebook of no
work N times (200) with one worker and with two; `jobs` hands 20,000 instant runs to the loop.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

import nbformat
import psutil

from labkit.project import replacing

RESULTS = Path(__file__).parent / "results"
PARTS = ("jobs", "overhead", "speedup", "dask", "index")
MANY = 1000  # runs in the overview


def trivial_lab(folder: Path) -> dict[str, str]:
    """A notebook of no work in `folder`; the environment in which labkit finds it."""
    folder.mkdir(parents=True)
    cells = [
        nbformat.v4.new_markdown_cell("# A notebook of no work"),
        nbformat.v4.new_code_cell("seed = 0  # of all", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("from labkit.reports import save_metrics\nsave_metrics({'n': seed})"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_trivial.ipynb")
    return {**os.environ, "LABKIT_NOTEBOOKS": str(folder), "LABKIT_OFFLINE": "1"}


def sweep_seconds(runs: int, workers: int, env: dict[str, str], out: Path, *more: str) -> float:
    """Seconds of a sweep of the trivial notebook."""
    seeds = "seed=" + ",".join(map(str, range(runs)))
    command = [sys.executable, "-m", "labkit", "sweep", "1", seeds, "--profile", "smoke", "--out", str(out)]
    begun = time.perf_counter()
    subprocess.run([*command, "--jobs", str(workers), *more], env=env, check=True, capture_output=True)
    return time.perf_counter() - begun


def measure_speedup(runs: int, where: Path) -> dict[str, float]:
    """Two local workers against one."""
    env = trivial_lab(where / "notebooks")
    one, two = (sweep_seconds(runs, workers, env, where / f"out{workers}") for workers in (1, 2))
    return compared(runs, one, two)


def compared(runs: int, one: float, two: float) -> dict[str, float]:
    """Two times as the table has them."""
    speedup = round(one / two, 2)
    return {"runs": runs, "one_worker_s": round(one, 1), "two_workers_s": round(two, 1), "speedup": speedup}


def measure_dask(runs: int, where: Path) -> dict[str, float]:
    """Two workers of a local Dask cluster against one."""
    from distributed import LocalCluster

    env = trivial_lab(where / "notebooks")
    took = {}
    for workers in (1, 2):
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
            at = ("--scheduler", cluster.scheduler_address)
            took[workers] = sweep_seconds(runs, workers, env, where / f"out{workers}", *at)
    return compared(runs, took[1], took[2])


def measure_overhead(where: Path) -> dict[str, float]:
    """Seconds of a run besides its cells': one run after the other, the command's start left out."""
    env = trivial_lab(where / "notebooks")
    few = sweep_seconds(2, 1, env, where / "few")
    many = sweep_seconds(6, 1, env, where / "many")
    records = [json.loads(path.read_text()) for path in (where / "many").rglob("*/run.json")]
    cells = [sum(cell["seconds"] for cell in record["cells"]) for record in records]
    return {"per_run_s": round((many - few) / 4 - sum(cells) / len(cells), 2)}


class InstantPool:
    """An executor whose jobs are done at once."""

    lost = ()

    def __init__(self, batch):
        self.batch = batch

    def submit(self, request):
        from labkit.batch.jobs import Outcome

        self.batch.take(request.folder, {"event": "begin"})
        future = Future()
        future.set_result(Outcome("completed", seconds=1.0))
        return future

    def delivered(self, future, request):
        return future.result()

    def room(self) -> int:
        return 8


def measure_jobs(count: int, where: Path) -> dict[str, float]:
    """Memory of the submitting process, and seconds a job among the first and the last jobs."""
    os.environ |= trivial_lab(where / "notebooks")
    from labkit import batch, config
    from labkit.reports.progress import Progress
    from labkit.reports.request import prepare, vary

    begun = time.perf_counter()
    first = prepare(config.find_lab("1"), "smoke", {}, where / "out")
    requests = [vary(first, {"seed": seed}, f"seed={seed}") for seed in range(count)]
    prepared, times = time.perf_counter() - begun, []
    with open(os.devnull, "w") as stream:
        run = batch.Batch(requests, Progress(count, stream), lambda result: times.append(time.perf_counter()))
        run.run(InstantPool(run))
    part = count // 10
    return {
        "jobs": count,
        "prepare_ms_a_job": round(1000 * prepared / count, 3),
        "first_tenth_ms_a_job": round(1000 * (times[part] - times[0]) / part, 3),
        "last_tenth_ms_a_job": round(1000 * (times[-1] - times[-1 - part]) / part, 3),
        "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
    }


def measure_index(count: int, where: Path) -> dict[str, float]:
    """Seconds to make the overview of so many runs, with and without kept thumbnails, and to open it."""
    from labkit.project import PUBLISHED
    from labkit.reports import index

    sources = sorted(PUBLISHED.glob("0*/run.json"))
    for i in range(count):
        source, folder = sources[i % len(sources)].parent, where / "out" / f"run-{i:04}"
        (folder / "figures").mkdir(parents=True)
        for name in ("run.json", "metrics.json"):
            shutil.copyfile(source / name, folder / name)
        figure = sorted((source / "figures").glob("*.png"))[0]
        shutil.copyfile(figure, folder / "figures" / figure.name)
    took = []
    for _ in range(2):
        begun = time.perf_counter()
        index.rebuild(where / "out")
        took.append(time.perf_counter() - begun)
    page = where / "out" / "index.html"
    return {
        "runs": count,
        "first_s": round(took[0], 2),
        "again_s": round(took[1], 2),
        "size_mb": round(page.stat().st_size / 1e6, 1),
        "open_s": round(seconds_to_open(page), 2),
    }


def seconds_to_open(page: Path) -> float:
    """Seconds until Chromium has loaded and drawn a page; the second of two times."""
    from playwright import sync_api

    path = os.environ.get("LABKIT_CHROMIUM") or shutil.which("chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(2):
            tab = browser.new_page()
            begun = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            took = time.perf_counter() - begun
            tab.close()
        browser.close()
    return took


def main() -> None:
    """Measure what is asked for, and keep the other parts of an earlier table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--simulated", type=int, default=20_000)
    arguments = parser.parse_args()
    measures = {
        "jobs": lambda where: measure_jobs(arguments.simulated, where),
        "overhead": measure_overhead,
        "speedup": lambda where: measure_speedup(arguments.runs, where),
        "dask": lambda where: measure_dask(arguments.runs, where),
        "index": lambda where: measure_index(MANY, where),
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "batch.json"
    facts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for part in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found = measures[part](Path(folder))
        facts[part] = {**found, "load": os.getloadavg()[0]}
        print(part, facts[part], flush=True)
    from benchmarks.training import machine  # here, for it imports TensorFlow, whose memory is not ours

    with replacing(file) as path:
        path.write_text(json.dumps({**facts, **machine()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
