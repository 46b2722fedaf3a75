"""The project's own small classifiers, whose features the sample metrics compare.

One convolutional network for MNIST and one for Fashion-MNIST, trained by
scripts/train_classifiers.py. Weights and a card with their accuracy lie in weights/.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from labkit.images import clipped_images
from labkit.metrics.classes import CLASSES
from labkit.parameters import did_you_mean

SETS = ("mnist", "fashion_mnist")
FOLDER = Path(__file__).with_name("weights")
IMAGE_SHAPE = (28, 28, 1)
FEATURES = 128
# (filters, kernel, stride) of each block; the image shrinks 28 → 14 → 7 → 4.
BLOCKS = ((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1), (96, 3, 2))
BATCH = 500


class ClassifierError(RuntimeError):
    """The shipped weights or their card are missing, damaged or of another network."""


def build_network(dropout=0.3, seed=0) -> keras.Model:
    """Build the classifier's network, untrained: images → [features, logits].

    Five blocks of convolution, batch normalisation and ReLU, a global average, a ReLU layer of
    128 features and ten logits. Inputs (batch, 28, 28, 1) in [0, 1]; features (batch, 128),
    at least 0; logits (batch, 10). `dropout` is the rate between the two while training and
    `seed` its seed; the initial weights follow Keras's own.
    """
    x = h = keras.Input(IMAGE_SHAPE, name="x")
    for i, (filters, kernel, stride) in enumerate(BLOCKS, start=1):
        h = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"conv_{i}")(h)
        h = layers.ReLU(name=f"relu_{i}")(layers.BatchNormalization(name=f"norm_{i}")(h))
    h = layers.GlobalAveragePooling2D(name="average")(h)  # 96
    features = layers.Dense(FEATURES, activation="relu", name="features")(h)
    h = layers.Dropout(dropout, seed=seed, name="dropout")(features)
    return keras.Model(x, [features, layers.Dense(CLASSES, name="logits")(h)], name="classifier")


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained classifier of 28×28 images in [0, 1], and the card that says how good it is.

    Every method takes images of shape (n, 28, 28, 1) and raises ValueError, saying what is
    wrong, for another shape, values outside [0, 1], NaN or no images.
    """

    name: str
    network: keras.Model
    card: MappingProxyType[str, Any]

    @property
    def accuracy(self) -> float:
        """Share of the whole test set that it calls right, from the card."""
        return self.card["test_accuracy"]

    @property
    def digest(self) -> str:
        """SHA-256 of the weights file."""
        return self.card["sha256"]

    @functools.cached_property
    def _compiled(self):
        signature = [tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32)]
        return tf.function(lambda x: self.network(x, training=False), input_signature=signature)

    def outputs(self, x) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, 128) and class probabilities (n, 10), both float32, in one pass."""
        x = clipped_images(x, IMAGE_SHAPE)
        batches = [self._compiled(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        features, logits = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        return features, tf.nn.softmax(logits).numpy()

    def features(self, x) -> np.ndarray:
        """Features of images, shape (n, 128): the layer before the logits, at least 0."""
        return self.outputs(x)[0]

    def probabilities(self, x) -> np.ndarray:
        """Probability of each class, shape (n, 10), rows summing to 1."""
        return self.outputs(x)[1]

    def predict(self, x) -> np.ndarray:
        """The likeliest class of each image, int64, shape (n,)."""
        return self.probabilities(x).argmax(axis=1)

    def __repr__(self) -> str:
        return (
            f"Classifier({self.name}: {self.accuracy:.2%} of {self.card['n_test']:,} test images, "
            f"{FEATURES} features from layer {self.card['feature_layer']!r}, SHA-256 {self.digest[:12]}…)"
        )


@functools.cache
def load_classifier(name: str, folder: Path = FOLDER) -> Classifier:
    """Load the classifier of a data set; its weights are verified by their SHA-256 first.

    Args:
        name: "mnist" or "fashion_mnist".
        folder: where `name`.json (the card) and the weights file that it names lie.

    Raises:
        ValueError: there is no classifier of that name.
        ClassifierError: a file is missing, unreadable or not the one the card describes.
    """
    if name not in SETS:
        raise ValueError(f"there is no classifier for {name!r}{did_you_mean(str(name), SETS)}")
    path = Path(folder) / f"{name}.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        weights = path.with_name(card["weights"])
        digest = card["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClassifierError(f"the card {path.name} cannot be read ({error}); {RESTORE}") from error
    network = build_network()
    assign_weights(network, read_weights(weights, digest), weights.name)
    return Classifier(name, network, MappingProxyType(card))


RESTORE = "restore it from git or run scripts/train_classifiers.py"


def save_weights(network: keras.Model, path: Path) -> str:
    """Write the weights as float16 to an .npz file and return the file's SHA-256.

    Raises ValueError when a weight is too large for float16.
    """
    with np.errstate(over="ignore"):  # said by the error below
        arrays = {v.path: v.numpy().astype("float16") for v in stored_variables(network)}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a weight is NaN or too large for float16")
    np.savez_compressed(path, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_weights(path: Path, digest: str) -> dict[str, np.ndarray]:
    """Arrays of a weights file by variable, if the file's SHA-256 is `digest`.

    No pickled object is ever loaded. Raises ClassifierError otherwise.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClassifierError(f"{path.name} cannot be read ({error.strerror}); {RESTORE}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ClassifierError(
            f"{path.name} has SHA-256 {found[:12]}…, its card says {digest[:12]}…; {RESTORE}"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ClassifierError(f"{path.name} is no archive of plain arrays ({error}); {RESTORE}") from error


def assign_weights(network: keras.Model, arrays: dict[str, np.ndarray], where: str) -> None:
    """Put stored arrays into the network. Raises ClassifierError unless all of them fit."""
    variables = stored_variables(network)
    wanted = {v.path: tuple(v.shape) for v in variables}
    found = {path: array.shape for path, array in arrays.items()}
    if wanted != found:
        odd = sorted(name for name, _ in wanted.items() ^ found.items())
        raise ClassifierError(f"{where} is of another network: {', '.join(odd)} does not fit; {RESTORE}")
    for variable in variables:
        variable.assign(arrays[variable.path].astype("float32"))


def stored_variables(network: keras.Model) -> list:
    """The network's variables without the seed states of its random layers."""
    return [v for v in network.variables if v.dtype == "float32"]
