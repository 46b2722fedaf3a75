"""The one function that trains."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext

import keras
import numpy as np
import tensorflow as tf

from labkit.project import record
from labkit.training.batches import as_model_input, rows, rows_of, training_chunks, whole_batches
from labkit.training.callbacks import ProgressBar, StopOnNaN
from labkit.training.checkpoints import Run, fingerprint, state_variables
from labkit.training.roads import choose_road
from labkit.training.steps import shared_steps

LARGE = 2**26  # bytes of images


class History(dict):
    """Lists of one value an epoch by name; `road` says how the run was compiled and why."""

    road = ""


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
    precision=None,
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
        resume: go on from `out`'s checkpoint if it is of this very run, completed or not. None means what
            `$LABKIT_RESUME` says (`labkit run --resume` sets it), else no.
        callbacks: further keras callbacks. What one keeps in a dict `arrays` of
            name → array is part of the checkpoint; what one adds to the epoch's logs, as
            `Measure` does, is part of the history.
        transform: function of (batch, seed) → batch that TensorFlow can trace, applied to
            each training batch, such as `dynamic_binarization`; never to x_val. The seed, an int32
            tensor (2,), is another in every step and the same after a resume.
        precision: "float32" or "bfloat16" of training steps; None means what `$LABKIT_PRECISION`
            says, else what is fastest. Weights, outputs, losses and evaluation are always float32.

    Returns:
        `History`, a dict of lists, one value an epoch: "epoch" (from 1), "seconds" (callbacks
        included), and the model's own entries (`loss`, `val_loss`, …). Its `road` is one line
        on how the steps were compiled.

    Raises:
        ValueError: data that are empty, not finite or of unequal length; sizes that are
            not positive; an unknown precision.
        FloatingPointError: the loss became NaN or infinite.
    """
    check_arguments(x_train, x_val, epochs, batch_size)
    for x in (x_train, x_val):
        if x is not None and hasattr(model, "check_data"):
            model.check_data(x)
    record("device", {"devices": sorted({d.device_type for d in tf.config.list_logical_devices()})})
    batch_size = min(batch_size, rows_of(x_train))
    steps = rows_of(x_train) // batch_size
    run = Run(model, out, fingerprint(model, x_train, batch_size, seed, transform), epochs, callbacks)
    if resume if resume is not None else os.environ.get("LABKIT_RESUME") == "1":
        run.restore()
        if run.epoch:
            record("resumed", {"epochs": run.epoch, "seconds": sum(run.history["seconds"])})
    batch = rows(x_train, 0, batch_size)
    size = sum(array.numpy().nbytes for array in keras.tree.flatten(batch))
    road = choose_road(model, epochs * steps * batch_size, batch_size, size, precision)
    record("training", {"road": str(road), "precision": road.precision, "threads": road.threads})
    # The history is kept after the callbacks, so that it holds what they put into the logs, and
    # saved after that with their arrays; the bar shows all of it.
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: run.save_all())
    watchers = [StopOnNaN(), *callbacks, run, save, ProgressBar(epochs, steps)]
    if not run.finished:
        size = min(road.steps_per_call, steps)
        chunks = training_chunks(x_train, batch_size, seed, run.epoch, epochs, size, transform)
        validation = [] if x_val is None else whole_batches(x_val)
        compiled = shared_steps(model, road, as_model_input(batch))
        once = not any(map(watches_batches, callbacks))
        train(model, compiled, chunks, validation, range(run.epoch, epochs), steps, watchers, once)
        if sum(array.nbytes for array in keras.tree.flatten(x_train)) > LARGE:
            # The data set's functions hold a copy of the images, and refer to one another, so that it
            # would stay until Python happens to look for such circles: gigabytes in a sweep.
            del chunks
            gc.collect()
    history = History(run.history)
    history.road = str(road)
    return history


def train(model, compiled, chunks, validation, epochs, steps, callbacks, once):
    """The loop over epochs, in place of Keras's `fit`, which compiles each model on its own.

    Callbacks are called as Keras calls them, `on_train_batch_end` after each compiled call. With
    `once` the model lends its variables once an epoch, and they are as they were between the calls.
    """
    watch = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs.stop, steps=steps, verbose=0)
    variables, batches = state_variables(model), iter(chunks)
    model.stop_training, logs = False, {}
    watch.on_train_begin()
    for epoch in epochs:
        watch.on_epoch_begin(epoch)
        compiled.reset_metrics()
        done = 0
        with compiled.lent(variables) if once else nullcontext():
            while done < steps:
                watch.on_train_batch_begin(done)
                data, count = next(batches)
                logs = compiled.train(variables, data, count)
                done += int(count)
                watch.on_train_batch_end(done - 1, logs)
            if validation:
                tested = compiled.test(variables, validation)
                logs = {**logs, **{f"val_{name}": value for name, value in tested.items()}}
        watch.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    watch.on_train_end(logs)


def watches_batches(callback):
    """Whether a callback is called between batches, where it may look at the model or change it."""
    hooks = [f"on_{kind}batch_{end}" for kind in ("train_", "") for end in ("begin", "end")]
    base = keras.callbacks.Callback
    return any(
        hook in vars(callback) or getattr(type(callback), hook) is not getattr(base, hook) for hook in hooks
    )


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
