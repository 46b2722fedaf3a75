"""The plain autoencoder."""

from __future__ import annotations

import keras
from keras import ops

from labkit.losses import bernoulli_nll, check_takes_logits
from labkit.models.arrays import check_codes, check_images


class Autoencoder(keras.Model):
    """Encoder and decoder trained to reconstruct: minimises `nll(x, decoder(encoder(x)))`.

    Args:
        encoder: (batch, *image) in [0, 1] → (batch, D).
        decoder: (batch, D) → logits (batch, *image).
        nll: loss per image of (x, logits), shape (batch,), in nats.
    """

    def __init__(self, encoder, decoder, nll=bernoulli_nll, **kwargs):
        super().__init__(**kwargs)
        check_takes_logits(nll)
        self.encoder, self.decoder, self.nll = encoder, decoder, nll
        self.loss_tracker = keras.metrics.Mean("loss")
        self.built = True  # both networks are, so that weights can be loaded before a first call

    def call(self, x, training=False):
        """Logits of the reconstruction, (batch, *image)."""
        return self.decoder(self.encoder(x, training=training), training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean reconstruction loss of the batch, in nats an image."""
        loss = ops.mean(self.nll(x, y_pred))
        self.loss_tracker.update_state(loss, sample_weight=ops.shape(x)[0])
        return loss

    def encode(self, x):
        """Codes of images, (batch, D)."""
        self.check_data(x)
        return self.encoder(x, training=False)

    def decode(self, z):
        """Pixels in [0, 1] for codes `z` of shape (batch, D)."""
        check_codes(z, self.decoder.input_shape[1])
        return ops.sigmoid(self.decoder(z, training=False))

    def reconstruct(self, x):
        """Reconstructions of images, pixels in [0, 1]."""
        return self.decode(self.encode(x))

    def check_data(self, x):
        """Raise ValueError unless `x` holds images in [0, 1] of the encoder's shape."""
        check_images(x, self.encoder.input_shape[1:])
