"""Feeding from memory: each epoch in its own order, whole batches gathered by indices."""

from __future__ import annotations

import keras
import tensorflow as tf


def rows_of(x):
    """How many rows an array, or each array of a tuple, has."""
    return len(keras.tree.flatten(x)[0])


def as_model_input(x):
    """One array as it is; a tuple in a tuple of one, since Keras takes the second for targets."""
    return (x,) if isinstance(x, tuple) else x


def training_batches(x, batch_size, seed, first_epoch, epochs):
    """Dataset of batches, each epoch in its own order, by shuffled indices.

    One gather a batch from memory is far cheaper than a shuffle buffer of images.
    """
    images = keras.tree.map_structure(tf.constant, x)
    steps = rows_of(x) // batch_size

    def epoch_batches(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(rows_of(x)), seed=[seed, epoch])
        rows = tf.reshape(order[: steps * batch_size], (steps, batch_size))
        return tf.data.Dataset.from_tensor_slices(rows)

    def gather(rows):
        return as_model_input(keras.tree.map_structure(lambda array: tf.gather(array, rows), images))

    indices = tf.data.Dataset.range(first_epoch, epochs, output_type=tf.int32).flat_map(epoch_batches)
    return indices.map(gather).prefetch(4)


def whole_batches(x, most=1000):
    """Dataset of all of `x` in order, in equal batches of at most `most` where they divide."""
    n = rows_of(x)
    size = largest_divisor(n, most)
    size = size if size >= min(n, 100) else min(n, most)
    return tf.data.Dataset.from_tensor_slices(as_model_input(x)).batch(size)


def largest_divisor(n, most):
    """Largest divisor of `n` that is at most `most`."""
    return next(d for d in range(min(n, most), 0, -1) if n % d == 0)
