"""Image sets: found in one of several places, verified by digest, ready for a model.

images        ImageData and load
registry      which sets there are, and which module knows each
sources       MNIST and Fashion-MNIST                     (catalogue, idx)
face_sources  faces: one's own file, Olivetti, rendered   (faces, layouts, matfile, mat5, mat73,
                                                          olivetti, synthetic_faces)
places        where sets may lie; download: how they come; upkeep: `labkit data`
"""

from labkit.data.faces import with_flips
from labkit.data.idx import DataError
from labkit.data.images import ImageData, load
from labkit.data.places import FileCheck, Found
from labkit.data.upkeep import fetch, status, verify

__all__ = ["DataError", "FileCheck", "Found", "ImageData", "fetch", "load", "status", "verify", "with_flips"]
