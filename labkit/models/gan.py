"""The generative adversarial network: two networks, two optimizers, a choice of losses.

Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014.
"""

from __future__ import annotations

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from labkit.losses import GAN_LOSSES, LOGIT_LOSSES, sum_per_image
from labkit.models.averaging import AveragedGenerator
from labkit.parameters import did_you_mean


class GAN(keras.Model):
    """Generator and discriminator trained against each other on images in [0, 1].

    Inside, the discriminator sees pixels in [-1, 1]; images are rescaled on the way in
    and, by `generate`, on the way out.

    Args:
        generator: (batch, latent_dim) → images (batch, *image), see `output`.
        discriminator: images (batch, *image) in [-1, 1] → logits or scores (batch, 1).
        loss: "non_saturating", "minimax", "least_squares", "hinge" or "wasserstein"; see
            `labkit.losses`.
        output: what the generator ends in: "tanh", or "logits" of pixels, as a VAE's
            decoder does.
        label_smoothing: s in [0, 1): the target of real images is 1 − s.
        gradient_penalty: weight λ of `gradient_penalty` in the discriminator's loss.
        d_steps: steps of the discriminator for each of the generator, on the same images.
        ema_decay: of the moving average of the generator's weights, `ema_generator`, in
            [0, 1); 0 keeps none.
        seed: seed of the noise in training.

    The history holds `d_loss`, `g_loss`, the norms `d_grad_norm` and `g_grad_norm` of
    their gradients, and `d_real` and `d_fake`: the mean of D(x) and D(G(z)) as the
    discriminator's step met them, probabilities under the two cross-entropy losses and
    raw scores under the others. Validation has all of these but the norms.

    Raises:
        ValueError: shapes that do not fit, an unknown loss, a number out of its range.
    """

    def __init__(
        self, generator, discriminator, *, loss="non_saturating", output="tanh", label_smoothing=0.0,
        gradient_penalty=0.0, d_steps=1, ema_decay=0.0, seed=0, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        check_networks(generator, discriminator)
        check_settings(loss, output, label_smoothing, gradient_penalty, d_steps, ema_decay)
        self.generator, self.discriminator = generator, discriminator
        self.loss_name, self.output_kind, self.label_smoothing = loss, output, label_smoothing
        self.penalty_weight, self.d_steps, self.ema_decay = gradient_penalty, d_steps, ema_decay
        self.latent_dim = generator.input_shape[1]
        self.ema_generator = AveragedGenerator(generator, ema_decay) if ema_decay else None
        self.g_optimizer = self.d_optimizer = None
        self.seed_generator = keras.random.SeedGenerator(seed)
        names = ("d_loss", "g_loss", "d_real", "d_fake", "d_grad_norm", "g_grad_norm")
        self.trackers = {name: keras.metrics.Mean(name) for name in names}
        self.built = True  # both networks are, so that weights can be loaded before a first call

    def compile(self, g_optimizer=None, d_optimizer=None, **kwargs):
        """Set the two optimizers, by default Adam(2e-4, β₁ = 0.5) each (Radford et al. 2016).

        Raises ValueError when both are the same object: each keeps its own moments.
        """
        self.g_optimizer = g_optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.d_optimizer = d_optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5)
        if self.g_optimizer is self.d_optimizer:
            raise ValueError("g_optimizer and d_optimizer are one object; each network needs its own")
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        super().compile(optimizer=None, **kwargs)

    def train_step(self, data):
        """`d_steps` steps of the discriminator, then one of the generator."""
        x_real = to_signed(keras.utils.unpack_x_y_sample_weight(data)[0])
        for _ in range(self.d_steps):
            self.discriminator_step(x_real)
        self.generator_step(ops.shape(x_real)[0])
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def test_step(self, data):
        """Both losses, D(x) and D(G(z)) on images that neither network learns from."""
        x_real = to_signed(keras.utils.unpack_x_y_sample_weight(data)[0])
        self.discriminator_loss(x_real, self.fakes(ops.shape(x_real)[0], training=False), training=False)
        self.generator_loss(ops.shape(x_real)[0], training=False)
        return {name: tracker.result() for name, tracker in self.trackers.items() if "norm" not in name}

    def discriminator_step(self, x_real):
        """One update of the discriminator's weights, from images (batch, *image) in [-1, 1]."""
        x_fake = self.fakes(ops.shape(x_real)[0], training=True)
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(x_real, x_fake, training=True)
        self.update(self.discriminator, self.d_optimizer, tape, loss, "d_grad_norm")

    def generator_step(self, n):
        """One update of the generator's weights and their average, from `n` fakes.

        The discriminator judges as it does in its own step; what that changes in it
        (statistics of batch normalisation, spectral norms) is put back.
        """
        before = [ops.copy(weight) for weight in self.discriminator.weights]
        with tf.GradientTape() as tape:
            loss = self.generator_loss(n, training=True)
        self.update(self.generator, self.g_optimizer, tape, loss, "g_grad_norm")
        for weight, value in zip(self.discriminator.weights, before, strict=True):
            weight.assign(value)
        if self.ema_generator is not None:
            self.ema_generator.follow(self.generator, self.g_optimizer.iterations)

    def discriminator_loss(self, x_real, x_fake, training):
        """Mean loss of the discriminator on images in [-1, 1], the penalty included."""
        real = self.discriminator(x_real, training=training)
        fake = self.discriminator(x_fake, training=training)  # apart, so BN never mixes the two
        smoothing = {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
        loss = ops.mean(GAN_LOSSES[self.loss_name][0](real, fake, **smoothing))
        if self.penalty_weight:
            epsilon = keras.random.uniform((ops.shape(x_real)[0], 1), seed=self.seed_generator)
            loss += self.penalty_weight * ops.mean(
                gradient_penalty(lambda x: self.discriminator(x, training=training), x_real, x_fake, epsilon)
            )
        if self.loss_name in LOGIT_LOSSES:
            real, fake = ops.sigmoid(real), ops.sigmoid(fake)
        for name, value in (("d_loss", loss), ("d_real", real), ("d_fake", fake)):
            self.track(name, ops.mean(value), ops.shape(x_real)[0])
        return loss

    def generator_loss(self, n, training):
        """Mean loss of the generator on `n` fresh fakes."""
        logits = self.discriminator(self.fakes(n, training=training), training=training)
        loss = ops.mean(GAN_LOSSES[self.loss_name][1](logits))
        self.track("g_loss", loss, n)
        return loss

    def fakes(self, n, training):
        """`n` images in [-1, 1], shape (n, *image), from fresh noise."""
        z = keras.random.normal((n, self.latent_dim), seed=self.seed_generator)
        return self(z, training=training)

    def call(self, z, training=False):
        """Images in [-1, 1], shape (batch, *image), for noise `z` (batch, latent_dim)."""
        return self.signed(self.generator(z, training=training))

    def signed(self, x):
        """What the generator puts out as pixels in [-1, 1]; 2 sigmoid(l) − 1 is tanh(l / 2)."""
        return ops.tanh(0.5 * x) if self.output_kind == "logits" else x

    def update(self, network, optimizer, tape, loss, norm_name):
        """Apply the gradient with respect to one network's weights alone, and track its norm."""
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        self.track(norm_name, tf.linalg.global_norm(gradients), 1)

    def track(self, name, value, images):
        """Add a batch's mean to the epoch's, so that a short batch counts for what it is."""
        self.trackers[name].update_state(value, sample_weight=images)

    def generate(self, z, averaged=True):
        """Images in [0, 1], NumPy (batch, *image), for noise `z` (batch, latent_dim).

        They come from the averaged generator if there is one, unless `averaged` is False.
        Raises ValueError for noise of another shape.
        """
        z = np.asarray(z, dtype="float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z has shape {z.shape}; (batch, {self.latent_dim}) was expected")
        network = self.generator
        if averaged and self.ema_generator is not None:
            self.ema_generator.settle()
            network = self.ema_generator
        parts = [self.signed(network(z[i : i + 500], training=False)) for i in range(0, len(z), 500)]
        return 0.5 + 0.5 * np.concatenate([ops.convert_to_numpy(part) for part in parts])

    def sample(self, n, seed=0, averaged=True):
        """`n` images in [0, 1], NumPy (n, *image), from standard normal noise; see `generate`."""
        return self.generate(keras.random.normal((n, self.latent_dim), seed=seed), averaged)

    def check_data(self, x):
        """Raise ValueError unless `x` holds images in [0, 1] of the discriminator's shape."""
        shape = self.discriminator.input_shape[1:]
        if np.shape(x)[1:] != shape:
            raise ValueError(f"images have shape {np.shape(x)[1:]}; the discriminator takes {shape}")
        if np.min(x) < 0 or np.max(x) > 1:
            raise ValueError(f"images lie in [{np.min(x):.3g}, {np.max(x):.3g}]; a GAN takes them in [0, 1]")


def to_signed(x):
    """Images in [0, 1] as images in [-1, 1]."""
    return 2.0 * x - 1.0


def gradient_penalty(discriminator, x_real, x_fake, epsilon):
    """(‖∇D(x)‖₂ − 1)² per image at x = ε x_real + (1 − ε) x_fake, shape (batch,).

    Args:
        discriminator: function of images (batch, *image) → scores (batch, 1).
        x_real, x_fake: images, same shape.
        epsilon: where between them, uniform in [0, 1], shape (batch, 1).

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017.
    """
    epsilon = ops.reshape(epsilon, (-1,) + (1,) * (len(x_real.shape) - 1))
    x = epsilon * x_real + (1.0 - epsilon) * x_fake
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = discriminator(x)
    slopes = tape.gradient(scores, x)
    # The root of exactly 0 has no gradient, and one NaN would end the run.
    return ops.square(ops.sqrt(sum_per_image(ops.square(slopes)) + 1e-12) - 1.0)


def check_networks(generator, discriminator):
    """Raise ValueError, naming both shapes, unless the two networks fit each other."""
    made, taken = generator.output_shape[1:], discriminator.input_shape[1:]
    if made != taken:
        raise ValueError(f"the generator makes images of shape {made}; the discriminator takes {taken}")
    if len(generator.input_shape) != 2:
        raise ValueError(f"the generator takes {generator.input_shape}; (batch, latent_dim) was expected")
    if math.prod(discriminator.output_shape[1:]) != 1:
        raise ValueError(f"the discriminator puts out {discriminator.output_shape}; one logit was expected")
    if getattr(discriminator.layers[-1], "activation", None) is keras.activations.sigmoid:
        raise ValueError("the discriminator ends in a sigmoid; the losses take logits, so leave it out")


def check_settings(loss, output, label_smoothing, gradient_penalty, d_steps, ema_decay):
    """Raise ValueError for the first setting that does not exist or is out of its range."""
    if loss not in GAN_LOSSES:
        raise ValueError(f"no GAN loss {loss!r}{did_you_mean(str(loss), GAN_LOSSES)}")
    if output not in ("tanh", "logits"):
        raise ValueError(f"output is {output!r}; 'tanh' or 'logits' was expected")
    for name, value in (("label_smoothing", label_smoothing), ("ema_decay", ema_decay)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}; a number in [0, 1) was expected")
    if label_smoothing and "label_smoothing" not in inspect.signature(GAN_LOSSES[loss][0]).parameters:
        raise ValueError(
            f"label_smoothing is {label_smoothing}, but the loss {loss!r} has no target to smooth"
        )
    if not gradient_penalty >= 0:
        raise ValueError(f"gradient_penalty is {gradient_penalty}; its weight must be at least 0")
    if isinstance(d_steps, bool) or not isinstance(d_steps, int) or d_steps < 1:
        raise ValueError(f"d_steps is {d_steps!r}; a whole number of at least 1 was expected")
