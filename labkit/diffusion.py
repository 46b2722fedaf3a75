"""Diffusion without a network: the best denoiser for a finite set of images, and sampling with it.

An image x₀ is mixed with noise, x_t = √ᾱ x₀ + √(1 − ᾱ) ε. A diffusion model learns to guess x₀ (or,
what is the same, ε) from x_t by squared error. If the data are a finite set of images, all equally
likely, the best guess has a closed form: a mean over the images, each weighted by how likely it is
to lie underneath. Here images are in [−1, 1].

Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020; Song, Meng & Ermon,
"Denoising Diffusion Implicit Models", ICLR 2021.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax


def alpha_bars(steps=1000, first=1e-4, last=0.02) -> np.ndarray:
    """ᾱ after 0, 1, …, `steps` steps, shape (steps + 1,): what is left of the image's power.

    β rises linearly from `first` to `last`, and ᾱ is the product of all 1 − β so far (Ho et al.).
    """
    return np.concatenate([[1.0], np.cumprod(1 - np.linspace(first, last, steps))])


def noised(x, alpha_bar, noise) -> np.ndarray:
    """√ᾱ x + √(1 − ᾱ) ε for images `x` and noise ε of one shape."""
    return np.sqrt(alpha_bar) * np.asarray(x) + np.sqrt(1 - alpha_bar) * np.asarray(noise)


def best_guess(x_t, alpha_bar, images) -> np.ndarray:
    """E[x₀ | x_t] where x₀ is one of `images`, all equally likely: no guess has a smaller squared error.

    Args:
        x_t: noised images, shape (n, …).
        alpha_bar: ᾱ, in [0, 1).
        images: the data set, shape (m, …), in [−1, 1].

    Raises:
        ValueError: shapes that do not fit, ᾱ out of its range.
    """
    if not 0 <= alpha_bar < 1:
        raise ValueError(f"alpha_bar is {alpha_bar}; a number in [0, 1) was expected")
    x, data = (np.reshape(a, (len(a), -1)).astype("float64") for a in (x_t, images))
    if x.shape[1] != data.shape[1]:
        raise ValueError(f"images have shapes {np.shape(x_t)} and {np.shape(images)}; they must fit")
    # −‖x − √ᾱ x₀‖² / 2(1 − ᾱ), without what is the same for every image
    scores = np.sqrt(alpha_bar) * (x @ data.T) - 0.5 * alpha_bar * np.square(data).sum(axis=1)
    weights = softmax(scores / (1 - alpha_bar), axis=1)  # (n, m)
    return np.reshape(weights @ data, np.shape(x_t))


def sample_by_guesses(noise, images, schedule) -> np.ndarray:
    """Walk from noise to images: guess the image, keep the noise that goes with it, mix anew with less.

    Args:
        noise: x_T, shape (n, …), from N(0, 1).
        images: the data set of `best_guess`.
        schedule: ᾱ of the steps, falling in noise: the first is that of `noise`, near 0; the guess
            of the last is the result, so that len(schedule) guesses are made.

    Returns:
        Images in [−1, 1], shape (n, …). Song et al. 2021, equation 12 with σ = 0.
    """
    x = np.asarray(noise, "float64")
    for now, after in zip(schedule, [*schedule[1:], None], strict=True):
        guess = best_guess(x, now, images)
        if after is not None:
            left = (x - np.sqrt(now) * guess) / np.sqrt(1 - now)
            x = noised(guess, after, left)
    return guess
