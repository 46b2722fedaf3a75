"""Dense decoders that run in the page, with weights rounded to half precision."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from labkit.explorer.decoding import ExplorerError

MOST_CHARACTERS = 1_000_000  # of the weights in the page, as base64
MOST_DIFFERENCE = 2  # grey levels of 255 between the page's pictures and the decoder's
ACTIVATIONS = {
    "linear": lambda v: v,
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 0.5 + 0.5 * np.tanh(0.5 * v),  # exp(−v) would overflow
    "tanh": np.tanh,
}


class TooLargeError(ExplorerError):
    """Weights that do not fit a page; stored pictures take their place."""


class Network:
    """A chain of dense layers as the page computes it.

    Args:
        layers: (kernel (n, m), bias (m,), activation) a layer, from the code on, the
            activation one of `ACTIVATIONS`; `labkit.models.dense_layers` reads a Keras
            model. With classes the first layer takes the code and the label one-hot.

    Raises:
        ExplorerError: the layers do not follow one another. TooLargeError: they do not fit a page.
    """

    def __init__(self, layers, latent_dim: int, n_classes: int = 0):
        self.n_classes = n_classes
        width, self.layers = latent_dim + n_classes, []
        for kernel, bias, activation in layers:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
                kernel, bias = np.asarray(kernel).astype("<f2"), np.asarray(bias).astype("<f2")
            if kernel.ndim != 2 or kernel.shape[0] != width or bias.shape != kernel.shape[1:]:
                raise ExplorerError(
                    f"network: a kernel of shape {kernel.shape} and a bias of {bias.shape} follow {width} "
                    f"values; ({width}, m) and (m,) were expected."
                )
            if activation not in ACTIVATIONS:
                raise ExplorerError(
                    f"network: activation {activation!r}; one of {', '.join(ACTIVATIONS)} expected."
                )
            if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                raise ExplorerError("network: weights are NaN, infinite, or too large for half precision.")
            self.layers.append((kernel, bias, activation))
            width = len(bias)
        self.check_size()

    def check_size(self) -> None:
        """Raise TooLargeError if the weights do not fit a page."""
        count = sum(kernel.size + bias.size for kernel, bias, _ in self.layers)
        if count * 2 * 4 / 3 > MOST_CHARACTERS:
            raise TooLargeError(
                f"The decoder's {count:,} weights are too many for a page, where "
                f"{MOST_CHARACTERS * 3 // 8:,} fit; stored pictures take its place."
            )

    def __call__(self, z, label: int = 0) -> np.ndarray:
        """Pictures (n, pixels), uint8, of codes (n, D)."""
        x = np.asarray(z, dtype="float32")
        if self.n_classes:
            x = np.concatenate(
                [x, np.tile(np.eye(self.n_classes, dtype="float32")[label], (len(x), 1))], axis=1
            )
        for kernel, bias, activation in self.layers:
            x = ACTIVATIONS[activation](x @ kernel.astype("float32") + bias.astype("float32"))
        return np.rint(np.clip(x, 0, 1) * 255).astype("uint8")

    def check_against(self, decoder, z, label: int = 0) -> None:
        """Raise ExplorerError unless its pictures of codes `z` are the decoder's, to MOST_DIFFERENCE."""
        expected, own = decoder(z, label), self(z, label)
        if own.shape[1] != expected[0].size:
            raise ExplorerError(f"network makes {own.shape[1]} pixels, and decode {expected[0].size}.")
        gap = int(np.abs(own.astype(int) - expected.reshape(own.shape)).max())
        if gap > MOST_DIFFERENCE:
            raise ExplorerError(
                f"network is not what decode computes: pictures differ by up to {gap} of 255 grey "
                'levels. Its last activation must give pixels in [0, 1] ("sigmoid" after logits).'
            )

    def packed(self) -> dict[str, Any]:
        """Sizes, activations and weights for the page: each kernel row by row, then its bias."""
        flat = [part.ravel() for kernel, bias, _ in self.layers for part in (kernel, bias)]
        return {
            "layers": [[*kernel.shape, activation] for kernel, _, activation in self.layers],
            "weights": base64.b64encode(np.concatenate(flat).tobytes()).decode("ascii"),
        }
