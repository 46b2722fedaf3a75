"""Honest numbers about a trained model: functions and arrays in, numbers out."""

from labkit.metrics.likelihood import Elbo, active_units, elbo
from labkit.metrics.reconstruction import mse, pca_mse, pixel_entropy

__all__ = ["Elbo", "active_units", "elbo", "mse", "pca_mse", "pixel_entropy"]
