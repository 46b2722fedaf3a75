"""The moving average of a generator's weights.

Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019.
"""

from __future__ import annotations

import math

import keras
from keras import ops

STATISTICS_FROM, MOST_PIXELS = (
    1024,
    2**20,
)  # images, and pixels of them, for the statistics of refresh_batch_norm


class AveragedGenerator(keras.layers.Layer):
    """A copy of a generator whose weights are the moving average of that generator's.

    Args:
        generator: (batch, latent_dim) → images.
        decay: weight of the old average in the new one, in [0, 1). In step t it is at
            most (1 + t) / (10 + t), so that the first weights are soon forgotten.
    """

    def __init__(self, generator, decay, **kwargs):
        super().__init__(**kwargs)
        self.decay = decay
        self.network = keras.models.clone_model(generator)
        self.network.set_weights(generator.get_weights())
        for layer in self.network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0  # so that one batch in training mode replaces the statistics
        self.refreshed_for = ()
        self.built = True

    def get_config(self):
        """Decay and the network's configuration."""
        return {"decay": self.decay, "network": self.network.get_config()}

    def call(self, z, training=False):
        """What the averaged generator puts out for noise `z`; call `refresh_batch_norm` before."""
        return self.network(z, training=training)

    def update_average(self, generator, step):
        """average ← decay · average + (1 − decay) · weight, after the generator's `step`-th step."""
        step = ops.cast(step, "float32")
        decay = ops.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.network.weights, generator.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight)

    def refresh_batch_norm(self, inputs):
        """Take batch normalisation's statistics anew if the averages have changed.

        Statistics of the trained weights do not fit the averaged ones; those of one large batch
        do, as in Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018.

        Args:
            inputs: function of a number of images → as many rows of what the generator takes.
        """
        now = tuple(float(ops.sum(weight)) for weight in self.network.trainable_variables)
        if now != self.refreshed_for:
            pixels = math.prod(self.network.output_shape[1:])
            images = min(STATISTICS_FROM, max(1, MOST_PIXELS // pixels))  # one batch must fit the memory
            self.network(inputs(images), training=True)
            self.refreshed_for = now
