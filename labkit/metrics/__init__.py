"""Honest numbers about a trained model: functions and arrays in, numbers out."""

from labkit.metrics.classes import (
    Agreement,
    ClassHistogram,
    class_histogram,
    classes_kept,
    conditional_agreement,
)
from labkit.metrics.classifier import Classifier, ClassifierError, load_classifier
from labkit.metrics.likelihood import Elbo, IwNll, active_units, binarise, elbo, iw_nll
from labkit.metrics.neighbours import Memorisation, Prdc, memorisation, nearest, prdc
from labkit.metrics.reconstruction import (
    bce,
    grey_share,
    mse,
    pca_mse,
    pixel_entropy,
    principal_components,
    sharpness,
    ssim,
)
from labkit.metrics.samples import (
    References,
    SampleQuality,
    Scale,
    frechet_distance,
    judge_samples,
    kernel_distance,
    reference_sets,
)

__all__ = [
    "Agreement",
    "ClassHistogram",
    "Classifier",
    "ClassifierError",
    "Elbo",
    "IwNll",
    "Memorisation",
    "Prdc",
    "References",
    "SampleQuality",
    "Scale",
    "active_units",
    "bce",
    "binarise",
    "class_histogram",
    "classes_kept",
    "conditional_agreement",
    "elbo",
    "frechet_distance",
    "grey_share",
    "iw_nll",
    "judge_samples",
    "kernel_distance",
    "load_classifier",
    "memorisation",
    "mse",
    "nearest",
    "pca_mse",
    "pixel_entropy",
    "prdc",
    "principal_components",
    "reference_sets",
    "sharpness",
    "ssim",
]
