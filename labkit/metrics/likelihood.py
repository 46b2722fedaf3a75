"""The evidence lower bound of a trained VAE and what its KL is spent on."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from labkit.losses import bernoulli_nll, kl_divergence_per_dim

# Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.
ACTIVE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Elbo:
    """−ELBO at β = 1 and its parts, in nats an image, means over `images` images.

    `standard_error` is that of `negative_elbo` over images. `kl_per_dim` has shape (D,);
    `active_units` counts the latents whose posterior mean varies over the images.
    """

    negative_elbo: float
    standard_error: float
    reconstruction: float
    kl: float
    kl_per_dim: np.ndarray
    active_units: int
    images: int
    samples: int


def elbo(encode, decode_logits, x, *, nll=bernoulli_nll, samples=1, seed=0, batch_size=1000) -> Elbo:
    """Estimate the −ELBO of images by Monte Carlo over q(z|x); the KL is exact.

    Args:
        encode: function of images (batch, ...) → z_mean, z_log_var, each (batch, D).
        decode_logits: function of z (batch, D) → logits (batch, ...).
        x: images in [0, 1], shape (n, ...).
        nll: reconstruction loss per image of (x, logits), in nats.
        samples: draws of z an image, at least 1.
        seed: seed of the draws.
        batch_size: images at a time.

    Raises:
        ValueError: no images, or less than one sample.
    """
    if len(x) == 0 or samples < 1:
        raise ValueError(f"elbo needs images and samples; got {len(x)} images, {samples} samples")
    noise = keras.random.SeedGenerator(seed)
    parts = [
        elbo_of_batch(encode, decode_logits, x[i : i + batch_size], nll, samples, noise)
        for i in range(0, len(x), batch_size)
    ]
    reconstruction, kl_per_dim, z_mean = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    per_image = reconstruction + kl_per_dim.sum(axis=1)
    return Elbo(
        negative_elbo=float(per_image.mean()),
        standard_error=float(per_image.std() / np.sqrt(len(x))),
        reconstruction=float(reconstruction.mean()),
        kl=float(kl_per_dim.sum(axis=1).mean()),
        kl_per_dim=kl_per_dim.mean(axis=0),
        active_units=int(active_units(z_mean).sum()),
        images=len(x),
        samples=samples,
    )


def elbo_of_batch(encode, decode_logits, x, nll, samples, noise):
    """Reconstruction (batch,), KL (batch, D) and posterior mean (batch, D) of one batch."""
    z_mean, z_log_var = (keras.ops.convert_to_numpy(t).astype("float64") for t in encode(x))
    reconstruction = np.zeros(len(x))
    for _ in range(samples):
        epsilon = keras.ops.convert_to_numpy(keras.random.normal(z_mean.shape, seed=noise))
        z = (z_mean + np.exp(0.5 * z_log_var) * epsilon).astype("float32")
        reconstruction += keras.ops.convert_to_numpy(nll(x, decode_logits(z))) / samples
    kl = keras.ops.convert_to_numpy(kl_divergence_per_dim(z_mean, z_log_var))
    return reconstruction, kl, z_mean


def active_units(z_mean, threshold=ACTIVE_THRESHOLD):
    """Which latents are used: variance over images of the posterior mean above `threshold`.

    `z_mean` has shape (n, D); the result is a mask of shape (D,). Burda et al. 2016.
    """
    return np.var(np.asarray(z_mean), axis=0) > threshold
