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


def dynamic_binarization(x, seed):
    """Black and white images whose pixels are white with the probability of their grey.

    A `transform` for `fit`: with it every image is drawn anew in every epoch, which is called
    dynamic binarization (Salakhutdinov & Murray, "On the Quantitative Analysis of Deep Belief
    Networks", ICML 2008). `x` lies in [0, 1] and has any shape; `seed` holds two integers.
    """
    return tf.cast(tf.random.stateless_uniform(tf.shape(x), seed) < x, x.dtype)


def training_batches(x, batch_size, seed, first_epoch, epochs, transform=None):
    """Dataset of batches, each epoch in its own order, by shuffled indices; see `training_chunks`."""
    chunks = training_chunks(x, batch_size, seed, first_epoch, epochs, 1, transform)
    return chunks.map(lambda batches, count: keras.tree.map_structure(lambda a: a[0], batches))


def training_chunks(x, batch_size, seed, first_epoch, epochs, size, transform=None):
    """Dataset of (`size` batches, how many of them count), each epoch in its own order.

    One gather from memory by shuffled indices is far cheaper than a shuffle buffer of images.
    What `transform` makes of a batch depends on (seed, epoch, step) and on nothing before it, so
    that a resumed run meets the same batches. All chunks have one shape, (size, batch, …), so
    that nothing is compiled twice: the last of an epoch is filled up with what does not count.
    """
    images = keras.tree.map_structure(tf.constant, x)
    fold_in = tf.random.experimental.stateless_fold_in
    steps = rows_of(x) // batch_size

    def epoch_chunks(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(rows_of(x)), seed=[seed, epoch])
        order = tf.reshape(order[: steps * batch_size], (steps, batch_size))
        order = tf.pad(order, ((0, -steps % size), (0, 0)))
        first = tf.range(0, steps, size)
        chunks = (tf.reshape(order, (-1, size, batch_size)), first, tf.fill(tf.shape(first), epoch))
        return tf.data.Dataset.from_tensor_slices(chunks)

    def gather(order, first, epoch):
        batches = keras.tree.map_structure(lambda array: tf.gather(array, order), images)
        if transform is not None:
            own = tf.map_fn(lambda step: fold_in([seed, epoch], step), first + tf.range(size))
            shapes = like(batches)
            batches = tf.map_fn(lambda both: transform(*both), (batches, own), fn_output_signature=shapes)
        return as_model_input(batches), tf.minimum(size, steps - first)

    indices = tf.data.Dataset.range(first_epoch, epochs, output_type=tf.int32).flat_map(epoch_chunks)
    return indices.map(gather).prefetch(1)


def like(batches):
    """What one step's batch looks like, from the batches of several."""
    return keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape[1:], a.dtype), batches)


def whole_batches(x, most=1000):
    """All of `x` in order as a list, in equal batches of at most `most` where they divide."""
    n = rows_of(x)
    size = largest_divisor(n, most)
    size = size if size >= min(n, 100) else min(n, most)
    return [as_model_input(rows(x, i, i + size)) for i in range(0, n, size)]


def rows(x, start, stop):
    """Rows from `start` to before `stop` of an array, or of each array of a tuple, as tensors."""
    return keras.tree.map_structure(lambda array: tf.constant(array[start:stop]), x)


def largest_divisor(n, most):
    """Largest divisor of `n` that is at most `most`."""
    return next(d for d in range(min(n, most), 0, -1) if n % d == 0)
