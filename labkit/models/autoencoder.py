"""The plain autoencoder, and what it has in common with the variational one."""

from __future__ import annotations

import keras
from keras import ops

from labkit.images import check_images
from labkit.losses import bernoulli_nll, check_takes_logits
from labkit.models.arrays import batched, check_codes


class EncoderDecoder(keras.Model):
    """An encoder and a decoder of logits, with what follows from having both.

    Args:
        encoder: (batch, *image) in [0, 1] → (batch, D), or two of these.
        decoder: (batch, D) → logits (batch, *image).
        nll: loss per image of (x, logits), shape (batch,), in nats.
        pixels: function of logits → pixels in [0, 1], the mean of what `nll` is a likelihood of.
    """

    def __init__(self, encoder, decoder, nll=bernoulli_nll, pixels=ops.sigmoid, **kwargs):
        super().__init__(**kwargs)
        check_takes_logits(nll)
        self.encoder, self.decoder, self.nll, self.pixels = encoder, decoder, nll, pixels
        self.run_encoder, self.run_decoder = batched(encoder), batched(decoder)
        self.loss_tracker = keras.metrics.Mean("loss")
        self.built = True  # both networks are, so that weights can be loaded before a first call

    def encode(self, x):
        """What the encoder makes of images: codes (batch, D), or their mean and log-variance."""
        self.check_data(x)
        return self.run_encoder(x)

    def decode_logits(self, z):
        """Logits (batch, *image) for codes `z` of shape (batch, D)."""
        check_codes(z, self.decoder.input_shape[1])
        return self.run_decoder(z)

    def decode(self, z):
        """Pixels in [0, 1] for codes `z` of shape (batch, D)."""
        return self.pixels(self.decode_logits(z))

    def check_data(self, x):
        """Raise ValueError unless `x` holds images in [0, 1] of the encoder's shape."""
        check_images(x, self.encoder.input_shape[1:])


class Autoencoder(EncoderDecoder):
    """Encoder and decoder trained to reconstruct: minimises `nll(x, decoder(encoder(x)))`.

    The arguments are those of `EncoderDecoder`, the encoder with one output.
    """

    def call(self, x, training=False):
        """Logits of the reconstruction, (batch, *image)."""
        return self.decoder(self.encoder(x, training=training), training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean reconstruction loss of the batch, in nats an image."""
        loss = ops.mean(self.nll(x, y_pred))
        self.loss_tracker.update_state(loss, sample_weight=ops.shape(x)[0])
        return loss

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {"nll": self.nll}

    def draw_codes(self, x, seed=0):
        """The codes (batch, D) of images on which the decoder is trained; here no noise is drawn."""
        return self.encode(x)

    def reconstruct(self, x):
        """Reconstructions of images, pixels in [0, 1]."""
        return self.decode(self.encode(x))
