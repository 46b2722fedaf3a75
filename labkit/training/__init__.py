"""Fitting any compiled Keras model to images held in memory.

`fit` seeds the order of the images, picks the fastest safe way to compile (roads.py), shares
compiled steps between models of one kind (steps.py), writes the history and a checkpoint every
epoch and can go on from one. It knows nothing of what the model is: only its `train_step` and
`test_step`, its variables and its optimizers.
"""

from labkit.training.augmentation import RandomAugmentation
from labkit.training.batches import dynamic_binarization
from labkit.training.callbacks import Measure, SampleEvery, StopOnNaN
from labkit.training.fitting import fit

__all__ = ["Measure", "RandomAugmentation", "SampleEvery", "StopOnNaN", "dynamic_binarization", "fit"]
