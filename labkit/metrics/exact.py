"""Exact inference for two latents: on a grid of z every integral is a sum.

Within reach of the grid it gives ln p(x), the posterior p(z|x) and the ELBO of any Gaussian
q(z|x), and so what a VAE's bound loses, split as in Cremer, Li & Duvenaud, "Inference
Suboptimality in Variational Autoencoders", ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize

POINTS_AT_A_TIME = 4000  # of the grid, decoded and weighed together
IMAGES_AT_A_TIME = 2000


@dataclass(frozen=True)
class Grid:
    """A square grid over z: `points` values a side, equally spaced from −`reach` to `reach`.

    The step should be at most the standard deviation of the posteriors. Outside of the reach
    the prior has a share of about 1e-6 at 5.
    """

    points: int = 401
    reach: float = 5.0

    def __post_init__(self):
        if self.points < 2 or not self.reach > 0:
            raise ValueError(f"a grid of {self.points} points to ±{self.reach}; 2 points and a reach above 0")

    @property
    def axis(self) -> np.ndarray:
        """The values of one latent, shape (points,), float64."""
        return np.linspace(-self.reach, self.reach, self.points)

    @property
    def step(self) -> float:
        """Distance of neighbouring values."""
        return 2 * self.reach / (self.points - 1)

    def codes(self) -> np.ndarray:
        """All z, the second latent running fastest, shape (points², 2), float32."""
        return np.stack(np.meshgrid(self.axis, self.axis, indexing="ij"), -1).reshape(-1, 2).astype("float32")

    def log_prior(self, z) -> np.ndarray:
        """ln N(z; 0, I) plus the logarithm of a cell's area, shape (len(z),)."""
        density = -0.5 * np.sum(np.square(z, dtype="float64"), axis=1) - np.log(2 * np.pi)
        return (density + 2 * np.log(self.step)).astype("float32")


def bernoulli_log_likelihood(decode_logits):
    """The function (x, z) → ln p(x|z) of every image and code, shape (n, G), of a Bernoulli decoder.

    ln p(x|z) = Σ_i x_i l_i(z) − Σ_i ln(1 + exp l_i(z)): for all pairs one matrix product, so that
    each code is decoded once for all images.

    Args:
        decode_logits: function of z (G, 2), float32 → logits (G, ...), of the images' shape, that
            TensorFlow can trace.
    """

    @tf.function(reduce_retracing=True)
    def log_likelihood(x, z):
        logits = tf.reshape(decode_logits(z), (tf.shape(z)[0], -1))
        x = tf.reshape(tf.cast(x, logits.dtype), (tf.shape(x)[0], -1))
        return tf.matmul(x, logits, transpose_b=True) - tf.reduce_sum(tf.math.softplus(logits), axis=1)

    return log_likelihood


def log_evidence(log_likelihood, x, grid: Grid) -> np.ndarray:
    """ln p(x) = ln ∫ p(x|z) N(z; 0, I) dz of each image by quadrature, in nats, shape (n,).

    Memory is bounded: parts of the grid and of the images are taken in turn, and the sums kept
    as logarithms.

    Args:
        log_likelihood: function of images (n, ...) and codes (G, 2) → ln p(x|z), shape (n, G).
        x: images, shape (n, ...), at least one.
        grid: where z is taken. The true value is missed where a posterior is narrower than the
            grid's step or lies outside of its reach: compare two grids.

    Raises:
        ValueError: no images.
    """
    if len(x) == 0:
        raise ValueError("there are no images to take the evidence of")
    z, total = grid.codes(), np.full(len(x), -np.inf)
    for i in range(0, len(z), POINTS_AT_A_TIME):
        part = z[i : i + POINTS_AT_A_TIME]
        prior = grid.log_prior(part)
        for j in range(0, len(x), IMAGES_AT_A_TIME):
            some = slice(j, j + IMAGES_AT_A_TIME)
            mass = tf.reduce_logsumexp(log_likelihood(x[some], part) + prior, axis=1)
            total[some] = np.logaddexp(total[some], mass.numpy())
    return total


def log_joint(log_likelihood, x, grid: Grid) -> np.ndarray:
    """ln p(x, z) plus the logarithm of a cell's area, on the grid, shape (n, points, points), float32.

    Its sum in the exponent is p(x), and divided by that it is the posterior p(z|x), cell by cell.
    Takes 4 · points² bytes an image. The arguments are those of `log_evidence`.
    """
    z = grid.codes()
    parts = []
    for i in range(0, len(z), POINTS_AT_A_TIME):
        part = z[i : i + POINTS_AT_A_TIME]
        parts.append(np.asarray(log_likelihood(x, part)) + grid.log_prior(part))
    return np.concatenate(parts, axis=1).reshape(len(x), grid.points, grid.points)


def posterior(joint) -> np.ndarray:
    """p(z|x) on the grid, one probability a cell, from `log_joint`, shape (n, points, points)."""
    return np.exp(joint - log_sum(joint)[:, None, None])


def log_sum(joint) -> np.ndarray:
    """ln p(x) of each image from its `log_joint`, shape (n,), float64."""
    flat = joint.reshape(len(joint), -1)
    most = flat.max(axis=1)
    return most + np.log(np.sum(np.exp(flat - most[:, None]), axis=1, dtype="float64"))


def gaussian_on(axis, mean, log_std):
    """N(mean, exp(log_std)²) on the axis as probabilities that add up to 1, shape (points,)."""
    exponent = -0.5 * np.square((axis - mean) / np.exp(log_std))
    weights = np.exp(exponent - exponent.max())
    return weights / weights.sum()


def grid_elbo(joint, grid: Grid, z_mean, z_log_var) -> np.ndarray:
    """ELBO of Gaussians q(z|x) with diagonal covariance, as a sum over the grid, in nats, shape (n,).

    q is a distribution over the grid's cells here, so that its ELBO is never above the grid's
    ln p(x), and equals it where q is the posterior.

    Args:
        joint: `log_joint` of n images. z_mean, z_log_var: shape (n, 2).
    """
    log_std = 0.5 * np.asarray(z_log_var, "float64")
    each = zip(joint, np.asarray(z_mean, "float64"), log_std, strict=True)
    return np.array([-loss_and_slope(np.r_[mean, std], f, grid.axis)[0] for f, mean, std in each])


def loss_and_slope(theta, f, axis):
    """−ELBO on the grid of q = N(θ₁, e^2θ₃) N(θ₂, e^2θ₄), and its gradient with respect to θ.

    `f` is one image's `log_joint`, (points, points). The two factors make Σ_ij q_i q_j f_ij two
    products of a matrix with a vector.
    """
    q = [gaussian_on(axis, theta[d], theta[d + 2]) for d in (0, 1)]
    along = [f @ q[1], q[0] @ f]  # what each value of z₁, of z₂, gets on average over the other
    log_q = [np.log(np.maximum(factor, 1e-300)) for factor in q]
    loss = sum(factor @ log_factor for factor, log_factor in zip(q, log_q, strict=True)) - q[0] @ along[0]
    slope = np.zeros(4)
    for d in (0, 1):
        away = (axis - theta[d]) / np.exp(theta[d + 2])
        gain = q[d] * (log_q[d] - along[d])
        for k, score in ((d, away / np.exp(theta[d + 2])), (d + 2, np.square(away))):
            slope[k] = gain @ (score - q[d] @ score)  # the gradient of ln q, with the sum kept at 1
    return loss, slope


def best_gaussians(joint, grid: Grid, z_mean, z_log_var):
    """For each image the Gaussian with diagonal covariance whose ELBO is highest.

    Each is fitted by L-BFGS from two starts, the given one and one at the posterior's highest
    point, and the better one is taken: another optimum may be better still.

    Args:
        joint: `log_joint` of n images. z_mean, z_log_var: where to start, e.g. the encoder's.

    Returns:
        z_mean, z_log_var, each (n, 2), float64.
    """
    least, most = np.log(0.5 * grid.step), np.log(grid.reach)  # narrower than that the grid cannot tell
    bounds = [(-grid.reach, grid.reach)] * 2 + [(least, most)] * 2
    found = []
    for f, mean, log_var in zip(joint, z_mean, z_log_var, strict=True):
        mode = grid.axis[list(np.unravel_index(np.argmax(f), f.shape))]
        starts = [np.r_[np.asarray(point, "float64"), 0.5 * np.asarray(log_var)] for point in (mean, mode)]
        runs = [
            minimize(loss_and_slope, start, (f, grid.axis), "L-BFGS-B", jac=True, bounds=bounds)
            for start in starts
        ]
        found.append(min(runs, key=lambda run: run.fun).x)
    found = np.array(found)
    return found[:, :2], 2 * found[:, 2:]


@dataclass(frozen=True)
class Gaps:
    """What the bound loses, in nats an image, arrays of shape (n,).

    log_evidence − elbo = approximation + amortisation = KL(q(z|x) ‖ p(z|x)).
    """

    log_evidence: np.ndarray
    elbo: np.ndarray
    best_elbo: np.ndarray

    @property
    def approximation(self) -> np.ndarray:
        """What no Gaussian with diagonal covariance could regain: ln p(x) minus the best one's ELBO."""
        return self.log_evidence - self.best_elbo

    @property
    def amortisation(self) -> np.ndarray:
        """What the encoder loses since one network serves all images: best ELBO minus its own."""
        return self.best_elbo - self.elbo


def inference_gaps(log_likelihood, x, z_mean, z_log_var, grid: Grid, images_at_a_time=20) -> Gaps:
    """Split the gap between ln p(x) and the ELBO of q = N(z_mean, exp(z_log_var)) for each image.

    The first three arguments are those of `log_evidence` and `grid_elbo`; `images_at_a_time`
    bounds the memory.
    """
    z_mean, z_log_var, parts = np.asarray(z_mean), np.asarray(z_log_var), []
    for i in range(0, len(x), images_at_a_time):
        some = slice(i, i + images_at_a_time)
        joint, q = log_joint(log_likelihood, x[some], grid), (z_mean[some], z_log_var[some])
        best = best_gaussians(joint, grid, *q)
        parts.append((log_sum(joint), grid_elbo(joint, grid, *q), grid_elbo(joint, grid, *best)))
    return Gaps(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
