"""Keras's layers under their own names, with the same weights and numbers, computed in a faster way."""

from __future__ import annotations

import tensorflow as tf
from keras import layers, ops


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation by TensorFlow's kernel for the whole of it.

    Keras 3 takes the mean, the variance, the difference and the product in operations of their own,
    each of which reads the maps again, forwards and backwards. At 64×64×16 that is a quarter of a
    step; at 14×14×64 it does not show.

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
