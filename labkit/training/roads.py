"""How a model's steps are compiled on this machine: with XLA or without, in which precision."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from labkit.parameters import did_you_mean

PRECISIONS = ("float32", "bfloat16")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # as Linux names them in /proc/cpuinfo
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
# XLA takes 2 to 5 s to compile a small dense model and then saves a third of each step (two
# cores). All models of the same sizes share what was compiled, so a sweep pays for it once.
XLA_PAYS_FROM_IMAGES = 40_000
MOST_STEPS, MOST_CONV_STEPS = 64, 16  # in one compiled call
MOST_BYTES = 2**26  # of images in one compiled call


@dataclass(frozen=True)
class Road:
    """The way a model is trained: `xla`, `precision`, `steps_per_call`, `threads`, and why."""

    xla: bool
    precision: str
    steps_per_call: int
    threads: int
    why: str

    def __str__(self):
        compiler = "XLA" if self.xla else "TensorFlow's graphs"
        return (
            f"{compiler}, {self.precision}, up to {self.steps_per_call} steps a call, "
            f"{self.threads} threads: {self.why}"
        )


def choose_road(model, images, batch_bytes, precision=None, flags=None, gpus=None):
    """The fastest road that is known to be right for this model and machine.

    It depends on nothing but its arguments and the machine: what was trained before in the same
    process changes no result.

    Args:
        model: keras.Model.
        images: images a run trains on, all epochs together.
        batch_bytes: size of one batch in memory.
        precision: "float32" or "bfloat16"; None asks `$LABKIT_PRECISION`, then the processor.
        flags: the processor's flags; None reads them.
        gpus: how many GPUs there are; None counts them.

    Raises:
        ValueError: an unknown precision.
    """
    flags = cpu_flags() if flags is None else set(flags)
    gpus = len(tf.config.list_logical_devices("GPU")) if gpus is None else gpus
    convolutional = any(isinstance(layer, CONVOLUTIONS) for layer in all_layers(model))
    most = MOST_CONV_STEPS if convolutional else MOST_STEPS
    steps = max(1, min(most, MOST_BYTES // max(1, batch_bytes)))
    xla, why = choose_compiler(convolutional, images, gpus)
    asked = precision or os.environ.get("LABKIT_PRECISION")
    if asked and asked not in PRECISIONS:
        raise ValueError(f"no precision {asked!r}{did_you_mean(asked, PRECISIONS)}")
    able = convolutional and not xla and bool(flags & BFLOAT16_FLAGS)
    if asked == "bfloat16" and not able:
        why += "; bfloat16 is for convolutions on a processor that has it"
    chosen = "bfloat16" if able and asked != "float32" else "float32"
    return Road(xla, chosen, steps, threads(), why + (f"; {asked} was asked for" if asked else ""))


def choose_compiler(convolutional, images, gpus):
    """Whether XLA compiles the steps, and why."""
    if gpus:
        return True, "a GPU"
    if convolutional:
        return False, "convolutions, which XLA makes slower on a CPU"
    if images < XLA_PAYS_FROM_IMAGES:
        return False, f"{images:,} images are too few for XLA's compilation to pay"
    return True, "dense layers only"


def all_layers(part):
    """Every layer inside a model or layer, however deeply nested."""
    inside = getattr(part, "layers", None) or [v for v in vars(part).values() if isinstance(v, keras.Layer)]
    return [layer for child in inside for layer in (child, *all_layers(child))]


def cpu_flags(path="/proc/cpuinfo"):
    """The processor's flags as Linux lists them; an empty set elsewhere."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def threads():
    """How many threads TensorFlow computes with."""
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    return asked or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or usable_cores()


def usable_cores():
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def automatic_bfloat16(on):
    """Let oneDNN compute in bfloat16 what bears it, in calls made inside and in no other.

    Training steps are called in it; evaluation, metrics and classifiers never are.
    """
    option = "auto_mixed_precision_onednn_bfloat16"
    if on:
        tf.config.optimizer.set_experimental_options({option: True})
    try:
        yield
    finally:
        if on:
            tf.config.optimizer.set_experimental_options({option: False})
