"""Image sets: found in one of several places, verified by digest, ready for a model."""

from labkit.data.idx import DataError
from labkit.data.images import ImageData, load
from labkit.data.sources import Found
from labkit.data.upkeep import FileCheck, fetch, status, verify

__all__ = ["DataError", "FileCheck", "Found", "ImageData", "fetch", "load", "status", "verify"]
