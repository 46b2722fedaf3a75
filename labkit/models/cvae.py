"""The conditional VAE: a VAE that is told the class of each image.

Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional
Generative Models", NeurIPS 2015. The prior N(0, I) does not depend on the class.
"""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from labkit.models.arrays import check_labels
from labkit.models.dense import dense_decoder, dense_encoder
from labkit.models.vae import VAE


class CVAE(VAE):
    """VAE of −log p(x|z, y) + β · KL(q(z|x, y) ‖ N(0, I)), the label y joined one-hot.

    It is trained on pairs, `fit(cvae, (x, labels), …)`, and logs what `VAE` logs. Its −ELBO
    bounds −log p(x|y): to compare it with a VAE's, add −log p(y), which is ln 10 nats for
    ten equally frequent classes.

    Args:
        encoder: flattened image in [0, 1] and label (batch, pixels + n_classes) →
            [z_mean, z_log_var], each (batch, D).
        decoder: code and label (batch, D + n_classes) → logits (batch, *image).
        n_classes: labels are the integers 0 … n_classes − 1.
        beta, nll, seed: as in `VAE`.

    Raises:
        ValueError: the networks' inputs have no room for the label.
    """

    def __init__(self, encoder, decoder, n_classes=10, **kwargs):
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

    def call(self, inputs, training=False):
        """Logits (batch, *image), z_mean and z_log_var (batch, D) for images and labels."""
        x, labels = inputs
        z_mean, z_log_var = self.encoder(self.join(x, labels), training=training)
        z = self.sampling((z_mean, z_log_var))
        return self.decoder(self.join(z, labels), training=training), z_mean, z_log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The VAE's loss of the images in `x` = (images, labels), in nats an image."""
        return super().compute_loss(x=x[0], y_pred=y_pred, training=training)

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {**super().settings(), "n_classes": self.n_classes}

    def join(self, values, labels):
        """Values (batch, …) and one-hot labels side by side: (batch, values + n_classes)."""
        flat = ops.reshape(values, (-1, math.prod(values.shape[1:])))
        return ops.concatenate([flat, ops.one_hot(labels, self.n_classes, dtype=flat.dtype)], axis=1)

    def encode(self, x, labels):
        """z_mean and z_log_var of images (batch, *image) of classes `labels` (batch,)."""
        self.check_data((x, labels))
        return self.run_encoder(self.join(x, labels))

    def decode_logits(self, z, labels):
        """Logits (batch, *image) for codes `z` (batch, D) and the classes asked for, (batch,)."""
        check_labels(labels, len(z), self.n_classes)
        return self.run_decoder(self.join(ops.convert_to_tensor(z), labels))

    def decode(self, z, labels):
        """Pixels in [0, 1] for codes `z` (batch, D) and the classes asked for, (batch,)."""
        return ops.sigmoid(self.decode_logits(z, labels))

    def reconstruct(self, x, labels):
        """Reconstructions from the posterior mean and the image's own label, pixels in [0, 1]."""
        z_mean, _ = self.encode(x, labels)
        return self.decode(z_mean, labels)

    def check_data(self, data):
        """Raise ValueError unless `data` is a pair of images and as many labels in range."""
        if not isinstance(data, tuple) or len(data) != 2:
            raise ValueError("a CVAE takes a pair (images, labels)")
        x, labels = data
        if np.shape(x)[1:] != self.image_shape:
            raise ValueError(f"images have shape {np.shape(x)[1:]}; the CVAE takes {self.image_shape}")
        check_labels(labels, len(x), self.n_classes)


def dense_cvae(
    hidden=(256,), latent_dim=2, *, n_classes=10, image_shape=(28, 28, 1), beta=1.0, mean_image=None,
    initializer="he", seed=0,
):  # fmt: skip
    """Build a CVAE of fully connected layers, its decoder the mirror of its encoder.

    The arguments are those of `dense_encoder`, `dense_decoder` and `CVAE`; `hidden` is
    given from the image on.
    """
    joined = (math.prod(image_shape) + n_classes,)
    encoder = dense_encoder(hidden, latent_dim, image_shape=joined, initializer=initializer, seed=seed)
    decoder = dense_decoder(
        hidden[::-1], latent_dim + n_classes, image_shape=image_shape, mean_image=mean_image,
        initializer=initializer, seed=seed,
    )  # fmt: skip
    return CVAE(encoder, decoder, n_classes, beta=beta, seed=seed)
