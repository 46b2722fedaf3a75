"""What every contestant does: wait for its turn, compute one epoch, and report it."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

# name → (image shape, images an epoch, batch size)
WORKS = {
    "dense_vae": ((28, 28, 1), 60_000, 128),
    "conv_vae": ((28, 28, 1), 6_400, 128),
    "ck_vae": ((64, 64, 1), 512, 32),
    "dcgan": ((28, 28, 1), 1_280, 256),
}


def images(work, share=1.0):
    """Float images of about the sparsity of MNIST, and the batch size. Time does not depend on them."""
    shape, n, batch = WORKS[work]
    n = max(batch, int(n * share) // batch * batch)
    rng = np.random.default_rng(0)
    return (rng.random((n, *shape), dtype="float32") > 0.8).astype("float32"), batch


def wait_for_turn():
    """Wait until benchmarks.training lets this process compute one epoch; end with its pipe."""
    if not sys.stdin.readline():
        sys.exit()


def run(epoch):
    """Call `epoch`, which returns the last loss, at each turn, and report what it took."""
    report()
    while True:
        wait_for_turn()
        wall, cpu = time.perf_counter(), time.process_time()
        loss = float(epoch())
        report(seconds=time.perf_counter() - wall, processor=time.process_time() - cpu, loss=loss)


def report(**measured):
    """Print what was measured, and this process's peak memory, as one line of JSON."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print("RESULT " + json.dumps({**measured, "peak_mb": peak}), flush=True)
