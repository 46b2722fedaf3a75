"""Random shift, rotation, zoom, brightness, horizontal flip and mixup of training images.

Keras's own augmenting layers keep their seeds in a state; what is drawn here depends on the seed
given alone, so that a resumed run meets the same batches.

Blending is "mixup" without its labels: Zhang et al., "mixup: Beyond Empirical Risk
Minimization", ICLR 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

LIMITS = {"shift": math.inf, "turn": math.inf, "zoom": 1.0, "light": 1.0, "blend": 1.0}  # exclusive


@dataclass(frozen=True)
class RandomAugmentation:
    """A `transform` for `fit` that varies each image at random, anew in every step.

    Args:
        shift: largest move in either direction, in pixels.
        turn: largest rotation about the middle, in degrees.
        zoom: largest change of size, as a share: 0.1 is 90 to 110 %.
        light: largest change of brightness, as a share; what would be above white is white.
        mirror: whether half of the images are mirrored left to right.
        blend: largest share of another image of the batch, below 1, that is mixed in.

    Everything is drawn uniformly between minus and plus these limits (a blend's share from 0),
    for each image on its own. Pixels are interpolated bilinearly; where the image does not
    reach, its edge is repeated.

    Raises:
        ValueError: a limit is negative or not finite, or a share not below 1.
    """

    shift: float = 0.0
    turn: float = 0.0
    zoom: float = 0.0
    light: float = 0.0
    mirror: bool = False
    blend: float = 0.0

    def __post_init__(self):
        for name, below in LIMITS.items():
            if not 0 <= (value := getattr(self, name)) < below:
                raise ValueError(f"{name} is {value}; a number from 0 to below {below:g} was expected")

    def __call__(self, x, seed):
        """Images (batch, h, w, channels) in [0, 1], varied; `seed` holds two integers."""
        draws = tf.random.stateless_uniform((7, tf.shape(x)[0]), seed, -1.0, 1.0)
        height, width = x.shape[1:3]
        if self.shift or self.turn or self.zoom or self.mirror:
            x = tf.raw_ops.ImageProjectiveTransformV3(
                images=x, transforms=self.maps(draws, height, width), output_shape=(height, width),
                fill_value=0.0, interpolation="BILINEAR", fill_mode="NEAREST",
            )  # fmt: skip
        gain = 1.0 + self.light * draws[5][:, None, None, None]
        x = tf.clip_by_value(x * gain, 0.0, 1.0)
        share = 0.5 * self.blend * (1.0 + draws[6][:, None, None, None])
        return (1.0 - share) * x + share * tf.reverse(x, [0]) if self.blend else x

    def maps(self, draws, height, width):
        """Where each pixel of the result is taken from: coefficients (batch, 8) for TensorFlow.

        A place p of the result shows the place A (p − m − t) + m of the image, with m its
        middle, t the shift, A the rotation over the zoom, mirrored or not.
        """
        angle = draws[0] * math.radians(self.turn)
        size = 1.0 + self.zoom * draws[1]
        mirrored = tf.where(draws[4] < 0.0, -1.0, 1.0) if self.mirror else tf.ones_like(size)
        cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
        a, b, c, d = mirrored * cos, -mirrored * sin, sin, cos  # A, row by row
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        from_x = middle_x + self.shift * draws[2]
        from_y = middle_y + self.shift * draws[3]
        none = tf.zeros_like(size)
        return tf.stack(
            [a, b, middle_x - a * from_x - b * from_y, c, d, middle_y - c * from_x - d * from_y, none, none],
            axis=1,
        )
