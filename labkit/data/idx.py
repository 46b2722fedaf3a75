"""Reading image files without believing what they say: IDX, gzipped or not, and Keras's npz.

Nothing is allocated because a header asks for it, and no more is decompressed than an
official file can hold.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from labkit.data.catalogue import FILES, SHAPE
from labkit.data.errors import DataError

# third byte 0x08 says unsigned bytes, the fourth the number of dimensions
IMAGES, LABELS = 0x00000803, 0x00000801
LARGEST = 16 + 60_000 * math.prod(SHAPE)  # bytes of the largest official file


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """Content of a file, decompressed if its name ends in .gz.

    Raises DataError when the file is cut short, is no gzip, or holds more than `most` bytes.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read(most + 1)
    except gzip.BadGzipFile as error:
        raise DataError(f"{path.name} is no gzip file ({describe_start(path)})") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is cut short or damaged: {error}") from error
    if len(content) > most:
        raise DataError(f"{path.name} holds more than the {most:,} bytes of an official file")
    return content


def describe_start(path: Path) -> str:
    """What a file seems to be, from its first bytes."""
    with open(path, "rb") as file:
        start = file.read(64).lstrip().lower()
    return (
        "an HTML page saved under that name" if start.startswith((b"<!doctype", b"<html")) else "wrong start"
    )


def parse_idx(content: bytes, name: str, magic: int) -> np.ndarray:
    """Array of an IDX file, uint8, shape (n, 28, 28) for images and (n,) for labels.

    Raises DataError for another kind of file, another image size, or a header that
    promises more or fewer bytes than there are.
    """
    dims = 3 if magic == IMAGES else 1
    header = 4 + 4 * dims
    if len(content) < header:
        raise DataError(f"{name} has {len(content)} bytes, less than the {header} of an IDX header")
    found, *shape = struct.unpack_from(f">{1 + dims}I", content)
    if found != magic:
        raise DataError(f"{name} starts with the magic number {found:#010x}; {magic:#010x} was expected")
    if dims == 3 and tuple(shape[1:]) != SHAPE:
        raise DataError(f"{name} has images of {shape[1]}×{shape[2]}; {SHAPE[0]}×{SHAPE[1]} was expected")
    promised = math.prod(shape)
    if promised != len(content) - header:
        raise DataError(f"{name} promises {promised:,} bytes of data; there are {len(content) - header:,}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def to_idx(array: np.ndarray) -> bytes:
    """IDX file of uint8 images (n, 28, 28) or labels (n,): the inverse of `parse_idx`."""
    magic = IMAGES if array.ndim == 3 else LABELS
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + np.ascontiguousarray(array).tobytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The four arrays of Keras's `mnist.npz`, uint8; nothing in it is unpickled.

    Raises DataError when it is no such file, or its arrays are too large or of another kind.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: parse_npy(read_member(archive, f"{name}.npy"), name) for name in FILES}
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(f"{path.name} is not Keras's npz file: {error}") from error


def read_member(archive: zipfile.ZipFile, name: str, most: int = LARGEST + 4096) -> bytes:
    """A file from an archive. Raises ValueError if it holds more than `most` bytes."""
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that NumPy does not use")
    with archive.open(entry) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name} holds more than the {most:,} bytes of an official file")
    return content


def parse_npy(content: bytes, name: str) -> np.ndarray:
    """Array of an .npy file, uint8 images or labels; `np.load` would allocate what the header asks for.

    Raises ValueError for any other kind of array.
    """
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is not of NumPy's file format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.uint8 or fortran or shape[1:] != (SHAPE if name.startswith("x") else ()):
        raise ValueError(f"{name} is {dtype} {shape}; uint8 images or labels were expected")
    there = len(content) - file.tell()
    if math.prod(shape) != there:
        raise ValueError(f"{name} promises {math.prod(shape):,} bytes of data; there are {there:,}")
    return np.frombuffer(content, np.uint8, offset=file.tell()).reshape(shape)
