"""The variational autoencoder with a weight β on its KL term.

Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014; β as in Higgins et al.,
"β-VAE", ICLR 2017 (β = 1 is the VAE).
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from labkit.losses import bernoulli_nll, kl_divergence
from labkit.models.autoencoder import EncoderDecoder
from labkit.models.dense import dense_decoder, dense_encoder


def reparameterize(z_mean, z_log_var, epsilon):
    """z = z_mean + exp(½ z_log_var) · epsilon, all of shape (batch, D); ε ~ N(0, I).

    The noise comes in from outside, so z is a smooth function of the encoder's outputs.
    """
    return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class Sampling(keras.layers.Layer):
    """Layer that draws z ~ q(z|x) from (z_mean, z_log_var) by `reparameterize`."""

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        """One sample an image, shape (batch, D)."""
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(ops.shape(z_mean), seed=self.seed_generator)
        return reparameterize(z_mean, z_log_var, epsilon)


class VAE(EncoderDecoder):
    """Encoder, `Sampling` and decoder trained on reconstruction + β · KL.

    Args:
        encoder: (batch, *image) in [0, 1] → [z_mean, z_log_var], each (batch, D).
        decoder: (batch, D) → logits (batch, *image).
        beta: weight of the KL, at least 0; 1 gives the −ELBO. It may be set anew at any time,
            by a callback too: compiled steps read its value (`kl_weight`).
        nll: reconstruction loss per image of (x, logits), shape (batch,), in nats.
        seed: seed of the sampling noise.
        kwargs: `pixels` of `EncoderDecoder`, and what Keras's models take.

    The history holds `loss` (= reconstruction + β · KL), `reconstruction_loss`, `kl_loss`
    and their `val_` twins, all in nats an image.
    """

    def __init__(self, encoder, decoder, beta=1.0, nll=bernoulli_nll, seed=0, **kwargs):
        super().__init__(encoder, decoder, nll, **kwargs)
        self.kl_weight = tf.Variable(0.0, trainable=False)
        self.beta = beta
        self.sampling = Sampling(seed)
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction_loss")
        self.kl_tracker = keras.metrics.Mean("kl_loss")

    @property
    def beta(self):
        """Weight of the KL."""
        return float(self.kl_weight)

    @beta.setter
    def beta(self, value):
        if not value >= 0:
            raise ValueError(f"beta is {value}; it weighs the KL and must be at least 0")
        self.kl_weight.assign(value)

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {"nll": self.nll}

    def call(self, x, training=False):
        """Logits (batch, *image), z_mean and z_log_var (batch, D) for one sample of z."""
        z_mean, z_log_var = self.encoder(x, training=training)
        z = self.sampling((z_mean, z_log_var))
        return self.decoder(z, training=training), z_mean, z_log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the batch of reconstruction + β · KL, in nats an image."""
        logits, z_mean, z_log_var = y_pred
        reconstruction = ops.mean(self.nll(x, logits))
        kl = ops.mean(kl_divergence(z_mean, z_log_var))
        loss = reconstruction + self.kl_weight * kl
        images = ops.shape(x)[0]  # so that a short last batch counts for what it is
        self.loss_tracker.update_state(loss, sample_weight=images)
        self.reconstruction_tracker.update_state(reconstruction, sample_weight=images)
        self.kl_tracker.update_state(kl, sample_weight=images)
        return loss

    def draw_codes(self, x, seed=0):
        """The codes (batch, D) of images on which the decoder is trained: one draw z ~ q(z|x) an image."""
        z_mean, z_log_var = self.encode(x)
        return reparameterize(z_mean, z_log_var, keras.random.normal(z_mean.shape, seed=seed))

    def reconstruct(self, x):
        """Reconstructions from the posterior mean, pixels in [0, 1]."""
        z_mean, _ = self.encode(x)
        return self.decode(z_mean)


def dense_vae(
    hidden=(256,),
    latent_dim=2,
    *,
    decoder_hidden=None,
    beta=1.0,
    mean_image=None,
    initializer="he",
    seed=0,
):
    """Build a VAE of fully connected layers.

    The arguments are those of `dense_encoder`, `dense_decoder` and `VAE`; `hidden` is given from
    the image on, `decoder_hidden` from the code on, and None mirrors the encoder.
    """
    encoder = dense_encoder(hidden, latent_dim, initializer=initializer, seed=seed)
    decoder = dense_decoder(
        hidden[::-1] if decoder_hidden is None else decoder_hidden,
        latent_dim,
        mean_image=mean_image,
        initializer=initializer,
        seed=seed,
    )
    return VAE(encoder, decoder, beta=beta, seed=seed)
