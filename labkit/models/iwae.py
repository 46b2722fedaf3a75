"""The importance-weighted autoencoder: a VAE trained on a tighter bound.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
"""

from __future__ import annotations

import keras
from keras import ops

from labkit.losses import importance_weighted_bound, log_prior_ratio
from labkit.models.vae import VAE, reparameterize


class IWAE(VAE):
    """VAE trained on −ln (1/k) Σ p(x, z)/q(z|x) over `k` draws of z an image; k = 1 is the VAE.

    Args:
        encoder, decoder, nll, seed: as in `VAE`.
        k: draws of z an image, at least 1.

    The history holds `loss`, the bound with k draws, and `reconstruction_loss` and `kl_loss`, means
    over the draws, whose sum is an estimate of the −ELBO; and their `val_` twins, all in nats an image.

    Raises:
        ValueError: k below 1.
    """

    def __init__(self, encoder, decoder, k=5, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        if k < 1:
            raise ValueError(f"k is {k}; at least one draw an image was expected")
        self.k = k

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {**super().settings(), "k": self.k}

    def call(self, x, training=False):
        """Logits (k · batch, *image) of k draws an image, and ln p(z) − ln q(z|x) of each, (k, batch)."""
        z_mean, z_log_var = self.encoder(x, training=training)
        shape = (self.k, *ops.shape(z_mean))
        epsilon = keras.random.normal(shape, seed=self.sampling.seed_generator)
        z = reparameterize(z_mean, z_log_var, epsilon)  # (k, batch, D)
        logits = self.decoder(ops.reshape(z, (-1, z.shape[2])), training=training)
        return logits, log_prior_ratio(z, z_log_var, epsilon)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the batch of −ln (1/k) Σ p(x, z)/q(z|x), in nats an image."""
        logits, prior_ratio = y_pred
        repeated = ops.reshape(ops.broadcast_to(x, (self.k, *ops.shape(x))), ops.shape(logits))
        nll = ops.reshape(self.nll(repeated, logits), ops.shape(prior_ratio))  # (k, batch)
        loss = -ops.mean(importance_weighted_bound(prior_ratio - nll))
        images = ops.shape(x)[0]  # so that a short last batch counts for what it is
        self.loss_tracker.update_state(loss, sample_weight=images)
        self.reconstruction_tracker.update_state(ops.mean(nll), sample_weight=images)
        self.kl_tracker.update_state(-ops.mean(prior_ratio), sample_weight=images)
        return loss
