"""How fast the labs' models train, beside the handouts' loops, Keras's `fit`, PyTorch and JAX.

    python -m benchmarks.training [--rounds 5] [--epochs 3] [--share 1] [--works dense_vae,…]

Each contestant trains in a process of its own; the rounds are interleaved, so that a slow minute
of the machine meets all. Writes results/training.json and results/training.png. Needs the
`[bench]` extra. Run it on a quiet machine: the load is noted beside the figures.
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
    parser.add_argument("--epochs", type=int, default=3, help="timed in each round, after the first")
    parser.add_argument("--share", type=float, default=1.0, help="of each work's images")
    parser.add_argument("--works", default=",".join(CONTESTANTS))
    options = parser.parse_args()
    works = options.works.split(",")
    runs = {(work, mode): [] for work in works for _, mode in contestants(work)}
    loads = []
    for number in range(options.rounds):
        for work in works:
            for module, mode in contestants(work):
                loads.append(os.getloadavg()[0])
                runs[work, mode].append(measure(module, mode, work, 1 + options.epochs, options.share))
                print(number + 1, work, mode, summary([runs[work, mode][-1]]), flush=True)
    save(works, runs, loads, options)


def contestants(work):
    """Those that this processor can run: bfloat16 only where it has it."""
    able = bool(cpu_flags() & BFLOAT16_FLAGS)
    return [(module, mode) for module, mode in CONTESTANTS[work] if able or not mode.endswith("bf16")]


def measure(module, mode, work, epochs, share):
    """One contestant's epochs in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", mode, work, str(epochs), str(share)]
    with tempfile.TemporaryDirectory() as folder:  # as in a batch run: no progress bars
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "LABKIT_RUN_DIR": folder}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise RuntimeError(f"{mode} on {work} failed:\n{done.stderr[-2000:]}")
    return json.loads(lines[0].removeprefix("RESULT "))


def summary(runs):
    """Medians over all rounds' epochs after the first, which compiles and has its own figure."""
    later = [(s, c) for run in runs for s, c in zip(run["seconds"][1:], run["processor"][1:], strict=True)]
    return {
        "epoch_s": round(statistics.median(s for s, _ in later), 3),
        "epoch_least_s": round(min(s for s, _ in later), 3),
        "processor_s": round(statistics.median(c for _, c in later), 3),
        "first_epoch_s": round(statistics.median(run["seconds"][0] for run in runs), 2),
        "peak_mb": round(statistics.median(run["peak_mb"] for run in runs)),
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
    """Write results/training.json and its plot."""
    table = {}
    for work in works:
        rows = {mode: summary(runs[work, mode]) for _, mode in contestants(work)}
        base = rows["labkit"]["epoch_s"]
        for row in rows.values():
            row["images_per_s"] = round(IMAGES[work] * options.share / row["epoch_s"])
            row["labkit_is_times_as_fast"] = round(row["epoch_s"] / base, 2)
        table[work] = rows
    facts = {
        **machine(), "load": round(statistics.median(loads), 1), "rounds": options.rounds,
        "epochs": options.epochs, "share": options.share, "works": table,
    }  # fmt: skip
    if "dense_vae" in works:
        facts["matrix_peak_gflops"] = round(matrix_peak(), 1)
        reached = DENSE_FLOPS * table["dense_vae"]["labkit"]["images_per_s"] / 1e9
        facts["dense_vae_share_of_peak"] = round(reached / facts["matrix_peak_gflops"], 2)
    RESULTS.mkdir(exist_ok=True)
    with replacing(RESULTS / "training.json") as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    draw(facts, RESULTS / "training.png")


def draw(facts, path):
    """One panel a work: images a second of each contestant, labkit's bar dark."""
    works = facts["works"]
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
