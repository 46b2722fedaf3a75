"""What a run leaves on disk after each epoch, and going on from there."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
import warnings
from dataclasses import is_dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from labkit.project import replacing, set_aside
from labkit.training.batches import rows_of
from labkit.training.precision import all_layers
from labkit.training.saved import CheckpointError, OtherRunError, read_saved


def optimizers_of(model):
    """The optimizers a model holds: one after `compile`, two in a GAN."""
    return [value for value in vars(model).values() if isinstance(value, keras.Optimizer)]


def state_variables(model):
    """All that training changes or depends on, as tf.Variable.

    Weights, random seeds, the optimizers' variables, and what a model keeps as a tf.Variable of
    its own because it may change while it trains, such as a VAE's β.
    """
    optimizers = optimizers_of(model)
    for optimizer in optimizers:
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    found = [*model.variables, *(v for optimizer in optimizers for v in optimizer.variables)]
    return [*(v.value for v in found), *(v for v in vars(model).values() if isinstance(v, tf.Variable))]


def settings_of(model):
    """What a model's steps depend on beside its layers and variables; {} if it does not say."""
    return model.settings() if hasattr(model, "settings") else {}


def fingerprint(model, x_train, batch_size, seed, transform=None):
    """Digest of what must be equal for a checkpoint to be of this run.

    The number of epochs is not part of it, for no epoch depends on how many there are.
    """
    weights = hashlib.sha256()
    for variable in state_variables(model):
        weights.update(np.ascontiguousarray(variable.numpy()))
    every = max(1, rows_of(x_train) // 1000)
    samples = [np.ascontiguousarray(array[::every]) for array in keras.tree.flatten(x_train)]
    facts = {
        "layers": [describe(layer) for layer in all_layers(model) if not isinstance(layer, keras.Model)],
        "weights": weights.hexdigest(),
        "optimizers": [{**optimizer.get_config(), "name": ""} for optimizer in optimizers_of(model)],
        "settings": {name: setting(value) for name, value in settings_of(model).items()},
        "images": [rows_of(x_train), *(hashlib.sha256(sample).hexdigest() for sample in samples)],
        "run": [batch_size, seed],
        "transform": repr(transform)  # with its settings
        if is_dataclass(transform)
        else getattr(transform, "__qualname__", type(transform).__name__),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def setting(value):
    """A number or text as it is, a function by its name."""
    return getattr(value, "__qualname__", value)


def describe(layer):
    """What a layer is, without the number that Keras gives its name."""
    try:
        config = {**layer.get_config(), "name": ""}
    except NotImplementedError:
        config = {}
    return [class_name(layer), config]


def class_name(part):
    """The class with its module: `fast_layers` has Keras's names."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


class Run(keras.callbacks.Callback):
    """History and checkpoints of one training run, in memory and, if given, in a folder."""

    def __init__(self, model, out, fingerprint, epochs, callbacks=()):
        super().__init__()
        self.trained, self.epochs = model, epochs
        self.stateful_callbacks = [callback for callback in callbacks if hasattr(callback, "arrays")]
        self.out = None if out is None else Path(out)
        self.fingerprint = fingerprint
        self.history: dict[str, list[float]] = {"epoch": [], "seconds": []}
        self.epoch = 0
        self.finished = self.warned = False

    def on_train_end(self, logs=None):
        self.finished = True  # perhaps before the last epoch, if another callback stopped it
        self.save(self.save_checkpoint)

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        row = {"epoch": self.epoch, "seconds": time.perf_counter() - self.started}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)

    def save_all(self):
        """Write the history, the best weights and the checkpoint, if there is a folder."""
        self.save(self.save_history)
        self.save(self.save_best)
        self.save(self.save_checkpoint)  # last: what it vouches for is there

    def save(self, write):
        """Call `write`, if there is a folder; on a full disk the training goes on, and that is said once."""
        if self.out is None:
            return
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            write()
        except (OSError, RuntimeError) as error:  # RuntimeError: HDF5's, for a file that it cannot close
            if not self.warned:
                reason = getattr(error, "strerror", None) or error
                warnings.warn(f"no checkpoint is written: {reason}; training goes on", stacklevel=2)
            self.warned = True

    def save_history(self):
        with (
            replacing(self.out / "history.csv") as path,
            open(path, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(self.history)
            writer.writerows(zip(*self.history.values(), strict=True))

    def save_checkpoint(self):
        arrays = {f"v{i}": v.numpy() for i, v in enumerate(state_variables(self.trained))}
        for i, callback in enumerate(self.stateful_callbacks):
            arrays |= {f"callback{i}/{name}": array for name, array in callback.arrays.items()}
        names = ("fingerprint", "epoch", "epochs", "finished", "history")
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
        """Load the checkpoint if there is one of this very run; otherwise start afresh.

        A run that was completed goes on if more epochs are asked for now. A checkpoint that is
        damaged, or of another run, is set aside with a warning.
        """
        path = self.out and self.out / "checkpoint.npz"
        if not path or not os.path.lexists(path):
            return
        variables = state_variables(self.trained)
        try:
            saved = read_saved(path, self.fingerprint, [variable.numpy() for variable in variables])
            if saved.epoch > self.epochs:
                raise OtherRunError(f"it has {saved.epoch} epochs, and {self.epochs} are asked for")
        except CheckpointError as error:
            mark = "other" if isinstance(error, OtherRunError) else "corrupt"
            done = set_aside(path, mark)
            warnings.warn(f"{path.name} is not used: {error}{done}; training starts afresh", stacklevel=3)
            return
        for variable, array in zip(variables, saved.variables, strict=True):
            variable.assign(array)
        for i, callback in enumerate(self.stateful_callbacks):
            start = f"callback{i}/"
            callback.arrays = {n.removeprefix(start): a for n, a in saved.kept.items() if n.startswith(start)}
        self.epoch, self.history = saved.epoch, saved.history
        stopped_early = saved.epoch < saved.epochs
        self.finished = saved.finished and (stopped_early or saved.epoch == self.epochs)
