"""How fast the labs' models train, beside the handouts' loops, Keras's `fit`, PyTorch and JAX.

    python -m benchmarks.training [--rounds 5] [--share 1] [--works dense_vae,…]

Each contestant is a process of its own, which computes one epoch when it is its turn and sleeps
otherwise; the rounds are interleaved, so that a slow minute of the machine meets all. Writes
results/training.json and results/training.png. Needs the `[bench]` extra. Run it on a quiet
machine: the load is noted beside the figures.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from labkit.project import replacing
from labkit.training.roads import BFLOAT16_FLAGS, cpu_flags, usable_cores

HERE = Path(__file__).parent
RESULTS = HERE / "results"
# work → contestants, as (module in peers/, its mode); the first is labkit, which the ratios are to
CONTESTANTS = {
    "dense_vae": [
        ("labkit_fit", "labkit"), ("handouts", "handout"), ("labkit_fit", "keras"), ("pytorch", "torch"),
        ("pytorch", "torch-compile"), ("jax_scan", "jax"),
    ],
    "conv_vae": [
        ("labkit_fit", "labkit"), ("labkit_fit", "keras"), ("pytorch", "torch"), ("pytorch", "torch-bf16"),
    ],
    "ck_vae": [
        ("labkit_fit", "labkit"), ("labkit_fit", "keras"), ("pytorch", "torch"), ("pytorch", "torch-bf16"),
    ],
    "dcgan": [
        ("labkit_fit", "labkit"), ("labkit_fit", "labkit-simultaneous"), ("handouts", "handout"),
        ("labkit_fit", "keras"), ("pytorch", "torch"), ("pytorch", "torch-bf16"),
    ],
}  # fmt: skip
IMAGES = {"dense_vae": 60_000, "conv_vae": 6_400, "ck_vae": 512, "dcgan": 1_280}
DENSE_FLOPS = 2 * 5 * 784 * 256  # of the large matrix products of a dense VAE's step, an image
SHAPES = [(128, 784, 256), (784, 128, 256), (256, 128, 784), (128, 256, 784)]


def main() -> None:
    """Run all rounds, write the results and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0, help="of each work's images")
    parser.add_argument("--works", default=",".join(CONTESTANTS))
    options = parser.parse_args()
    works = options.works.split(",")
    runs, loads = {}, {work: [] for work in works}
    for work in works:
        runs |= compete(work, options.rounds, options.share, loads[work])
    save(works, runs, loads, options)


def compete(work, rounds, share, loads):
    """(work, mode) → measured epochs, the first and then one a round; notes the load before each round."""
    runs = {(work, mode): [] for _, mode in contestants(work)}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        started = {
            mode: stack.enter_context(Contestant(module, mode, work, share, folder))
            for module, mode in contestants(work)
        }
        for number in range(1 + rounds):
            loads.append(os.getloadavg()[0])
            for mode, contestant in started.items():
                runs[work, mode].append(contestant.epoch())
                print(number, work, mode, runs[work, mode][-1], flush=True)
    return runs


def contestants(work):
    """Those that this processor can run: bfloat16 only where it has it."""
    able = bool(cpu_flags() & BFLOAT16_FLAGS)
    return [(module, mode) for module, mode in CONTESTANTS[work] if able or not mode.endswith("bf16")]


class Contestant:
    """A contestant's process, which computes an epoch when it is told to."""

    def __init__(self, module, mode, work, share, folder):
        self.log = Path(folder) / f"{mode}.log"
        # As in a batch run there are no progress bars.
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "LABKIT_RUN_DIR": folder}
        command = [sys.executable, "-m", f"benchmarks.peers.{module}", mode, work, str(share)]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.answer()  # it has its model and its data

    def epoch(self):
        """What the next epoch took."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """The next line of results. Raises RuntimeError with the log's end if the process ended."""
        for line in self.process.stdout:
            if line.startswith("RESULT "):
                return json.loads(line.removeprefix("RESULT "))
        raise RuntimeError(f"{self.log.stem} failed:\n{self.log.read_text()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


def summary(epochs):
    """Medians of the epochs after the first, which compiles and has its own figure."""
    first, *later = epochs
    return {
        "epoch_s": round(statistics.median(e["seconds"] for e in later), 3),
        "epoch_range_s": [round(f(e["seconds"] for e in later), 3) for f in (min, max)],
        "processor_s": round(statistics.median(e["processor"] for e in later), 3),
        "first_epoch_s": round(first["seconds"], 2),
        "peak_mb": round(later[-1]["peak_mb"]),
    }


def matrix_peak():
    """Float32 GFLOP/s of NumPy's matrix product at the dense VAE's shapes: best of 20, mean of shapes."""
    rates = []
    for m, k, n in SHAPES:
        a, b = np.ones((m, k), "float32"), np.ones((k, n), "float32")
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            for _ in range(10):
                a @ b
            times.append((time.perf_counter() - begun) / 10)
        rates.append(2 * m * k * n / min(times) / 1e9)
    return statistics.mean(rates)


def machine():
    """Processor, cores, flags that matter, versions and date."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    packages = ("tensorflow", "keras", "numpy", "torch", "jax", "flax", "optax")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    interesting = BFLOAT16_FLAGS | {"avx2", "avx512f", "fma"}
    return {
        "processor": name or platform.processor(),
        "cores": usable_cores(),
        "flags": sorted(cpu_flags() & interesting),
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.date.today().isoformat(),
    }


def save(works, runs, loads, options):
    """Write results/training.json, which keeps the works that were not measured now, and its plot."""
    path = RESULTS / "training.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"works": {}}
    for work in works:
        facts["works"][work] = {
            **machine(), "load": round(statistics.median(loads[work]), 1),
            "rounds": options.rounds, "share": options.share,
            "contestants": compared(work, runs, options.share),
        }  # fmt: skip
    if "dense_vae" in works:
        dense = facts["works"]["dense_vae"]
        dense["matrix_peak_gflops"] = round(matrix_peak(), 1)
        reached = DENSE_FLOPS * dense["contestants"]["labkit"]["images_per_s"] / 1e9
        dense["share_of_peak"] = round(reached / dense["matrix_peak_gflops"], 2)
    RESULTS.mkdir(exist_ok=True)
    with replacing(path) as new:
        new.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    draw(facts, RESULTS / "training.png")


def compared(work, runs, share):
    """Each contestant's summary, its images a second, and how many times as fast labkit is."""
    rows = {mode: summary(runs[work, mode]) for _, mode in contestants(work)}
    for row in rows.values():
        row["images_per_s"] = round(IMAGES[work] * share / row["epoch_s"])
        row["labkit_is_times_as_fast"] = round(row["epoch_s"] / rows["labkit"]["epoch_s"], 2)
    return rows


def draw(facts, path):
    """One panel a work: images a second of each contestant, labkit's bar dark."""
    works = {work: measured["contestants"] for work, measured in facts["works"].items()}
    figure, panels = plt.subplots(1, len(works), figsize=(3.2 * len(works), 2.8), squeeze=False)
    for panel, (work, rows) in zip(panels[0], works.items(), strict=True):
        names = list(rows)[::-1]
        colours = ["#1f4e79" if name.startswith("labkit") else "#b8c4d0" for name in names]
        panel.barh(names, [rows[name]["images_per_s"] for name in names], color=colours)
        panel.set_title(work.replace("_", " "), fontsize=10)
        panel.set_xlabel("images a second", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
