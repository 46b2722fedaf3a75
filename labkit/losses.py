"""Losses as pure functions of tensors, one value an image, in nats.

Sums run over pixels and latents; the mean over images is taken by the caller.
Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
"""

from __future__ import annotations

import math

from keras import ops


def bernoulli_nll(x, logits):
    """Negative log-likelihood of `x` under independent Bernoulli pixels.

    Args:
        x: images in [0, 1], shape (batch, ...). Grey values are allowed; the result is
            then the binary cross-entropy, whose minimum is the pixels' own entropy.
        logits: log-odds of each pixel, same shape.

    Returns:
        Nats per image, summed over pixels, shape (batch,).
    """
    # max(l, 0) − l·x + log(1 + e^−|l|) never takes the logarithm of zero.
    pixel = ops.maximum(logits, 0.0) - logits * x + ops.log1p(ops.exp(-ops.abs(logits)))
    return sum_per_image(pixel)


def gaussian_nll(x, x_hat, variance=1.0):
    """Negative log-likelihood of `x` under N(x_hat, variance · I).

    Args:
        x, x_hat: images of any range, same shape (batch, ...).
        variance: variance of a pixel, positive. With ½ the result is the squared error
            plus a constant.

    Returns:
        Nats per image, summed over pixels, shape (batch,).
    """
    pixel = ops.square(x - x_hat) / (2.0 * variance) + 0.5 * math.log(2.0 * math.pi * variance)
    return sum_per_image(pixel)


def kl_divergence_per_dim(z_mean, z_log_var):
    """KL(N(z_mean, exp(z_log_var)) ‖ N(0, 1)) of each latent, in nats, shape (batch, D).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var)


def kl_divergence(z_mean, z_log_var):
    """KL(q(z|x) ‖ N(0, I)) per image, in nats, summed over latents, shape (batch,)."""
    return sum_per_image(kl_divergence_per_dim(z_mean, z_log_var))


def sum_per_image(values):
    """Sum over all axes but the first: shape (batch, ...) → (batch,)."""
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)
