"""The one function that trains, and how it has Keras compile the steps."""

from __future__ import annotations

import logging
import os

import keras
import numpy as np
import tensorflow as tf

from labkit.project import record
from labkit.training.batches import largest_divisor, rows_of, training_batches, whole_batches
from labkit.training.callbacks import ProgressBar, StopOnNaN
from labkit.training.checkpoints import Run, all_layers, fingerprint

# XLA takes about 2.5 s to compile a small dense model and then saves about a quarter of
# each step, so that it pays only for a run of more images than this (two cores).
XLA_PAYS_FROM_IMAGES = 250_000
MOST_STEPS_PER_CALL = 64
LOOP_PAYS_FROM_STEPS = 1000

# A notebook trains many models, each traced once, as it must be; TensorFlow takes that for
# one function traced over and over and says so on stderr.
logging.getLogger("tensorflow").addFilter(lambda entry: "tf.function retracing" not in entry.getMessage())


def fit(
    model,
    x_train,
    x_val=None,
    *,
    epochs,
    batch_size=128,
    seed=0,
    out=None,
    resume=None,
    callbacks=(),
    transform=None,
):
    """Train a compiled model, without targets, and return its history.

    Args:
        model: compiled keras.Model whose loss needs no target. If it has a `check_data`,
            that is asked first and may raise a ValueError of its own.
        x_train, x_val: float arrays (n, ...), or tuples of arrays whose rows belong
            together, such as (images, labels), which the model gets as a tuple; x_val
            may be None.
        epochs: how many in all, those before a resume included.
        batch_size: images a step. The short last batch of an epoch is left out; the
            order is new in every epoch, so no image is left out for good.
        seed: seed of the order; the order of epoch e depends on (seed, e) only.
        out: folder for history.csv, checkpoint.npz and best.weights.h5, or None.
        resume: go on from `out`'s checkpoint if it is of this very run. None means what
            `$LABKIT_RESUME` says (`labkit run --resume` sets it), else no.
        callbacks: further keras callbacks. What one keeps in a dict `arrays` of
            name → array is part of the checkpoint; what one adds to the epoch's logs, as
            `Measure` does, is part of the history.
        transform: function of (batch, seed) → batch that TensorFlow can trace, applied to
            each training batch, such as `binarised`; never to x_val. The seed, an int32
            tensor (2,), is another in every step and the same after a resume.

    Returns:
        dict of lists, one value an epoch: "epoch" (from 1), "seconds" (callbacks
        included), and the model's own entries (`loss`, `val_loss`, …).

    Raises:
        ValueError: data that are empty, not finite or of unequal length; sizes that are
            not positive.
        FloatingPointError: the loss became NaN or infinite.
    """
    check_arguments(x_train, x_val, epochs, batch_size)
    for x in (x_train, x_val):
        if x is not None and hasattr(model, "check_data"):
            model.check_data(x)
    record("device", {"devices": sorted({d.device_type for d in tf.config.list_logical_devices()})})
    batch_size = min(batch_size, rows_of(x_train))
    steps = rows_of(x_train) // batch_size
    run = Run(model, out, fingerprint(model, x_train, epochs, batch_size, seed, transform), callbacks)
    if resume if resume is not None else os.environ.get("LABKIT_RESUME") == "1":
        run.restore()
        if run.epoch:
            record("resumed", {"epochs": run.epoch, "seconds": sum(run.history["seconds"])})
    accelerate(model, steps, epochs, batch_size)
    # The history is kept after the callbacks, so that it holds what they put into the logs, and
    # saved after that with their arrays; the bar shows all of it.
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: run.save())
    watchers = [StopOnNaN(), *callbacks, run, save, ProgressBar(epochs, steps)]
    if not run.finished:
        model.fit(
            training_batches(x_train, batch_size, seed, run.epoch, epochs, transform),
            validation_data=None if x_val is None else whole_batches(x_val),
            initial_epoch=run.epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=watchers,
        )
    return run.history


def check_arguments(x_train, x_val, epochs, batch_size):
    """Raise ValueError, saying what was expected, for what cannot be trained on."""
    for name, size in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name} is {size!r}; a whole number of at least 1 was expected")
    for name, x in (("x_train", x_train), ("x_val", x_val)):
        arrays = [] if x is None else keras.tree.flatten(x)
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"{name} holds arrays of {lengths} rows; rows that belong together were expected"
            )
        if 0 in lengths:
            raise ValueError(f"{name} holds no images")
        if not all(np.isfinite(np.sum(array, dtype="float64")) for array in arrays):
            raise ValueError(f"{name} holds NaN or infinite values; check how it was scaled")


def accelerate(model, steps, epochs, batch_size):
    """Choose how Keras compiles the steps: XLA or not, and how many steps a call.

    XLA makes small dense networks faster on a CPU and convolutions slower than oneDNN.
    Several steps a call save Python's part of each but trace the step twice; their number
    divides the epoch.
    """
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    dense_only = not any(isinstance(layer, kinds) for layer in all_layers(model))
    model.jit_compile = dense_only and epochs * steps * batch_size >= XLA_PAYS_FROM_IMAGES
    long_enough = epochs * steps >= LOOP_PAYS_FROM_STEPS
    model.steps_per_execution = largest_divisor(steps, MOST_STEPS_PER_CALL) if long_enough else 1
