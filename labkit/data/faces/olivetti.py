"""The Olivetti faces: 400 pictures of 40 people, known by their digest in whatever file they come.

F. Samaria & A. Harter, "Parameterisation of a stochastic model for human face
identification", WACV 1994; credit AT&T Laboratories Cambridge.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labkit.data import download, places
from labkit.data.errors import DataError
from labkit.data.faces.apart import read_apart
from labkit.data.faces.layouts import SIDE
from labkit.data.faces.reader import Faces, read_faces
from labkit.data.idx import sha256

FILE, PACKED = "olivettifaces.mat", "olivetti_py3.pkz"  # as scikit-learn names the source and its copy
LARGEST_FILE = 2**25  # bytes that are read of a file of that name
URL = "https://ndownloader.figshare.com/files/5976027"  # scikit-learn's source
FILE_DIGEST = "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"  # of that file's bytes
DIGEST = "a3f75007cc103363b61a63e06bec8ea4846407682ef6e7c9ae1eb9c1bd0e8a00"  # of the images


def problem_of(path: Path) -> tuple[str | None, Faces | None]:
    """Why a file does not hold the Olivetti faces, or None and the faces."""
    try:
        if path.name == PACKED:
            return None, read_packed(path)
        faces = read_true(path) or read_apart(path)
    except DataError as error:
        return str(error), None
    right = faces.digest == DIGEST
    return (None, faces) if right else (f"{path.name} has images with a wrong SHA-256", None)


def read_true(path: Path) -> Faces | None:
    """The faces of scikit-learn's very file, known by its bytes; None for any other file."""
    with open(path, "rb") as file:
        content = file.read(LARGEST_FILE)
    return read_faces(path) if sha256(content) == FILE_DIGEST else None


def read_packed(path: Path) -> Faces:
    """The Olivetti faces in scikit-learn's own copy, a zlib-compressed pickle of one array.

    It is not unpickled: an array's bytes stand at the end of such a pickle, before its last
    byte, and the digest tells whether they are the images. Raises DataError if not.
    """
    count = 400 * SIDE * SIDE
    try:
        with open(path, "rb") as file:
            packed = file.read(LARGEST_FILE)
        content = zlib.decompressobj().decompress(packed, 8 * count + 2**16)
    except zlib.error as error:
        raise DataError(f"{path.name} is cut short or damaged: {error}") from error
    for dtype in (np.uint8, np.float64):
        raw = content[-1 - count * np.dtype(dtype).itemsize : -1]
        if len(raw) == count * np.dtype(dtype).itemsize:
            images = np.frombuffer(raw, dtype).reshape(400, SIDE, SIDE).swapaxes(1, 2)
            with np.errstate(all="ignore"):  # whatever bytes there are, they may be NaN as numbers
                faces = Faces((images / 255).astype(np.float32))
            if np.isfinite(faces.images).all() and faces.digest == DIGEST:
                return faces
    raise DataError(f"{path.name} does not hold the Olivetti faces as scikit-learn keeps them")


def library_files() -> Iterator[tuple[str, Path]]:
    """Label and path of the copies that other libraries may have made."""
    if keras := places.keras_home():
        yield "Keras cache", keras / FILE
    if sklearn := places.sklearn_home():
        yield "scikit-learn's data", sklearn / FILE
        yield "scikit-learn's data", sklearn / PACKED


def download_spec(name: str) -> download.DownloadSpec:
    """The file as it can be downloaded, for the set of that name."""
    label, cache = places.download_cache()
    return download.DownloadSpec(name, cache / name, {FILE: FILE_DIGEST}, ({FILE: URL},), label)
