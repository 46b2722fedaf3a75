"""Encoders and decoders made of fully connected layers. Shapes in comments are those of the defaults."""

from __future__ import annotations

import math

import keras
from keras import layers

from labkit.models.initializers import initializers, logit_bias
from labkit.models.parts import check_sizes, encoder_model, indexed


def dense_encoder(
    hidden=(256,), latent_dim=2, *, gaussian=True, image_shape=(28, 28, 1), initializer="he", seed=0
):
    """Build an encoder: image → hidden ReLU layers → code.

    Args:
        hidden: units of each hidden layer, from the image on.
        latent_dim: length D of the code, at least 1.
        gaussian: True gives two heads, `z_mean` and `z_log_var`, for a VAE; False one
            head, `z`, for a plain autoencoder.
        image_shape: (height, width, channels) of the images in [0, 1].
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, *image_shape) to [(batch, D), (batch, D)] or (batch, D).

    Raises:
        ValueError: a size is not a positive whole number.
    """
    check_sizes(latent_dim=latent_dim, **indexed("hidden", hidden))
    relu, linear, log_var = initializers(initializer, seed)
    x = keras.Input(image_shape, name="x")  # 28×28×1
    h = layers.Flatten(name="flatten")(x)  # 784
    h = hidden_layers(h, hidden, relu)  # 256

    def head(name, initializer):
        return layers.Dense(latent_dim, kernel_initializer=initializer, name=name)(h)  # 2

    return encoder_model(x, head, gaussian, linear, log_var)


def dense_decoder(
    hidden=(256,), latent_dim=2, *, image_shape=(28, 28, 1), mean_image=None, initializer="he", seed=0
):
    """Build a decoder: code → hidden ReLU layers → logits of the pixels.

    Args:
        hidden: units of each hidden layer, from the code on.
        latent_dim: length D of the code, at least 1.
        image_shape: (height, width, channels) of the image.
        mean_image: mean of the training images in [0, 1], of `image_shape`; its logits
            become the output's initial bias, so that training starts from the mean image
            and not from grey. None starts from grey.
        initializer: "he", or "glorot" for Keras's defaults.
        seed: seed of the initial weights.

    Returns:
        keras.Model from (batch, D) to logits (batch, *image_shape); a sigmoid gives pixels.

    Raises:
        ValueError: a size is not a positive whole number, or `mean_image` does not fit.
    """
    check_sizes(latent_dim=latent_dim, **indexed("hidden", hidden))
    relu, linear, _ = initializers(initializer, seed + 1)
    z = keras.Input((latent_dim,), name="z")  # 2
    h = hidden_layers(z, hidden, relu)  # 256
    logits = pixel_logits(h, image_shape, mean_image, linear)  # 28×28×1
    return keras.Model(z, logits, name="decoder")


def conditional_decoder(
    hidden, latent_dim, n_classes=10, *, image_shape=(28, 28, 1), mean_image=None, initializer="he", seed=0
):
    """Build a decoder whose every layer is told the class: the one-hot label joins each layer's input.

    The arguments and errors are those of `dense_decoder`, and `n_classes` labels.

    Returns:
        keras.Model from code and one-hot label (batch, D + n_classes) to logits (batch, *image_shape).
    """
    check_sizes(latent_dim=latent_dim, n_classes=n_classes, **indexed("hidden", hidden))
    relu, linear, _ = initializers(initializer, seed + 1)
    joined = keras.Input((latent_dim + n_classes,), name="z_and_label")  # 25
    label = LabelOf(n_classes, name="label")(joined)  # 10
    h = joined
    for i, units in enumerate(hidden, start=1):
        h = layers.Dense(units, activation="relu", kernel_initializer=relu(), name=f"hidden_{i}")(h)  # 400
        h = layers.Concatenate(name=f"with_label_{i}")([h, label])  # 410
    logits = pixel_logits(h, image_shape, mean_image, linear)  # 28×28×1
    return keras.Model(joined, logits, name="decoder")


class LabelOf(layers.Layer):
    """The one-hot label at the end of what it was joined to: (batch, n + n_classes) → (batch, n_classes).

    A layer with a name and not a slice, which Keras numbers anew for each model: equal networks
    have to look equal, so that they share compiled steps.
    """

    def __init__(self, n_classes, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes

    def call(self, joined):
        """The last `n_classes` columns."""
        return joined[:, -self.n_classes :]

    def get_config(self):
        """How many classes there are."""
        return {**super().get_config(), "n_classes": self.n_classes}


def pixel_logits(h, image_shape, mean_image, initializer):
    """Append the layer that makes logits (batch, *image_shape) of the tensor `h`, shape (batch, n)."""
    bias = "zeros" if mean_image is None else logit_bias(mean_image, image_shape)
    pixels = layers.Dense(
        math.prod(image_shape), kernel_initializer=initializer(), bias_initializer=bias, name="pixel_logits"
    )
    return layers.Reshape(image_shape, name="logits")(pixels(h))


def hidden_layers(h, hidden, initializer):
    """Append one ReLU layer for each entry of `hidden` to the tensor `h`, shape (batch, n)."""
    for i, units in enumerate(hidden, start=1):
        h = layers.Dense(units, activation="relu", kernel_initializer=initializer(), name=f"hidden_{i}")(h)
    return h
