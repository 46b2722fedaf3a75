"""Fitting any compiled Keras model to images held in memory.

`fit` seeds the order of the images, picks the fastest safe way to compile, writes the
history and a checkpoint every epoch and can go on from one. It knows nothing of what the
model is: only `model.fit`, `model.variables` and the model's optimizers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import time
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from labkit.config import record, replacing, run_dir

# XLA takes about 2.5 s to compile a small dense model and then saves about a quarter of
# each step, so that it pays only for a run of more images than this (two cores).
XLA_PAYS_FROM_IMAGES = 250_000
MOST_STEPS_PER_CALL = 64
LOOP_PAYS_FROM_STEPS = 1000
SHOWN = ("loss", "val_loss", "d_loss", "g_loss")  # beside the progress bar

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
            name → array is part of the checkpoint.

    Returns:
        dict of lists, one value an epoch: "epoch" (from 1), "seconds", and the model's
        own entries (`loss`, `val_loss`, …).

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
    run = Run(model, out, fingerprint(model, x_train, epochs, batch_size, seed), callbacks)
    if resume if resume is not None else os.environ.get("LABKIT_RESUME") == "1":
        run.restore()
    accelerate(model, steps, epochs, batch_size)
    # Saving comes after the callbacks, whose arrays it saves too. The bar goes last, so that
    # it shows what the others put into the logs.
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: run.save())
    watchers = [StopOnNaN(), run, *callbacks, save, ProgressBar(epochs, steps)]
    if not run.finished:
        model.fit(
            training_batches(x_train, batch_size, seed, run.epoch, epochs),
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


def rows_of(x):
    """How many rows an array, or each array of a tuple, has."""
    return len(keras.tree.flatten(x)[0])


def as_model_input(x):
    """One array as it is; a tuple in a tuple of one, since Keras takes the second for targets."""
    return (x,) if isinstance(x, tuple) else x


def training_batches(x, batch_size, seed, first_epoch, epochs):
    """Dataset of batches, each epoch in its own order, by shuffled indices.

    One gather a batch from memory is far cheaper than a shuffle buffer of images.
    """
    images = keras.tree.map_structure(tf.constant, x)
    steps = rows_of(x) // batch_size

    def epoch_batches(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(rows_of(x)), seed=[seed, epoch])
        rows = tf.reshape(order[: steps * batch_size], (steps, batch_size))
        return tf.data.Dataset.from_tensor_slices(rows)

    def gather(rows):
        return as_model_input(keras.tree.map_structure(lambda array: tf.gather(array, rows), images))

    indices = tf.data.Dataset.range(first_epoch, epochs, output_type=tf.int32).flat_map(epoch_batches)
    return indices.map(gather).prefetch(4)


def whole_batches(x, most=1000):
    """Dataset of all of `x` in order, in equal batches of at most `most` where they divide."""
    n = rows_of(x)
    size = largest_divisor(n, most)
    size = size if size >= min(n, 100) else min(n, most)
    return tf.data.Dataset.from_tensor_slices(as_model_input(x)).batch(size)


def largest_divisor(n, most):
    """Largest divisor of `n` that is at most `most`."""
    return next(d for d in range(min(n, most), 0, -1) if n % d == 0)


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


def all_layers(model):
    """Every layer inside `model`, however deeply nested."""
    return model._flatten_layers(include_self=False, recursive=True)


def optimizers_of(model):
    """The optimizers a model holds: one after `compile`, two in a GAN."""
    return [value for value in vars(model).values() if isinstance(value, keras.Optimizer)]


def state_variables(model):
    """All that training changes: weights, random seeds, and the optimizers' variables."""
    optimizers = optimizers_of(model)
    for optimizer in optimizers:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    return [*model.variables, *(v for optimizer in optimizers for v in optimizer.variables)]


def fingerprint(model, x_train, epochs, batch_size, seed):
    """Digest of what must be equal for a checkpoint to be of this run."""
    own = sorted(set(vars(model)) - set(vars(keras.Model())))  # what its class added, like beta
    weights = hashlib.sha256()
    for variable in model.variables:
        weights.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)))
    every = max(1, rows_of(x_train) // 1000)
    samples = [np.ascontiguousarray(array[::every]) for array in keras.tree.flatten(x_train)]
    facts = {
        "layers": [describe(layer) for layer in all_layers(model) if not isinstance(layer, keras.Model)],
        "weights": weights.hexdigest(),
        "optimizers": [{**optimizer.get_config(), "name": ""} for optimizer in optimizers_of(model)],
        "settings": {
            name: getattr(model, name) for name in own if isinstance(getattr(model, name), int | float | str)
        },
        "images": [rows_of(x_train), *(hashlib.sha256(sample).hexdigest() for sample in samples)],
        "run": [epochs, batch_size, seed],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def describe(layer):
    """What a layer is, without the number that Keras gives its name."""
    try:
        config = {**layer.get_config(), "name": ""}
    except NotImplementedError:
        config = {}
    return [type(layer).__name__, config]


class Run(keras.callbacks.Callback):
    """History and checkpoints of one training run, in memory and, if given, in a folder."""

    def __init__(self, model, out, fingerprint, callbacks=()):
        super().__init__()
        self.trained = model
        self.keepers = [callback for callback in callbacks if hasattr(callback, "arrays")]
        self.out = None if out is None else Path(out)
        self.fingerprint = fingerprint
        self.history: dict[str, list[float]] = {"epoch": [], "seconds": []}
        self.epoch = 0
        self.finished = False

    def on_train_end(self, logs=None):
        self.finished = True  # perhaps before the last epoch, if another callback stopped it
        if self.out is not None:
            self.save_checkpoint()

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        row = {"epoch": self.epoch, "seconds": time.perf_counter() - self.started}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)

    def save(self):
        """Write the history, the best weights and the checkpoint, if there is a folder."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.save_history()
            self.save_best()
            self.save_checkpoint()  # last: what it vouches for is there

    def save_history(self):
        with replacing(self.out / "history.csv") as path, open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(self.history)
            writer.writerows(zip(*self.history.values(), strict=True))

    def save_checkpoint(self):
        arrays = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(state_variables(self.trained))}
        for i, keeper in enumerate(self.keepers):
            arrays |= {f"callback{i}/{name}": array for name, array in keeper.arrays.items()}
        names = ("fingerprint", "epoch", "finished", "history")
        about = {name: getattr(self, name) for name in names}
        with replacing(self.out / "checkpoint.npz") as path, open(path, "wb") as file:
            np.savez(file, about=json.dumps(about), **arrays)

    def save_best(self):
        """Keep the weights of the epoch with the lowest val_loss (or loss)."""
        losses = self.history.get("val_loss") or self.history.get("loss")
        if losses and losses[-1] == min(losses):
            with replacing(self.out / "best.weights.h5") as path:
                self.trained.save_weights(path)

    def restore(self):
        """Load the checkpoint if there is one of this very run; otherwise start afresh."""
        path = self.out and self.out / "checkpoint.npz"
        if not path or not path.exists():
            return
        try:
            with np.load(path, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                if about["fingerprint"] != self.fingerprint:
                    return
                variables = state_variables(self.trained)
                arrays = [saved[f"v{i}"] for i in range(len(variables))]
                kept = {name: saved[name] for name in saved.files if name.startswith("callback")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(f"{path.name} cannot be read ({error}); training starts afresh", stacklevel=3)
            return
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        for i, keeper in enumerate(self.keepers):
            start = f"callback{i}/"
            keeper.arrays = {n.removeprefix(start): a for n, a in kept.items() if n.startswith(start)}
        self.epoch, self.finished, self.history = about["epoch"], about["finished"], about["history"]


class SampleEvery(keras.callbacks.Callback):
    """Keeps what `sample` makes of the same latents through the epochs, resumes included.

    Args:
        sample: function of latents → images, such as a GAN's `generate`.
        z: the latents, (n, D), the same every time.
        epochs: images are kept before training, every so many epochs and after the last.
    """

    def __init__(self, sample, z, epochs=1):
        super().__init__()
        self.sample, self.z, self.epochs = sample, z, epochs
        self.arrays = {}

    @property
    def images(self):
        """Images by the number of epochs trained before them: {0: (n, ...), 1: …}."""
        return {int(epoch): array for epoch, array in self.arrays.items()}

    def keep(self, epoch):
        self.arrays[str(epoch)] = keras.ops.convert_to_numpy(self.sample(self.z))

    def on_train_begin(self, logs=None):
        if not self.arrays:
            self.keep(0)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.epochs == 0 or epoch + 1 == self.params["epochs"]:
            self.keep(epoch + 1)


class StopOnNaN(keras.callbacks.Callback):
    """Raise FloatingPointError, with what to try, as soon as a loss is NaN or infinite."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        self.check(logs or {}, f"epoch {self.epoch}, step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self.check(logs or {}, f"epoch {epoch + 1}")

    def check(self, logs, where):
        bad = {name: float(value) for name, value in logs.items() if not np.isfinite(value)}
        if bad:
            raise FloatingPointError(
                f"training stopped in {where}: {bad}. Try a lower learning rate, check that the images "
                "lie in [0, 1], and that no layer divides by zero or takes the logarithm of zero."
            )


class ProgressBar(keras.callbacks.Callback):
    """A bar with time left in a notebook or terminal; silent in a batch run."""

    def __init__(self, epochs, steps):
        super().__init__()
        self.epochs, self.steps = epochs, steps

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.params.get("initial_epoch", epoch) or not hasattr(self, "bar"):
            quiet = run_dir() is not None
            self.bar = tqdm(
                total=self.epochs * self.steps, initial=epoch * self.steps, disable=quiet, unit="step"
            )
        self.done = epoch * self.steps

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.done + batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        shown = {k: f"{v:.4g}" for k, v in (logs or {}).items() if k in SHOWN}
        self.bar.set_postfix({"epoch": f"{epoch + 1}/{self.epochs}", **shown})

    def on_train_end(self, logs=None):
        self.bar.close()
