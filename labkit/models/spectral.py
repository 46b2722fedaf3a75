"""Spectral normalisation as published: the gradient goes through the norm.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.
`keras.layers.SpectralNormalization` is another thing: it overwrites the kernel by its
normalised value, and no gradient goes through the norm.
"""

from __future__ import annotations

import keras
from keras import ops


class SpectralNormalization(keras.layers.Wrapper):
    """A dense or convolutional layer with its kernel W divided by σ(W), its largest singular value.

    The kernel, with its last axis as columns and all others as rows, is a matrix. A pass in
    training mode turns the vector u by one power iteration, u ← W v / ‖W v‖ with
    v = Wᵀu / ‖Wᵀu‖, and σ = ‖Wᵀu‖ is near the largest singular value. u counts as a
    constant, W does not: the gradient with respect to W is
    (∂L/∂W̄ − ⟨∂L/∂W̄, W̄⟩ u vᵀ) / σ, for W̄ = W / σ. The kernel itself is never overwritten,
    and the bias is left as it is.

    Args:
        layer: a Dense, Conv2D or the like, without activation (put that after it): its output
            must be linear in its kernel.
        seed: seed of u.

    Raises:
        ValueError: the layer has an activation, or no kernel.
    """

    def __init__(self, layer, seed=0, **kwargs):
        super().__init__(layer, **kwargs)
        self.seed = seed
        if getattr(layer, "activation", None) not in (None, keras.activations.linear):
            raise ValueError(
                f"{layer.name} has an activation; put it into a layer of its own, after this one"
            )

    def build(self, input_shape=None):
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            raise ValueError(f"{self.layer.name} is a {type(self.layer).__name__}, which has no kernel")
        rows = self.matrix().shape[0]
        start = keras.initializers.RandomNormal(1.0, seed=self.seed)
        self.u = self.add_weight(shape=(rows, 1), initializer=start, trainable=False, name="u")
        self.u.assign(normed(self.u))

    def matrix(self):
        """The kernel as a matrix, (all axes but the last, last axis)."""
        kernel = self.layer.kernel
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def call(self, x, training=False):
        """The layer's output with W / σ(W) for its kernel W."""
        w = self.matrix()
        if training:
            constant = ops.stop_gradient(w)
            self.u.assign(normed(constant @ normed(ops.transpose(constant) @ self.u)))
        sigma = ops.norm(ops.transpose(w) @ ops.stop_gradient(self.u.value))
        bias = self.layer.bias if self.layer.use_bias else 0.0
        return (self.layer(x) - bias) / sigma + bias  # the layer is linear in its kernel

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def normed(vector):
    """The vector at length 1, or as it is where its length is 0."""
    return vector / ops.maximum(ops.norm(vector), 1e-12)
