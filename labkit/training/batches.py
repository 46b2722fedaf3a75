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


def binarised(x, seed):
    """Black and white images whose pixels are white with the probability of their grey.

    A `transform` for `fit`: with it every image is drawn anew in every epoch, which is called
    dynamic binarisation (Salakhutdinov & Murray, "On the Quantitative Analysis of Deep Belief
    Networks", ICML 2008). `x` lies in [0, 1] and has any shape; `seed` holds two integers.
    """
    return tf.cast(tf.random.stateless_uniform(tf.shape(x), seed) < x, x.dtype)


def training_batches(x, batch_size, seed, first_epoch, epochs, transform=None):
    """Dataset of batches, each epoch in its own order, by shuffled indices.

    One gather a batch from memory is far cheaper than a shuffle buffer of images. What
    `transform` makes of a batch depends on (seed, epoch, step) and on nothing before it, so
    that a resumed run meets the same batches.
    """
    images = keras.tree.map_structure(tf.constant, x)
    fold_in = tf.random.experimental.stateless_fold_in
    steps = rows_of(x) // batch_size

    def epoch_batches(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(rows_of(x)), seed=[seed, epoch])
        rows = tf.reshape(order[: steps * batch_size], (steps, batch_size))
        own = tf.data.Dataset.range(steps).map(lambda step: fold_in([seed, epoch], step))
        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(rows), own)

    def gather(rows, own_seed):
        batch = keras.tree.map_structure(lambda array: tf.gather(array, rows), images)
        return as_model_input(batch if transform is None else transform(batch, own_seed))

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
