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

from labkit.images import check_images
from labkit.losses import GAN_LOSSES, LOGIT_LOSSES, sum_per_image
from labkit.models import fast_layers
from labkit.models.arrays import batched
from labkit.models.averaging import AveragedGenerator
from labkit.models.spectral import SpectralNormalization
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
        r1: weight γ of R1: γ/2 times `squared_slope` at real images, in the same loss.
        update: "alternating": the discriminator's step, then the generator's against the new
            discriminator, each with fresh fakes; "simultaneous": both from one pass and the same
            fakes, as in TensorFlow's DCGAN tutorial, which is less work.
        d_steps: steps of the discriminator for each of the generator, on the same images; 1
            where the update is simultaneous.
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
        gradient_penalty=0.0, r1=0.0, update="alternating", d_steps=1, ema_decay=0.0, seed=0, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.check_networks(generator, discriminator)
        check_settings(loss, output, label_smoothing, gradient_penalty, r1, ema_decay)
        check_update(update, d_steps)
        self.generator, self.discriminator = generator, discriminator
        self.loss_name, self.output_kind, self.label_smoothing = loss, output, label_smoothing
        self.penalty_weight, self.r1, self.ema_decay = gradient_penalty, r1, ema_decay
        self.update_kind, self.d_steps = update, d_steps
        self.latent_dim = generator.input_shape[1]
        self.ema_generator = AveragedGenerator(generator, ema_decay) if ema_decay else None
        self.run_generator = batched(generator)
        self.run_average = batched(self.ema_generator.network) if ema_decay else self.run_generator
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

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {
            "loss": self.loss_name,
            "output": self.output_kind,
            "label_smoothing": self.label_smoothing,
            "gradient_penalty": self.penalty_weight,
            "r1": self.r1,
            "update": self.update_kind,
            "d_steps": self.d_steps,
            "ema_decay": self.ema_decay,
        }

    @staticmethod
    def check_networks(generator, discriminator):
        """Raise ValueError, naming both shapes, unless the two networks fit each other."""
        made, taken = generator.output_shape[1:], discriminator.input_shape[1:]
        if made != taken:
            raise ValueError(f"the generator makes images of shape {made}; the discriminator takes {taken}")
        check_ends(generator, discriminator)

    def train_step(self, data):
        """One step of both networks: see `update`."""
        x_real = self.reals(data)
        if self.update_kind == "simultaneous":
            self.simultaneous_step(x_real)
        else:
            for _ in range(self.d_steps):
                self.discriminator_step(x_real)
            self.generator_step(ops.shape(x_real)[0])
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def test_step(self, data):
        """Both losses, D(x) and D(G(z)) on images that neither network learns from."""
        x_real = self.reals(data)
        self.discriminator_loss(x_real, self.fakes(ops.shape(x_real)[0], training=False), training=False)
        self.generator_loss(ops.shape(x_real)[0], training=False)
        return {name: tracker.result() for name, tracker in self.trackers.items() if "norm" not in name}

    def discriminator_step(self, x_real):
        """One update of the discriminator's weights, from images (batch, *image) in [-1, 1]."""
        x_fake = self.fakes(ops.shape(x_real)[0], training=True)
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(x_real, x_fake, training=True)
        gradients = tape.gradient(loss, self.discriminator.trainable_variables)
        self.move(self.discriminator, self.d_optimizer, gradients, "d_grad_norm")

    def generator_step(self, n):
        """One update of the generator's weights and their average, from `n` fakes.

        The discriminator judges as it does in its own step; what that changes in it
        (statistics of batch normalisation, spectral norms) is put back.
        """
        passed_through = self.discriminator.non_trainable_weights
        before = [ops.copy(weight) for weight in passed_through]
        with tf.GradientTape() as tape:
            loss = self.generator_loss(n, training=True)
        gradients = tape.gradient(loss, self.generator.trainable_variables)
        self.move(self.generator, self.g_optimizer, gradients, "g_grad_norm")
        for weight, value in zip(passed_through, before, strict=True):
            weight.assign(value)
        self.average()

    def simultaneous_step(self, x_real):
        """One update of both networks from the same pass over images (batch, *image) and fakes."""
        with tf.GradientTape(persistent=True) as tape:
            x_fake = self.fakes(ops.shape(x_real)[0], training=True)
            real, fake = self.discriminate(x_real, x_fake, training=True)
            d_loss = self.loss_of_discriminator(real, fake, x_real, x_fake, training=True)
            g_loss = self.loss_of_generator(fake)
        d_gradients = tape.gradient(d_loss, self.discriminator.trainable_variables)
        g_gradients = tape.gradient(g_loss, self.generator.trainable_variables)
        self.move(self.discriminator, self.d_optimizer, d_gradients, "d_grad_norm")
        self.move(self.generator, self.g_optimizer, g_gradients, "g_grad_norm")
        self.average()

    def average(self):
        """Move the generator's average, if there is one, after a step of the generator."""
        if self.ema_generator is not None:
            self.ema_generator.update_average(self.generator, self.g_optimizer.iterations)

    def discriminator_loss(self, x_real, x_fake, training):
        """Mean loss of the discriminator on images in [-1, 1], the penalty included."""
        real, fake = self.discriminate(x_real, x_fake, training)
        return self.loss_of_discriminator(real, fake, x_real, x_fake, training)

    def discriminate(self, x_real, x_fake, training):
        """The discriminator's outputs for real and for fake images, (batch, 1) each.

        In one pass, unless something in it looks at a whole batch, as batch normalisation does:
        real and fake images never share statistics.
        """
        if not one_by_one(self.discriminator):
            return tuple(self.discriminator(x, training=training) for x in (x_real, x_fake))
        both = self.discriminator(ops.concatenate([x_real, x_fake]), training=training)
        n = ops.shape(x_real)[0]
        return both[:n], both[n:]

    def loss_of_discriminator(self, real, fake, x_real, x_fake, training):
        """Mean loss for the discriminator's outputs (batch, 1) on these images, tracked."""
        smoothing = {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
        loss = ops.mean(GAN_LOSSES[self.loss_name][0](real, fake, **smoothing))
        if self.penalty_weight:
            epsilon = keras.random.uniform((ops.shape(x_real)[0], 1), seed=self.seed_generator)
            loss += self.penalty_weight * ops.mean(
                gradient_penalty(lambda x: self.discriminator(x, training=training), x_real, x_fake, epsilon)
            )
        if self.r1:
            loss += 0.5 * self.r1 * ops.mean(self.slopes(x_real, training))
        if self.loss_name in LOGIT_LOSSES:
            real, fake = ops.sigmoid(real), ops.sigmoid(fake)
        for name, value in (("d_loss", loss), ("d_real", real), ("d_fake", fake)):
            self.track(name, ops.mean(value), ops.shape(x_real)[0])
        return loss

    def slopes(self, x_real, training):
        """`squared_slope` of the discriminator at what `reals` gives, with respect to pixels, (batch,)."""
        return squared_slope(lambda x: self.discriminator(x, training=training), x_real)

    def generator_loss(self, n, training):
        """Mean loss of the generator on `n` fresh fakes."""
        return self.loss_of_generator(self.discriminator(self.fakes(n, training), training=training))

    def loss_of_generator(self, fake):
        """Mean loss for the discriminator's outputs (batch, 1) on fakes, tracked."""
        loss = ops.mean(GAN_LOSSES[self.loss_name][1](fake))
        self.track("g_loss", loss, ops.shape(fake)[0])
        return loss

    def reals(self, data):
        """What the discriminator is shown of a batch: images in [-1, 1], (batch, *image)."""
        return to_signed(keras.utils.unpack_x_y_sample_weight(data)[0])

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

    def move(self, network, optimizer, gradients, norm_name):
        """Apply the gradients with respect to one network's weights alone, and track their norm."""
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
        return self.draw(self.check_noise(z), averaged)

    def check_noise(self, z):
        """The noise as float32. Raises ValueError unless it has shape (batch, latent_dim)."""
        z = np.asarray(z, dtype="float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z has shape {z.shape}; (batch, {self.latent_dim}) was expected")
        return z

    def draw(self, inputs, averaged):
        """Images in [0, 1], NumPy (batch, *image), for what the generator takes, or its average."""
        if averaged and self.ema_generator is not None:
            self.ema_generator.refresh_batch_norm(self.typical_inputs)
        images = self.signed((self.run_average if averaged else self.run_generator)(inputs))
        return 0.5 + 0.5 * ops.convert_to_numpy(images)

    def typical_inputs(self, n):
        """`n` rows of what the generator takes in training, always the same ones."""
        return keras.random.normal((n, self.latent_dim), seed=0)

    def sample(self, n, seed=0, averaged=True):
        """`n` images in [0, 1], NumPy (n, *image), from standard normal noise; see `generate`."""
        return self.generate(keras.random.normal((n, self.latent_dim), seed=seed), averaged)

    def check_data(self, x):
        """Raise ValueError unless `x` holds images in [0, 1] of the discriminator's shape."""
        check_images(x, self.discriminator.input_shape[1:])


def to_signed(x):
    """Images in [0, 1] as images in [-1, 1]."""
    return 2.0 * x - 1.0


def one_by_one(network):
    """Whether the network surely treats each image on its own, whatever the rest of a batch is."""
    known = ("keras.", SpectralNormalization.__module__, fast_layers.__name__)
    keras_own = all(type(layer).__module__.startswith(known) for layer in network.layers)
    nested = any(isinstance(layer, keras.Model | keras.layers.BatchNormalization) for layer in network.layers)
    return keras_own and not nested


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
    # The root of exactly 0 has no gradient, and one NaN would end the run.
    return ops.square(ops.sqrt(squared_slope(discriminator, x) + 1e-12) - 1.0)


def squared_slope(discriminator, x):
    """‖∇D(x)‖² per image, shape (batch,); at real images it is what R1 keeps small.

    Args:
        discriminator: function of images (batch, *image) → scores (batch, 1).
        x: images, shape (batch, *image).

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", ICML 2018.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = discriminator(x)
    return sum_per_image(ops.square(tape.gradient(scores, x)))


def check_ends(generator, discriminator):
    """Raise ValueError unless the generator takes vectors and the discriminator ends in one logit."""
    if len(generator.input_shape) != 2:
        raise ValueError(f"the generator takes {generator.input_shape}; (batch, latent_dim) was expected")
    if math.prod(discriminator.output_shape[1:]) != 1:
        raise ValueError(f"the discriminator puts out {discriminator.output_shape}; one logit was expected")
    if getattr(discriminator.layers[-1], "activation", None) is keras.activations.sigmoid:
        raise ValueError("the discriminator ends in a sigmoid; the losses take logits, so leave it out")


def check_settings(loss, output, label_smoothing, gradient_penalty, r1, ema_decay):
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
    for name, value in (("gradient_penalty", gradient_penalty), ("r1", r1)):
        if not value >= 0:
            raise ValueError(f"{name} is {value}; its weight must be at least 0")


def check_update(update, d_steps):
    """Raise ValueError for an unknown update, or steps of the discriminator that do not fit it."""
    if update not in ("alternating", "simultaneous"):
        raise ValueError(f"update is {update!r}; 'alternating' or 'simultaneous' was expected")
    if isinstance(d_steps, bool) or not isinstance(d_steps, int) or d_steps < 1:
        raise ValueError(f"d_steps is {d_steps!r}; a whole number of at least 1 was expected")
    if update == "simultaneous" and d_steps != 1:
        raise ValueError(f"d_steps is {d_steps}; a simultaneous update takes one step of each network")
