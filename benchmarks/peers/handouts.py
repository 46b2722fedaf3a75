"""The handouts' own loops: Lab 1's VAE and TensorFlow's DCGAN tutorial, as they are printed."""

from __future__ import annotations

import sys

import keras
import tensorflow as tf
from keras import layers

from benchmarks.peers import timing


def lab1(x, batch):
    """Lab 1: a `tf.function` step, a shuffled dataset, a Python loop over batches."""
    inputs = keras.Input((28, 28, 1))
    h = layers.Dense(256, activation="relu")(layers.Flatten()(inputs))
    encoder = keras.Model(inputs, [layers.Dense(2)(h), layers.Dense(2)(h)])
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(256, "relu"),
            layers.Dense(784, "sigmoid"),
            layers.Reshape((28, 28, 1)),
        ]
    )
    optimizer = keras.optimizers.Adam()
    weights = encoder.trainable_variables + decoder.trainable_variables

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            z_mean, z_log_var = encoder(x)
            z = z_mean + tf.exp(0.5 * z_log_var) * tf.random.normal(tf.shape(z_mean))
            pixels = keras.losses.binary_crossentropy(x, decoder(z))
            kl = -0.5 * tf.reduce_sum(1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var))
            loss = tf.reduce_mean(tf.reduce_sum(pixels, axis=(1, 2))) + kl
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    dataset = tf.data.Dataset.from_tensor_slices(x).shuffle(60_000).batch(batch)

    def epoch():
        for images in dataset:
            loss = step(images)
        return loss

    return epoch


def tutorial(x, batch):
    """The DCGAN tutorial: both networks learn from one pass and the same fakes."""
    generator = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(7 * 7 * 256, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, 1, "same", use_bias=False), layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(64, 5, 2, "same", use_bias=False), layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(1, 5, 2, "same", use_bias=False, activation="tanh"),
        ]
    )  # fmt: skip
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 5, 2, "same"), layers.LeakyReLU(), layers.Dropout(0.3),
            layers.Conv2D(128, 5, 2, "same"), layers.LeakyReLU(), layers.Dropout(0.3),
            layers.Flatten(), layers.Dense(1),
        ]
    )  # fmt: skip
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    g_optimizer, d_optimizer = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)

    @tf.function
    def step(images):
        noise = tf.random.normal([batch, 100])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fakes = generator(noise, training=True)
            real, fake = discriminator(images, training=True), discriminator(fakes, training=True)
            g_loss = entropy(tf.ones_like(fake), fake)
            d_loss = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
        g_gradients = g_tape.gradient(g_loss, generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, discriminator.trainable_variables)
        g_optimizer.apply_gradients(zip(g_gradients, generator.trainable_variables, strict=True))
        d_optimizer.apply_gradients(zip(d_gradients, discriminator.trainable_variables, strict=True))
        return d_loss

    dataset = tf.data.Dataset.from_tensor_slices(2 * x - 1).shuffle(60_000).batch(batch)

    def epoch():
        for images in dataset:
            loss = step(images)
        return loss

    return epoch


if __name__ == "__main__":
    work, share = sys.argv[2], float(sys.argv[3])
    timing.run({"dense_vae": lab1, "dcgan": tutorial}[work](*timing.images(work, share)))
