"""Losses as pure functions of tensors, one value an image.

Sums run over pixels and latents; the mean over images is taken by the caller. Likelihoods
and KLs are in nats (Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014). A
likelihood names what it takes: `bernoulli_nll(x, logits)`, but `gaussian_nll(x, x_hat)` of
pixels, which `from_logits` makes one of logits, as models and metrics expect it. Losses of
GANs come in pairs, discriminator and generator, of the discriminator's raw outputs:
real = 1, fake = 0, both (batch,) or (batch, 1) and of equal length.
"""

from __future__ import annotations

import inspect
import math

from keras import ops

SMALL_LOGIT = 0.1  # below it a series is right to 1e-6, where differences of large numbers are not


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


def continuous_bernoulli_nll(x, logits):
    """Negative log-likelihood of grey pixels `x` under independent continuous Bernoulli pixels.

    The density of a pixel is C(λ) λ^x (1 − λ)^(1 − x) on [0, 1] with λ = sigmoid(logit). It is
    `bernoulli_nll` less ln C(λ), the constant without which the cross-entropy of grey pixels is no
    likelihood. A density may exceed 1, so the result may be negative. The mean of such a pixel is
    not λ but `continuous_bernoulli_mean`.

    Args:
        x: images in [0, 1], shape (batch, ...).
        logits: log-odds of λ, same shape.

    Returns:
        Nats per image, summed over pixels, shape (batch,).

    Source: Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders", NeurIPS 2019.
    """
    return bernoulli_nll(x, logits) - sum_per_image(log_normalizer(logits))


def log_normalizer(logits):
    """ln C(λ) of the continuous Bernoulli, C = l / tanh(½ l) at logit l, any shape; ln 2 at 0."""
    size = ops.abs(logits)  # C is even
    small = size < SMALL_LOGIT
    safe = ops.where(small, 1.0, size)  # the branch that is not taken must have a gradient, too
    return ops.where(small, math.log(2.0) + ops.square(size) / 12.0, ops.log(safe / ops.tanh(0.5 * safe)))


def continuous_bernoulli_mean(logits):
    """Mean of a continuous Bernoulli pixel, in (0, 1), any shape: 1 / (1 − e^−l) − 1/l at logit l."""
    small = ops.abs(logits) < SMALL_LOGIT
    safe = ops.where(small, 1.0, logits)
    return ops.where(small, 0.5 + logits / 12.0, 0.5 + 0.5 / ops.tanh(0.5 * safe) - 1.0 / safe)


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


def calibrated_gaussian_nll(x, x_hat):
    """`gaussian_nll` with the variance that makes the batch most likely: its mean squared error.

    Args:
        x, x_hat: images of any range, same shape (batch, ...), not all equal.

    Returns:
        Nats per image, shape (batch,). Their mean is ½ n ln(2πe v) for n pixels and the mean
        squared error v, through which gradients flow.

    Source: Rybkin, Daniilidis & Levine, "Simple and Effective VAE Training with Calibrated
    Decoders", ICML 2021.
    """
    squared = ops.square(x - x_hat)
    variance = ops.mean(squared)
    return sum_per_image(squared / (2.0 * variance) + 0.5 * ops.log(2.0 * math.pi * variance))


def squared_error(x, x_hat):
    """‖x − x̂‖² per image, summed over pixels, shape (batch,).

    `gaussian_nll` with variance ½ is this and ½ ln π a pixel.
    """
    return sum_per_image(ops.square(x - x_hat))


def from_logits(nll, **settings):
    """The likelihood of logits that a likelihood of pixels gives with x̂ = sigmoid(logits).

    A decoder makes logits, so this is what goes into `VAE(…, nll=…)`:
    `from_logits(gaussian_nll, variance=0.5)`.

    Args:
        nll: function of (x, x_hat), such as `gaussian_nll` or `squared_error`.
        settings: its further arguments.

    Raises:
        ValueError: `nll` takes logits already.
    """
    if second_argument(nll) == "logits":
        raise ValueError(f"{name_of(nll)} takes logits already; use it as it is")

    def of_logits(x, logits):
        return nll(x, ops.sigmoid(logits), **settings)

    said = "".join(f", {name}={value}" for name, value in settings.items())
    of_logits.__qualname__ = f"from_logits({name_of(nll)}{said})"  # tells two variances apart
    return of_logits


def check_takes_logits(nll):
    """Raise ValueError unless the likelihood's second argument is called `logits`."""
    if (argument := second_argument(nll)) != "logits":
        raise ValueError(
            f"nll is {name_of(nll)}, which takes {argument}; a function of (x, logits) was expected: "
            f"from_logits({name_of(nll)}) makes it one"
        )


def second_argument(function):
    """Name of a function's second argument; "nothing" if it has one only."""
    return [*inspect.signature(function).parameters, "nothing", "nothing"][1]


def name_of(function):
    """The function's own name, without that of a module or class."""
    return getattr(function, "__name__", type(function).__name__)


def kl_divergence_per_dim(z_mean, z_log_var):
    """KL(N(z_mean, exp(z_log_var)) ‖ N(0, 1)) of each latent, in nats, shape (batch, D).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var)


def kl_divergence(z_mean, z_log_var):
    """KL(q(z|x) ‖ N(0, I)) per image, in nats, summed over latents, shape (batch,)."""
    return sum_per_image(kl_divergence_per_dim(z_mean, z_log_var))


def log_prior_ratio(z, z_log_var, epsilon):
    """ln p(z) − ln q(z|x) of draws z = z_mean + exp(½ z_log_var) epsilon, where p is N(0, I).

    Its mean over draws is −KL(q(z|x) ‖ N(0, I)).

    Args:
        z, epsilon: shape (draws, batch, D). z_log_var: shape (batch, D).

    Returns:
        Nats, summed over latents, shape (draws, batch). The (2π)^½D of both densities cancel.
    """
    return 0.5 * ops.sum(ops.square(epsilon) + z_log_var - ops.square(z), axis=-1)


def importance_weighted_bound(log_weights):
    """ln (1/k) Σ w of k importance weights w = p(x, z)/q(z|x) an image, in nats.

    Args:
        log_weights: ln w, shape (k, batch).

    Returns:
        Lower bounds on ln p(x) in expectation, shape (batch,); k = 1 gives an ELBO of one draw.

    Source: Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    """
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def sum_per_image(values):
    """Sum over all axes but the first: shape (batch, ...) → (batch,)."""
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def cross_entropy_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """Binary cross-entropy −log D(x) − log(1 − D(G(z))) with D = sigmoid, in nats, shape (batch,).

    With `label_smoothing` s the target of real images is 1 − s; that of fakes stays 0
    (one-sided: Salimans et al., "Improved Techniques for Training GANs", 2016). The best
    D for equal densities has logit 0 and costs 2 ln 2. Goodfellow et al., "Generative
    Adversarial Nets", 2014.
    """
    # −t log D − (1 − t) log(1 − D) at logit l is softplus(l) − t·l, finite for every l.
    real = ops.softplus(real_logits) - (1.0 - label_smoothing) * real_logits
    return sum_per_image(real + ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits):
    """−log D(G(z)) in nats, shape (batch,): its gradient is largest where D is sure of a fake.

    Goodfellow et al. 2014, section 3.
    """
    return sum_per_image(ops.softplus(-fake_logits))


def minimax_generator_loss(fake_logits):
    """log(1 − D(G(z))) in nats, shape (batch,): the game's own value, at most 0.

    It saturates: where D is sure of a fake its gradient vanishes. Goodfellow et al. 2014.
    """
    return sum_per_image(-ops.softplus(fake_logits))


def least_squares_discriminator_loss(real_scores, fake_scores, label_smoothing=0.0):
    """½ (D(x) − 1 + s)² + ½ D(G(z))² of raw scores, shape (batch,); s smooths the real target.

    Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017.
    """
    real = ops.square(real_scores - (1.0 - label_smoothing))
    return sum_per_image(0.5 * (real + ops.square(fake_scores)))


def least_squares_generator_loss(fake_scores):
    """½ (D(G(z)) − 1)² of raw scores, shape (batch,). Mao et al. 2017."""
    return sum_per_image(0.5 * ops.square(fake_scores - 1.0))


def hinge_discriminator_loss(real_scores, fake_scores):
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))) of raw scores, shape (batch,).

    Lim & Ye, "Geometric GAN", 2017; Miyato et al., "Spectral Normalization", ICLR 2018.
    """
    return sum_per_image(ops.relu(1.0 - real_scores) + ops.relu(1.0 + fake_scores))


def wasserstein_discriminator_loss(real_scores, fake_scores):
    """D(G(z)) − D(x) of raw scores, shape (batch,); needs a 1-Lipschitz D, by penalty or norm.

    Arjovsky et al., "Wasserstein GAN", ICML 2017.
    """
    return sum_per_image(fake_scores - real_scores)


def critic_generator_loss(fake_scores):
    """−D(G(z)) of raw scores, shape (batch,): the generator's half of hinge and Wasserstein."""
    return sum_per_image(-fake_scores)


# Name of a GAN's loss → (discriminator's, generator's). To add one, see CONTRIBUTING.md.
GAN_LOSSES = {
    "non_saturating": (cross_entropy_discriminator_loss, non_saturating_generator_loss),
    "minimax": (cross_entropy_discriminator_loss, minimax_generator_loss),
    "least_squares": (least_squares_discriminator_loss, least_squares_generator_loss),
    "hinge": (hinge_discriminator_loss, critic_generator_loss),
    "wasserstein": (wasserstein_discriminator_loss, critic_generator_loss),
}
# Those under which the discriminator's output is a logit, so that its sigmoid is a probability.
LOGIT_LOSSES = ("non_saturating", "minimax")
