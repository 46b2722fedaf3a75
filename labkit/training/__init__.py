"""Fitting any compiled Keras model to images held in memory.

`fit` seeds the order of the images, picks the fastest safe way to compile, writes the
history and a checkpoint every epoch and can go on from one. It knows nothing of what the
model is: only `model.fit`, `model.variables` and the model's optimizers.
"""

from labkit.training.augmentation import Varied
from labkit.training.batches import binarised
from labkit.training.callbacks import Measure, SampleEvery, StopOnNaN
from labkit.training.fitting import fit

__all__ = ["Measure", "SampleEvery", "StopOnNaN", "Varied", "binarised", "fit"]
