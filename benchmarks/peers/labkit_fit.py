"""labkit's own `fit`, and Keras's `fit` with its defaults on the same models."""

from __future__ import annotations

import sys
import time

import keras

from benchmarks.peers import timing
from labkit import models, training

MOST_EPOCHS = 1000  # the pipe ends before


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


class Turns(keras.callbacks.Callback):
    """Each epoch waits for its turn and is reported."""

    def on_epoch_begin(self, epoch, logs=None):
        timing.wait_for_turn()
        self.begun = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        wall, cpu = self.begun
        loss = float(logs.get("loss", logs.get("d_loss", float("nan"))))
        timing.report(seconds=time.perf_counter() - wall, processor=time.process_time() - cpu, loss=loss)


def main(kind, work, share):
    """Train until the pipe ends; `kind` is "labkit", "labkit-simultaneous" or "keras"."""
    x, batch = timing.images(work, share)
    model = build(work, "simultaneous" if kind.endswith("simultaneous") else "alternating")
    timing.report()
    if kind == "keras":
        if work == "dcgan":  # a GAN without an optimizer of Keras's own has no automatic compilation
            model.jit_compile = False
        model.fit(x, epochs=MOST_EPOCHS, batch_size=batch, verbose=0, callbacks=[Turns()])
    else:
        training.fit(model, x, epochs=MOST_EPOCHS, batch_size=batch, callbacks=[Turns()])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
