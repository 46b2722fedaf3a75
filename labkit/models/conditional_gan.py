"""The conditional GAN: a GAN whose two networks are told the class of each image.

Mirza & Osindero, "Conditional Generative Adversarial Nets", 2014.
"""

from __future__ import annotations

import math

import keras
from keras import ops

from labkit.images import check_images
from labkit.models.arrays import check_labels, join_labels
from labkit.models.gan import GAN, check_ends, squared_slope, to_signed


class ConditionalGAN(GAN):
    """GAN that is trained on pairs, `fit(gan, (x, labels), …)`, and draws the class asked for.

    The label is joined one-hot to what each network takes. In training the classes of fakes are
    drawn at random, all equally often. The history is that of `GAN`.

    Args:
        generator: noise and label (batch, latent_dim + n_classes) → images (batch, *image).
        discriminator: flattened image in [-1, 1] and label (batch, pixels + n_classes) → logits
            (batch, 1), such as `conv_discriminator(n_classes=10)`. Labels are the integers
            0 … n_classes − 1.
        settings: the further arguments of `GAN`. R1 takes the slope with respect to the pixels
            alone. There is no gradient penalty: its points between real and fake images would
            have no class.

    Raises:
        ValueError: networks that have no room for the label; a gradient penalty.
    """

    def __init__(self, generator, discriminator, **settings):
        super().__init__(generator, discriminator, **settings)
        self.image_shape = generator.output_shape[1:]
        self.n_classes = room_for_label(generator, discriminator)
        self.latent_dim = generator.input_shape[1] - self.n_classes
        if self.penalty_weight:
            raise ValueError("gradient_penalty is not for a conditional GAN; leave it at 0")

    @staticmethod
    def check_networks(generator, discriminator):
        """Raise ValueError unless both networks have room for a label beside noise and image."""
        check_ends(generator, discriminator)
        n_classes = room_for_label(generator, discriminator)
        if n_classes < 1 or generator.input_shape[1] <= n_classes:
            raise ValueError(
                f"the generator makes images of shape {generator.output_shape[1:]} from "
                f"{generator.input_shape[1:]}; the discriminator takes {discriminator.input_shape[1:]}. "
                "Flattened pixels and a one-hot label were expected, and a generator that takes more "
                "than the label"
            )

    def settings(self):
        """What a training step depends on beside layers and variables."""
        return {**super().settings(), "n_classes": self.n_classes}

    def reals(self, data):
        """Images in [-1, 1] and labels of a batch, joined: (batch, pixels + n_classes)."""
        x, labels = keras.utils.unpack_x_y_sample_weight(data)[0]
        return join_labels(to_signed(x), labels, self.n_classes)

    def fakes(self, n, training):
        """`n` fakes of random classes joined with these, (n, pixels + n_classes)."""
        z = keras.random.normal((n, self.latent_dim), seed=self.seed_generator)
        labels = keras.random.randint((n,), 0, self.n_classes, seed=self.seed_generator)
        x = self(join_labels(z, labels, self.n_classes), training=training)
        return join_labels(x, labels, self.n_classes)

    def slopes(self, x_real, training):
        """`squared_slope` at images joined with labels (batch, pixels + n_classes); labels stand still."""
        x, labels = x_real[:, : -self.n_classes], x_real[:, -self.n_classes :]
        return squared_slope(
            lambda x: self.discriminator(ops.concatenate([x, labels], axis=1), training=training), x
        )

    def generate(self, z, labels, averaged=True):
        """Images in [0, 1], NumPy (batch, *image), for noise (batch, latent_dim) and labels (batch,).

        They come from the averaged generator if there is one, unless `averaged` is False.
        Raises ValueError for noise of another shape and labels out of range.
        """
        check_labels(labels, len(z), self.n_classes)
        return self.draw(join_labels(self.check_noise(z), labels, self.n_classes), averaged)

    def sample(self, labels, seed=0, averaged=True):
        """An image of each class asked for, NumPy (n, *image), from standard normal noise."""
        z = keras.random.normal((len(labels), self.latent_dim), seed=seed)
        return self.generate(ops.convert_to_numpy(z), labels, averaged)

    def typical_inputs(self, n):
        """`n` rows of what the generator takes in training, always the same ones."""
        return join_labels(super().typical_inputs(n), ops.arange(n) % self.n_classes, self.n_classes)

    def check_data(self, data):
        """Raise ValueError unless `data` is a pair of images in [0, 1] and as many labels in range."""
        if not isinstance(data, tuple) or len(data) != 2:
            raise ValueError("a conditional GAN takes a pair (images, labels)")
        check_images(data[0], self.image_shape)
        check_labels(data[1], len(data[0]), self.n_classes)


def room_for_label(generator, discriminator):
    """How many classes a discriminator of flattened images has room for, beside the pixels."""
    taken = discriminator.input_shape[1:]
    return taken[0] - math.prod(generator.output_shape[1:]) if len(taken) == 1 else 0
