"""Reading image files without believing what they say: IDX, gzipped or not, and Keras's npz.

What a file is, its first bytes tell and not its name. Nothing is allocated because a header
asks for it, and no more is decompressed than an official file can hold.
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
from labkit.data.errors import DamagedError, DataError

# third byte 0x08 says unsigned bytes, the fourth the number of dimensions
IMAGES, LABELS = 0x00000803, 0x00000801
LARGEST = 16 + 60_000 * math.prod(SHAPE)  # bytes of the largest official file
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
MOST_LAYERS, MOST_MEMBERS = 3, 50  # of gzip over gzip; files of an archive that are looked at
PEEK = 2**14  # bytes
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error)  # as zipfile tells it


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """The first `most` bytes of a file, unpacked as often as it was gzipped, whatever its name is.

    Raises DamagedError when it is cut short.
    """
    with open(path, "rb") as file:
        return unpacked(file.read(most), most, path.name)


def unpacked(content: bytes, most: int, name: str) -> bytes:
    """The first `most` bytes of a file's content, unpacked as often as it was gzipped."""
    for _ in range(MOST_LAYERS):
        if not content.startswith(GZIP):
            break
        content = gunzipped(content, most, name)
    return content


def gunzipped(content: bytes, most: int, name: str) -> bytes:
    """The first `most` bytes of what was gzipped; what follows the end is no part of it."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        first = unpack.decompress(content, most)
        if not unpack.eof and len(first) < most:
            raise DamagedError(f"{name} is cut short or damaged: the gzip file ends too early")
        if not unpack.unused_data.startswith(GZIP):
            return first
        with gzip.open(io.BytesIO(content)) as file:  # written in several parts, which is rare
            return file.read(most)
    except (EOFError, OSError, zlib.error) as error:
        raise DamagedError(f"{name} is cut short or damaged: {error}") from error


def peek(path: Path) -> bytes:
    """The first bytes of a file, unpacked as `read_bytes` does; b"" if that cannot be told."""
    try:
        with open(path, "rb") as file:
            return start_of(file.read(PEEK))
    except OSError:
        return b""


def start_of(content: bytes) -> bytes:
    """The first bytes of what was gzipped, perhaps more than once; b"" for what is damaged."""
    for _ in range(MOST_LAYERS):
        if content.startswith(GZIP):
            try:
                content = zlib.decompressobj(wbits=31).decompress(content, PEEK)
            except zlib.error:
                return b""
    return content


def is_image_file(path: Path) -> bool:
    """Whether a file starts as IDX images or labels do, or is an archive of such, or Keras's."""
    start = peek(path)
    if not start.startswith(ZIP):
        return starts_as_idx(start)
    try:
        with zipfile.ZipFile(path) as archive:
            return is_keras(archive) or bool(idx_members(archive))
    except (*DAMAGED, ValueError, RuntimeError):
        return False


def starts_as_idx(start: bytes) -> bool:
    """Whether these are the first bytes of IDX images or labels."""
    return start[:4] in (struct.pack(">I", IMAGES), struct.pack(">I", LABELS))


def describe_start(start: bytes) -> str:
    """What a file seems to be, from its first bytes."""
    start = start[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    page = start.startswith((b"<!doctype", b"<html"))
    return "an HTML page saved under that name" if page else "wrong start"


def parse_idx(content: bytes, name: str, magic: int | None = None) -> np.ndarray:
    """Array of an IDX file, uint8, shape (n, 28, 28) for images and (n,) for labels.

    `magic` is IMAGES or LABELS; None takes either. Bytes after the array are no part of it.

    Raises DamagedError for bytes that are no IDX file, or fewer than the header promises;
    DataError for one of another type or image size.
    """
    found = int.from_bytes(content[:4], "big")
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DamagedError(
            f"{name} has {len(content):,} bytes and is no IDX file ({describe_start(content)})"
        )
    if found not in ((IMAGES, LABELS) if magic is None else (magic,)):
        expected = "that of images or labels" if magic is None else f"{magic:#010x}"
        raise DataError(f"{name} starts with the magic number {found:#010x}; {expected} was expected")
    dims = 3 if found == IMAGES else 1
    header = 4 + 4 * dims
    if len(content) < header:
        raise DamagedError(f"{name} has {len(content)} bytes, less than the {header} of an IDX header")
    shape = struct.unpack_from(f">{dims}I", content, 4)
    if dims == 3 and shape[1:] != SHAPE:
        raise DataError(f"{name} has images of {shape[1]}×{shape[2]}; {SHAPE[0]}×{SHAPE[1]} was expected")
    promised, there = math.prod(shape), len(content) - header
    if promised > there:
        raise DamagedError(f"{name} promises {promised:,} bytes of data; there are {there:,}")
    return np.frombuffer(content, np.uint8, promised, header).reshape(shape)


def to_idx(array: np.ndarray) -> bytes:
    """IDX file of uint8 images (n, 28, 28) or labels (n,): the inverse of `parse_idx`."""
    magic = IMAGES if array.ndim == 3 else LABELS
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + np.ascontiguousarray(array).tobytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_archive(path: Path) -> list[np.ndarray]:
    """The arrays of an archive: Keras's npz, or a zip of IDX files as Kaggle's.

    Raises DamagedError when it is cut short, DataError for any other archive.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                if not is_keras(archive) and (members := idx_members(archive)):
                    return [read_idx_member(archive, entry) for entry in members]
        except DAMAGED as error:
            raise DamagedError(f"{path.name} is no whole archive: {error}") from error
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{path.name} cannot be read: {error}") from error
    return list(read_npz(path).values())


def is_keras(archive: zipfile.ZipFile) -> bool:
    """Whether an archive has the files of Keras's."""
    return "x_train.npy" in archive.namelist()


def idx_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members of an archive that start as IDX files do."""
    found = []
    for entry in archive.infolist()[:MOST_MEMBERS]:
        if entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not entry.is_dir():
            with archive.open(entry) as file:
                if starts_as_idx(start_of(file.read(PEEK))):
                    found.append(entry)
    return found


def read_idx_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """The array of an IDX file in an archive."""
    with archive.open(entry) as file:
        return parse_idx(unpacked(file.read(LARGEST), LARGEST, entry.filename), entry.filename)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The four arrays of Keras's `mnist.npz`, uint8; nothing in it is unpickled.

    Raises DataError when it is no such file, or its arrays are too large or of another kind.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return {name: parse_npy(read_member(archive, f"{name}.npy"), name) for name in FILES}
        except DAMAGED as error:
            raise DamagedError(f"{path.name} is not Keras's npz file: {error}") from error
        except (
            KeyError,
            ValueError,
            RuntimeError,
            MemoryError,
        ) as error:  # an encrypted entry, a deep header
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
