"""The conditional VAE: a VAE that is told the class of each image.

Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional
Generative Models", NeurIPS 2015.
"""

from __future__ import annotations

import math

import numpy as np
from keras import layers, ops

from labkit.models.arrays import check_labels, join_labels
from labkit.models.dense import conditional_decoder, dense_decoder, dense_encoder
from labkit.models.vae import VAE


class CVAE(VAE):
    """VAE of −log p(x|z, y) + β · KL(q(z|x, y) ‖ p(z|y)), the label y joined one-hot.

    It is trained on pairs, `fit(cvae, (x, labels), …)`, and logs what `VAE` logs. Its −ELBO
    bounds −log p(x|y): to compare it with a VAE's, add −log p(y), which is ln 10 nats for
    ten equally frequent classes.

    The prior p(z|y) is N(0, I) or, with `learned_prior`, a Gaussian N(μ_y, σ_y²) for each class.
    `encode` and `decode` speak of u = (z − μ_y)/σ_y, whose prior is N(0, I) in every class; the
    KL is the same for u as for z. With a prior of N(0, I) u is z.

    Args:
        encoder: flattened image in [0, 1] and label (batch, pixels + n_classes) →
            [z_mean, z_log_var], each (batch, D).
        decoder: code and label (batch, D + n_classes) → logits (batch, *image).
        n_classes: labels are the integers 0 … n_classes − 1.
        learned_prior: whether mean and log-variance of the prior are learned for each class.
        beta, nll, seed: as in `VAE`.

    Raises:
        ValueError: the networks' inputs have no room for the label.
    """

    def __init__(self, encoder, decoder, n_classes=10, learned_prior=False, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.n_classes, self.image_shape = n_classes, decoder.output_shape[1:]
        self.latent_dim = encoder.output_shape[0][1]
        for name, network, size in (
            ("encoder", encoder, math.prod(self.image_shape)),
            ("decoder", decoder, self.latent_dim),
        ):
            if network.input_shape[1:] != (size + n_classes,):
                raise ValueError(
                    f"the {name} takes {network.input_shape[1:]}; {size} values and a one-hot label of "
                    f"{n_classes} classes make {(size + n_classes,)}"
                )
        self.prior = None
        if learned_prior:  # one-hot label → means and log-variances, N(0, I) at the start
            self.prior = layers.Dense(
                2 * self.latent_dim, use_bias=False, kernel_initializer="zeros", name="class_prior"
            )
            self.prior.build((None, n_classes))

    def call(self, inputs, training=False):
        """Logits (batch, *image), mean and log-variance of q(u|x, y), (batch, D), for images and labels."""
        x, labels = inputs
        z_mean, z_log_var = self.encoder(self.join(x, labels), training=training)
        z = self.sampling((z_mean, z_log_var))
        logits = self.decoder(self.join(z, labels), training=training)
        return logits, *self.in_prior_units(z_mean, z_log_var, labels)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The VAE's loss of the images in `x` = (images, labels), in nats an image."""
        return super().compute_loss(x=x[0], y_pred=y_pred, training=training)

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {**super().settings(), "n_classes": self.n_classes}

    def join(self, values, labels):
        """Values (batch, …) and one-hot labels side by side: (batch, values + n_classes)."""
        return join_labels(values, labels, self.n_classes)

    def one_hot(self, labels):
        """Nine zeros and a one for each label, (batch, n_classes)."""
        return ops.one_hot(labels, self.n_classes, dtype="float32")

    def class_prior(self, labels):
        """Mean and log-variance of p(z|y) for classes `labels` (batch,), each (batch, D)."""
        if self.prior is None:
            zeros = ops.zeros((len(labels), self.latent_dim))
            return zeros, zeros
        return ops.split(self.prior(self.one_hot(labels)), 2, axis=1)

    def in_prior_units(self, z_mean, z_log_var, labels):
        """Mean and log-variance of u = (z − μ_y)/σ_y where those of z are given, each (batch, D)."""
        if self.prior is None:
            return z_mean, z_log_var
        mean, log_var = self.class_prior(labels)
        return (z_mean - mean) * ops.exp(-0.5 * log_var), z_log_var - log_var

    def encode(self, x, labels):
        """Mean and log-variance of q(u|x, y) for images (batch, *image) of classes `labels` (batch,)."""
        self.check_data((x, labels))
        return self.in_prior_units(*self.run_encoder(self.join(x, labels)), labels)

    def decode_logits(self, u, labels):
        """Logits (batch, *image) for codes `u` (batch, D) and the classes asked for, (batch,)."""
        check_labels(labels, len(u), self.n_classes)
        z = ops.convert_to_tensor(u)
        if self.prior is not None:
            mean, log_var = self.class_prior(labels)
            z = mean + ops.exp(0.5 * log_var) * z
        return self.run_decoder(self.join(z, labels))

    def decode(self, u, labels):
        """Pixels in [0, 1] for codes `u` (batch, D) and the classes asked for, (batch,)."""
        return self.pixels(self.decode_logits(u, labels))

    def reconstruct(self, x, labels):
        """Reconstructions from the posterior mean and the image's own label, pixels in [0, 1]."""
        u_mean, _ = self.encode(x, labels)
        return self.decode(u_mean, labels)

    def check_data(self, data):
        """Raise ValueError unless `data` is a pair of images and as many labels in range."""
        if not isinstance(data, tuple) or len(data) != 2:
            raise ValueError("a CVAE takes a pair (images, labels)")
        x, labels = data
        if np.shape(x)[1:] != self.image_shape:
            raise ValueError(f"images have shape {np.shape(x)[1:]}; the CVAE takes {self.image_shape}")
        check_labels(labels, len(x), self.n_classes)


def dense_cvae(
    hidden=(256,), latent_dim=2, *, n_classes=10, label_everywhere=False, learned_prior=False,
    image_shape=(28, 28, 1), beta=1.0, mean_image=None, initializer="he", seed=0,
):  # fmt: skip
    """Build a CVAE of fully connected layers, its decoder the mirror of its encoder.

    With `label_everywhere` the decoder is a `conditional_decoder`, whose every layer is told the
    label; otherwise only its first is. The other arguments are those of `dense_encoder`,
    `dense_decoder` and `CVAE`; `hidden` is given from the image on.
    """
    joined = (math.prod(image_shape) + n_classes,)
    encoder = dense_encoder(hidden, latent_dim, image_shape=joined, initializer=initializer, seed=seed)
    options = {
        "image_shape": image_shape, "mean_image": mean_image, "initializer": initializer, "seed": seed
    }  # fmt: skip
    if label_everywhere:
        decoder = conditional_decoder(hidden[::-1], latent_dim, n_classes, **options)
    else:
        decoder = dense_decoder(hidden[::-1], latent_dim + n_classes, **options)
    return CVAE(encoder, decoder, n_classes, learned_prior, beta=beta, seed=seed)
