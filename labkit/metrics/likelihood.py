"""Bounds on a trained VAE's likelihood, and what its KL is spent on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from labkit.losses import bernoulli_nll, check_takes_logits, kl_divergence_per_dim, log_prior_ratio

# Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.
ACTIVE_THRESHOLD = 0.01
XLA_PAYS_FROM_DRAWS = 1_000_000  # its compilation takes seconds


@dataclass(frozen=True)
class Elbo:
    """−ELBO at β = 1 and its parts, in nats an image, means over `images` images.

    `standard_error` is that of `negative_elbo` over images, whose own values are `per_image`,
    shape (images,). `kl_per_dim` has shape (D,); `active_units` counts the latents whose
    posterior mean varies over the images.
    """

    negative_elbo: float
    standard_error: float
    reconstruction: float
    kl: float
    kl_per_dim: np.ndarray
    active_units: int
    images: int
    samples: int
    per_image: np.ndarray


def elbo(
    encode, decode_logits, x, *, labels=None, nll=bernoulli_nll, samples=1, seed=0, batch_size=1000
) -> Elbo:
    """Estimate the −ELBO of images by Monte Carlo over q(z|x); the KL is exact.

    Args:
        encode: function of images (batch, ...) → z_mean, z_log_var, each (batch, D).
        decode_logits: function of z (batch, D) → logits (batch, ...).
        x: images in [0, 1], shape (n, ...).
        labels: class of each image, shape (n,), for a conditional model: both functions then
            take the batch's labels as a second argument, and the ELBO bounds ln p(x|y).
        nll: reconstruction loss per image of (x, logits), in nats.
        samples: draws of z an image, at least 1.
        seed: seed of the draws.
        batch_size: images at a time.

    Raises:
        ValueError: no images, less than one sample, not as many labels as images, or a likelihood of pixels.
    """
    check_takes_logits(nll)
    if len(x) == 0 or samples < 1:
        raise ValueError(f"elbo needs images and samples; got {len(x)} images, {samples} samples")
    if labels is not None and len(labels) != len(x):
        raise ValueError(f"{len(labels):,} labels for {len(x):,} images; one an image was expected")
    noise = keras.random.SeedGenerator(seed)
    parts = []
    for i in range(0, len(x), batch_size):
        batch = slice(i, i + batch_size)
        y = () if labels is None else (labels[batch],)
        parts.append(elbo_of_batch(encode, decode_logits, x[batch], y, nll, samples, noise))
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
        per_image=per_image,
    )


def elbo_of_batch(encode, decode_logits, x, y, nll, samples, noise):
    """Reconstruction (batch,), KL (batch, D) and posterior mean (batch, D) of one batch."""
    z_mean, z_log_var = (keras.ops.convert_to_numpy(t).astype("float64") for t in encode(x, *y))
    reconstruction = np.zeros(len(x))
    for _ in range(samples):
        epsilon = keras.ops.convert_to_numpy(keras.random.normal(z_mean.shape, seed=noise))
        z = (z_mean + np.exp(0.5 * z_log_var) * epsilon).astype("float32")
        reconstruction += keras.ops.convert_to_numpy(nll(x, decode_logits(z, *y))) / samples
    kl = keras.ops.convert_to_numpy(kl_divergence_per_dim(z_mean, z_log_var))
    return reconstruction, kl, z_mean


def elbo_by_class(encode, decode_logits, x, *, classes=10, **options) -> np.ndarray:
    """−ELBO of each image under each class of a conditional model, in nats, shape (n, classes).

    The smallest of a row names the class that the model thinks most likely. The arguments are
    those of `elbo`, which is asked once for each class, with the same noise.
    """
    labels = [np.full(len(x), c) for c in range(classes)]
    found = [elbo(encode, decode_logits, x, labels=y, **options).per_image for y in labels]
    return np.stack(found, axis=1)


def sum_over_classes(costs) -> np.ndarray:
    """Bounds on −ln p(x), shape (n,), from bounds on −ln p(x|y) of equally frequent classes, (n, classes).

    −ln Σ_y e^−cost / classes. Kingma et al., "Semi-supervised Learning with Deep Generative
    Models", NeurIPS 2014.
    """
    costs = np.asarray(costs, "float64")
    return -np.logaddexp.reduce(-costs - math.log(costs.shape[1]), axis=1)


def active_units(z_mean, threshold=ACTIVE_THRESHOLD):
    """Which latents are used: variance over images of the posterior mean above `threshold`.

    `z_mean` has shape (n, D); the result is a mask of shape (D,). Burda et al. 2016.
    """
    return np.var(np.asarray(z_mean), axis=0) > threshold


@dataclass(frozen=True, eq=False)
class IwNll:
    """Importance-weighted bound on −ln p(x), in nats an image: mean over `images` images.

    `standard_error` is that of the mean over images, whose own values are `per_image`, shape
    (images,); `k` is the number of samples an image.
    """

    value: float
    standard_error: float
    k: int
    images: int
    per_image: np.ndarray


def iw_nll(encode, decode_logits, x, *, k=5000, nll=bernoulli_nll, chunk=2500, seed=0) -> IwNll:
    """Estimate −mean ln (1/K) Σ p(x, z)/q(z|x) with K draws of z from q(z|x) an image.

    In expectation an upper bound on −ln p(x) that falls as K grows; K = 1 gives the −ELBO. It
    is a likelihood of images only where they are binary: see `binarise`. The draws of a batch are
    one compiled call, in float32, whose memory is that of `chunk` decoded images whatever K is.

    Args:
        encode: function of images (batch, ...) → z_mean, z_log_var, each (batch, D).
        decode_logits: function of z (batch, D) → logits (batch, ...), which TensorFlow can trace.
        x: images in [0, 1], shape (n, ...).
        k: draws an image, at least 1.
        nll: reconstruction loss per image of (x, logits), in nats.
        chunk: draws decoded at a time, which bounds the memory; the noise depends on it.
        seed: seed of the draws.

    Raises:
        ValueError: no images, k or chunk below 1, or a likelihood of pixels.

    Source: Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    """
    check_takes_logits(nll)
    if len(x) == 0 or k < 1 or chunk < 1:
        raise ValueError(f"iw_nll needs images, k and chunk; got {len(x)} images, k = {k}, chunk = {chunk}")
    x = np.asarray(x, dtype="float32")
    images, draws = min(max(1, chunk // k), len(x)), min(chunk, k)  # at a time
    settings = {"decode_logits": decode_logits, "nll": nll, "k": k, "draws": draws}
    xla = len(x) * k >= XLA_PAYS_FROM_DRAWS
    compiled = tf.function(partial(log_evidence, **settings), jit_compile=xla, autograph=False)
    found = []
    for i in range(0, len(x), images):
        batch = x[np.minimum(np.arange(i, i + images), len(x) - 1)]  # the last filled up: one shape for all
        z_mean, z_log_var = (ops.cast(part, "float32") for part in encode(batch))
        found.append(compiled(batch, z_mean, z_log_var, tf.constant([seed, i])).numpy())
    per_image = -np.concatenate(found)[: len(x)].astype("float64")
    error = float(per_image.std() / np.sqrt(len(x)))
    return IwNll(float(per_image.mean()), error, k, len(x), per_image)


def log_evidence(x, z_mean, z_log_var, seed, *, decode_logits, nll, k, draws):
    """ln (1/k) Σ p(x, z)/q(z|x) of each image, (batch,), from `draws` values of z at a time."""

    def add_draws(done, total):
        own = tf.random.experimental.stateless_fold_in(seed, done)
        epsilon = tf.random.stateless_normal((draws, *z_mean.shape), own)
        weights = log_weights(x, z_mean, z_log_var, epsilon, decode_logits, nll)
        counted = (done + tf.range(draws) < k)[:, None]  # the last draws may be more than k
        weights = tf.where(counted, weights, -np.inf)
        return done + draws, tf.reduce_logsumexp(tf.concat([total[None], weights], 0), axis=0)

    start = (0, tf.fill((x.shape[0],), -np.inf))
    return tf.while_loop(lambda done, _: done < k, add_draws, start)[1] - math.log(k)


def log_weights(x, z_mean, z_log_var, epsilon, decode_logits, nll):
    """ln p(x, z)/q(z|x) at z = z_mean + exp(½ z_log_var) epsilon, shape (draws, batch)."""
    z = z_mean + ops.exp(0.5 * z_log_var) * epsilon  # (draws, batch, D)
    prior_ratio = log_prior_ratio(z, z_log_var, epsilon)
    flat = ops.reshape(z, (-1, z.shape[2]))
    repeated = ops.reshape(ops.broadcast_to(x, (*epsilon.shape[:1], *x.shape)), (-1, *x.shape[1:]))
    return prior_ratio - ops.reshape(nll(repeated, decode_logits(flat)), prior_ratio.shape)


def binarise(x, seed=0) -> np.ndarray:
    """Draw black and white images whose pixels are white with the probability of their grey.

    `x` lies in [0, 1]; the result has its shape, as float32 zeros and ones. Dynamic binarisation
    takes a new seed in every epoch. Raises ValueError for values outside [0, 1] or NaN.

    Source: Salakhutdinov & Murray, "On the Quantitative Analysis of Deep Belief Networks",
    ICML 2008.
    """
    x = np.asarray(x)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"images lie in [{x.min():.3g}, {x.max():.3g}]; [0, 1] was expected")
    return (np.random.default_rng(seed).random(x.shape, dtype="float32") < x).astype("float32")
