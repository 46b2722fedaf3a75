"""labkit's own `fit`, and Keras's `fit` with its defaults on the same models."""

from __future__ import annotations

import sys
import time

import keras

from benchmarks.peers import timing
from labkit import models, training


def build(work, update="alternating"):
    """The labs' model of that name, compiled."""
    if work == "dcgan":
        model = models.GAN(models.conv_generator(), models.conv_discriminator(), update=update)
        model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(2)))
        return model
    if work == "dense_vae":
        model = models.dense_vae((256,), 2)
    elif work == "conv_vae":
        model = models.conv_vae((32, 64), latent_dim=128)
    else:
        model = models.VAE(models.pooled_encoder(), models.upsampling_decoder())
    model.compile(keras.optimizers.Adam(1e-3))
    return model


class ProcessorTime(keras.callbacks.Callback):
    """Processor seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds, self.wall = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.process_time(), time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.process_time() - self.begun[0])
        self.wall.append(time.perf_counter() - self.begun[1])


def main(kind, work, epochs, share):
    """Train and report; `kind` is "labkit", "labkit-simultaneous" or "keras"."""
    x, batch = timing.images(work, share)
    model = build(work, "simultaneous" if kind.endswith("simultaneous") else "alternating")
    watch = ProcessorTime()
    if kind == "keras":
        if work == "dcgan":  # a GAN without an optimizer of Keras's own has no automatic compilation
            model.jit_compile = False
        history = model.fit(x, epochs=epochs, batch_size=batch, verbose=0, callbacks=[watch]).history
    else:
        history = training.fit(model, x, epochs=epochs, batch_size=batch, callbacks=[watch])
    timing.report(watch.wall, watch.seconds, history.get("loss") or history["d_loss"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
