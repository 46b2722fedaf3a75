"""Image sets: found in one of several places, verified by digest, ready for a model.

images       ImageData and load
registry     which sets there are, and which module knows each
sources      MNIST and Fashion-MNIST (catalogue: their files and digests; idx: the file format)
faces/       faces: one's own .mat file, Olivetti, rendered
places       where sets may lie; download: how they come; maintenance: `labkit data`
found        what a search gives back; errors: what goes wrong
"""

from labkit.data.errors import DataError
from labkit.data.found import FileCheck, Found, Refused
from labkit.data.images import ImageData, load
from labkit.data.maintenance import fetch, status, verify

__all__ = [
    "DataError",
    "FileCheck",
    "Found",
    "ImageData",
    "Refused",
    "fetch",
    "load",
    "status",
    "verify",
]
