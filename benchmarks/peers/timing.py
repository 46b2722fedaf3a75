"""What every contestant reports: seconds and processor seconds of each epoch, and peak memory."""

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


def run(epoch, epochs):
    """Time `epochs` calls of `epoch`, which returns the last loss; print them as one line of JSON."""
    seconds, processor, losses = [], [], []
    for _ in range(epochs):
        wall, cpu = time.perf_counter(), time.process_time()
        losses.append(float(epoch()))
        seconds.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    report(seconds, processor, losses)


def report(seconds, processor, losses):
    """Print what was measured in this process as one line of JSON."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    facts = {"seconds": seconds, "processor": processor, "losses": losses, "peak_mb": peak}
    print("RESULT " + json.dumps(facts))
