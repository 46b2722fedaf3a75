"""What watches a training run: samples through the epochs, NaN, progress."""

from __future__ import annotations

import keras
import numpy as np
from tqdm.auto import tqdm

from labkit.project import run_dir, tell_epoch

SHOWN = ("loss", "val_loss", "d_loss", "g_loss")  # beside the progress bar


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


class Measure(keras.callbacks.Callback):
    """Adds numbers to the history that are measured after each epoch, with weights at rest.

    A loss that Keras logs is a mean over the epoch, while the weights change; numbers from
    here are comparable between training and test images.

    Args:
        measure: function of nothing → dict of name → number, such as
            `lambda: {"mse": …, "val_mse": …}`.
    """

    def __init__(self, measure):
        super().__init__()
        self.measure = measure

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: float(value) for name, value in self.measure().items()})


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
    """A bar with time left in a notebook or terminal; in a batch run the epoch, for the command to show."""

    def __init__(self, epochs, steps):
        super().__init__()
        self.epochs, self.steps = epochs, steps

    def on_train_begin(self, logs=None):
        self.bar = None  # made at the first epoch, which need not be 0

    def on_epoch_begin(self, epoch, logs=None):
        self.done = epoch * self.steps
        tell_epoch(epoch + 1, self.epochs)
        if self.bar is None:
            quiet = run_dir() is not None
            total = self.epochs * self.steps
            self.bar = tqdm(total=total, initial=self.done, disable=quiet, unit="step")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.done + batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        shown = {k: f"{v:.4g}" for k, v in (logs or {}).items() if k in SHOWN}
        self.bar.set_postfix({"epoch": f"{epoch + 1}/{self.epochs}", **shown})

    def on_train_end(self, logs=None):
        if self.bar is not None:
            self.bar.close()
