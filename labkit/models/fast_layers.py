"""Keras's layers under their own names, with the same weights and numbers, computed in a faster way."""

from __future__ import annotations

import tensorflow as tf
from keras import layers, ops


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation by TensorFlow's kernel for the whole of it.

    Keras 3 takes the mean, the variance, the difference and the product in operations of their own,
    each of which reads the maps again, forwards and backwards. At 64×64×16 that is a quarter of a
    step; at 14×14×64 6 %, where convolutions run in bfloat16, and nothing in float32.

    Only maps (batch, height, width, channels) in float32, without a mask, go that way.
    """

    def call(self, inputs, training=None, mask=None):
        """The normalised maps, shaped as `inputs`; as Keras's layer, of any shape and type."""
        if len(inputs.shape) != 4 or inputs.dtype != tf.float32 or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        own = bool(training and self.trainable)
        none = tf.zeros([0])
        maps, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=none if own else self.moving_mean,
            variance=none if own else self.moving_variance,
            epsilon=self.epsilon,
            is_training=own,
        )
        if own:
            count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
            for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance * (1 - 1 / count))):
                kept.assign(kept * self.momentum + new * (1.0 - self.momentum))
        return maps


class Dropout(layers.Dropout):
    """Dropout that decides by random numbers of 16 bits.

    Making random numbers is most of what dropout costs, and half as many bits take half as long. The
    rate is rounded to a multiple of 2⁻¹⁶, unless that is 0 or 1; what is kept is scaled by the rounded one.
    """

    def call(self, inputs, training=False):
        """The inputs, in training with some at 0 and the others larger; as Keras's layer without a rate."""
        below = round(self.rate * 2**16)
        if not training or not 0 < below < 2**16 or self.noise_shape:
            return super().call(inputs, training=training)
        count = tf.size(inputs)
        seed = self.seed_generator.next()
        pairs = tf.random.stateless_uniform(((count + 1) // 2,), seed, None, None, tf.int32)
        numbers = tf.reshape(tf.bitcast(pairs, tf.uint16), (-1,))[:count]
        kept = tf.reshape(numbers, tf.shape(inputs)) >= tf.constant(below, tf.uint16)
        return tf.where(kept, inputs * (2**16 / (2**16 - below)), 0)


class Conv2D(layers.Conv2D):
    """A convolution that is computed as a matrix product where its kernel is as large as its map.

    There is one place for such a kernel: (batch, h, w, c) → (batch, 1, 1, filters). oneDNN takes
    several times as long for it as for the product.
    """

    def convolution_op(self, inputs, kernel):
        """The convolution, without bias and activation."""
        if self.padding != "valid" or tuple(inputs.shape[1:3]) != self.kernel_size:
            return super().convolution_op(inputs, kernel)
        matrix = ops.reshape(kernel, (-1, self.filters))
        out = ops.matmul(ops.reshape(inputs, (-1, matrix.shape[0])), matrix)
        return ops.reshape(out, (-1, 1, 1, self.filters))


class Conv2DTranspose(layers.Conv2DTranspose):
    """A transposed convolution that is computed as a matrix product where its map has one place.

    (batch, 1, 1, c) → (batch, h, w, filters) by a kernel of h×w.
    """

    def call(self, inputs):
        """The enlarged maps; as Keras's layer where the map has more places."""
        if self.padding != "valid" or tuple(inputs.shape[1:3]) != (1, 1):
            return super().call(inputs)
        *size, channels = self.kernel.shape  # h, w, filters; c
        matrix = ops.reshape(self.kernel, (-1, channels))
        out = ops.matmul(ops.reshape(inputs, (-1, channels)), ops.transpose(matrix))
        return self.activation(ops.reshape(out, (-1, *size)) + self.bias)
