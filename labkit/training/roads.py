"""How a model's steps run on this machine: with XLA or without, in which precision, on how many GPUs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from labkit.parameters import did_you_mean
from labkit.project import usable_cores
from labkit.training.precision import all_layers

PRECISIONS = ("float32", "bfloat16")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # as Linux names them in /proc/cpuinfo
BFLOAT16_CAPABILITY = (8, 0)  # NVIDIA's GPUs have it since Ampere
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
LARGE_DENSE = 2**18  # weights of a dense layer, 512 × 512, from which a GPU computes it in bfloat16
# Batch normalisation sees its GPU's images only, and its statistics should not come from a handful.
LEAST_IMAGES_A_GPU = 64
# XLA takes 2 to 5 s to compile a small dense model and then saves a third of each step (two
# cores). All models of the same sizes share what was compiled, so a sweep pays for it once.
XLA_PAYS_FROM_IMAGES = 40_000
MOST_STEPS, MOST_CONV_STEPS = 64, 16  # in one compiled call
MOST_BYTES = 2**26  # of images in one compiled call


@dataclass(frozen=True)
class Road:
    """The way a model is trained: `xla`, `precision`, `steps_per_call`, `threads`, `gpus`, and why."""

    xla: bool
    precision: str
    steps_per_call: int
    threads: int
    why: str
    gpus: int = 0  # that it computes on

    def __str__(self):
        compiler = "XLA" if self.xla else "TensorFlow's graphs"
        return (
            f"{compiler}, {self.precision}, up to {self.steps_per_call} steps a call, "
            f"{self.threads} threads: {self.why}"
        )


def choose_road(model, images, batch_size, batch_bytes, precision=None, flags=None, gpus=None):
    """The fastest road that is known to be right for this model and machine.

    On GPUs it is right but not yet known to be the fastest: benchmarks/NOTES.md says what is guessed.
    It depends on nothing but its arguments and the machine: what was trained before in the same
    process changes no result.

    Args:
        model: keras.Model.
        images: images a run trains on, all epochs together.
        batch_size: images a step.
        batch_bytes: size of one batch in memory.
        precision: "float32" or "bfloat16"; None asks `$LABKIT_PRECISION`, then the processor or GPU.
        flags: the processor's flags; None reads them.
        gpus: the compute capability of each GPU, such as [(9, 0)]; None asks TensorFlow.

    Raises:
        ValueError: an unknown precision.
    """
    flags = cpu_flags() if flags is None else set(flags)
    gpus = gpu_capabilities() if gpus is None else gpus
    layers = all_layers(model)
    convolutional = any(isinstance(layer, CONVOLUTIONS) for layer in layers)
    most = MOST_CONV_STEPS if convolutional else MOST_STEPS
    steps = max(1, min(most, MOST_BYTES // max(1, batch_bytes)))
    used = choose_gpus(model, convolutional, batch_size, len(gpus))
    xla, why = choose_compiler(convolutional, images, used)
    asked = precision or os.environ.get("LABKIT_PRECISION")
    if asked and asked not in PRECISIONS:
        raise ValueError(f"no precision {asked!r}{did_you_mean(asked, PRECISIONS)}")
    if used:
        able = min(gpus) >= BFLOAT16_CAPABILITY and (convolutional or any(map(is_large, layers)))
    else:
        able = convolutional and not xla and bool(flags & BFLOAT16_FLAGS)
    if asked == "bfloat16" and not able:
        why += "; bfloat16 is for convolutions, and on a GPU for large dense layers, where the machine has it"
    chosen = "bfloat16" if able and asked != "float32" else "float32"
    return Road(xla, chosen, steps, threads(), why + (f"; {asked} was asked for" if asked else ""), used)


def choose_gpus(model, convolutional, batch_size, gpus):
    """On how many of the GPUs a model is trained: several if it has convolutions for all of them.

    Its class must say what its step depends on (`settings`), as labkit's own do, whose losses are
    means over the batch: of others it is not known.
    """
    if not convolutional or "settings" not in vars(type(model)):
        return min(gpus, 1)
    fitting = [n for n in range(2, gpus + 1) if batch_size % n == 0 and batch_size // n >= LEAST_IMAGES_A_GPU]
    return max(fitting, default=min(gpus, 1))


def choose_compiler(convolutional, images, gpus):
    """Whether XLA compiles the steps for this many GPUs, and why."""
    if gpus > 1:
        return False, f"{gpus} GPUs share each batch, which XLA does not compile"
    if gpus:
        return True, "a GPU"
    if convolutional:
        return False, "convolutions, which XLA makes slower on a CPU"
    if images < XLA_PAYS_FROM_IMAGES:
        return False, f"fewer than {XLA_PAYS_FROM_IMAGES:,} images, too few for XLA's compilation to pay"
    return True, "dense layers only"


def is_large(layer):
    """Whether a layer is dense with so many weights that a GPU gains from bfloat16."""
    return isinstance(layer, keras.layers.Dense) and math.prod(layer.kernel.shape) >= LARGE_DENSE


def gpu_names(count):
    """TensorFlow's names of the first GPUs."""
    return [device.name for device in tf.config.list_logical_devices("GPU")[:count]]


def gpu_capabilities():
    """The compute capability of each GPU that TensorFlow may use; (0, 0) for one that has none."""
    details = map(tf.config.experimental.get_device_details, tf.config.get_visible_devices("GPU"))
    return [tuple(detail.get("compute_capability", (0, 0))) for detail in details]


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
