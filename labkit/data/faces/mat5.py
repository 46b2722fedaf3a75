"""MATLAB files of versions 4, 5, 6 and 7, read by SciPy after all sizes in them are checked.

SciPy allocates what headers promise, so that every header is checked first against the
bytes that are there; compressed variables are unpacked here, up to a limit. The format:
"MAT-File Format", The MathWorks, chapter 1.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import DEEPEST, LARGEST_MAT, Unread, array_bytes, check_size

MATRIX, COMPRESSED = 14, 15  # types of data elements
CELL, STRUCT, CHAR, SPARSE = 1, 2, 4, 5  # classes of arrays; 6 to 15 are numbers
CLASSES = {3: "object", 5: "sparse matrix", 16: "function handle", 17: "object of a class"}
V4_SIZES = (8, 4, 4, 2, 2, 1)  # bytes of a number by the third digit of a header's type


def read_old(path: Path, kind: str) -> dict[str, object]:
    """Variables of a file of version "4" or "5". Raises DataError, without the file's name."""
    import scipy.io  # takes a while, and most sets need it not

    check_size("the file", path.stat().st_size, path.stat().st_size)
    content = path.read_bytes()
    unread = {}
    if kind == "5":
        content, unread = unpacked(content)
    else:
        check_v4(content)
    names = [name for name, *_ in listed(scipy.io, content) if name not in unread]
    try:
        found = scipy.io.loadmat(io.BytesIO(content), variable_names=names, squeeze_me=False)
    except Exception as error:  # SciPy raises whatever its parser trips over
        raise DataError(f"is cut short or damaged: {type(error).__name__}: {error}") from error
    return {name: plain(found[name]) for name in names if name in found} | unread


def listed(reader, content: bytes) -> list[tuple]:
    """Name, shape and class of each variable."""
    try:
        return reader.whosmat(io.BytesIO(content))
    except Exception as error:
        raise DataError(f"is cut short or damaged: {type(error).__name__}: {error}") from error


def check_v4(content: bytes) -> None:
    """Walk through a file of version 4. Raises DataError where a header promises what is not there."""
    order = "<" if struct.unpack("<i", content[:4])[0] in range(1000) else ">"
    at = 0
    while at < len(content):
        if len(content) - at < 20:
            raise DataError(f"is cut short or damaged: {len(content) - at} bytes after the last variable")
        mopt, rows, columns, imaginary, length = struct.unpack_from(f"{order}5i", content, at)
        digit = mopt // 10 % 10
        if rows < 0 or columns < 0 or length < 1 or imaginary not in (0, 1) or digit not in range(6):
            raise DataError(f"is damaged: byte {at} starts no variable of version 4")
        size = array_bytes((rows, columns, 1 + imaginary), V4_SIZES[digit])
        check_size("a variable", length + size, len(content) - at - 20)
        at += 20 + length + size


def unpacked(content: bytes) -> tuple[bytes, dict[str, Unread]]:
    """The file with every variable unpacked and checked, and the variables that are not read."""
    order = "<" if content[126:128] == b"IM" else ">"
    parts, unread, at, budget = [content[:128]], {}, 128, LARGEST_MAT
    while at < len(content):
        kind, size = tag(content, at, order, len(content))
        body = memoryview(content)[at + 8 : at + 8 + size]
        element = inflated(body, budget) if kind == COMPRESSED else bytes(content[at : at + 8 + size])
        budget -= len(element)
        inner, length = tag(element, 0, order, len(element))
        at += 8 + size
        if kind == MATRIX:
            at += -size % 8 if at + -size % 8 <= len(content) else 0
        if inner != MATRIX:
            raise DataError(f"is damaged: an element of type {inner} where a variable was expected")
        name, array_class = check_matrix(element, 8, 8 + length, order, 0)
        if array_class in CLASSES or not name:
            unread |= {name: Unread(CLASSES.get(array_class, "no variable"))} if name else {}
        else:
            parts.append(element[: 8 + length] + bytes(-length % 8))
    return b"".join(parts), unread


def tag(content, at: int, order: str, end: int) -> tuple[int, int]:
    """Type and size of the element at `at`. Raises DataError if it does not fit before `end`."""
    if end - at < 8:
        raise DataError(f"is cut short: {end - at} bytes where an element of 8 or more was expected")
    kind, size = struct.unpack_from(f"{order}2I", content, at)
    check_size("an element", size, end - at - 8)
    return kind, size


def inflated(body, most: int) -> bytes:
    """A compressed element unpacked. Raises DataError if it is damaged or larger than `most` bytes."""
    unpack = zlib.decompressobj()
    try:
        content = unpack.decompress(body, most + 1)
    except zlib.error as error:
        raise DataError(f"is cut short or damaged: {error}") from error
    if len(content) > most:
        raise DataError(f"is too large: unpacked it has more than the {LARGEST_MAT:,} bytes that are read")
    if not unpack.eof:
        raise DataError("is cut short: a compressed variable ends too early")
    return content


def small(content, at: int, order: str, end: int) -> tuple[int, int, int]:
    """Start, size and end of the data of an element that may be of the packed, small kind."""
    if end - at < 8:
        raise DataError("is cut short or damaged: a variable ends too early")
    word = struct.unpack_from(f"{order}I", content, at)[0]
    if word >> 16:  # size and type share a word, and up to four bytes of data follow
        check_size("a small element", word >> 16, 4)
        return at + 4, word >> 16, at + 8
    _, size = tag(content, at, order, end)
    return at + 8, size, min(at + 8 + size + -size % 8, end)


def check_matrix(content, at: int, end: int, order: str, depth: int) -> tuple[str, int]:
    """Check one variable, and what is inside it; return its name and class.

    Raises DataError where dimensions promise more than the bytes from `at` to `end` can hold.
    """
    if depth > DEEPEST:
        raise DataError(f"has cells or structs more than {DEEPEST} deep")
    if at == end:  # an empty matrix in a cell may have no bytes at all
        return "", 0
    start, size, at = small(content, at, order, end)
    if size != 8:
        raise DataError("is damaged: a variable has no array flags")
    array_class = struct.unpack_from(f"{order}I", content, start)[0] & 0xFF
    start, size, at = small(content, at, order, end)
    dims = struct.unpack_from(f"{order}{size // 4}i", content, start)
    if array_class == 17:  # opaque: what follows is not made like a matrix
        return bytes(content[start : start + size]).decode("latin-1").strip("\0") or "opaque", 17
    start, size, at = small(content, at, order, end)
    name = bytes(content[start : start + size]).decode("latin-1").strip("\0")
    if any(n < 0 for n in dims) or len(dims) < 2:
        raise DataError(f"is damaged: {name!r} has the dimensions {dims}")
    if array_class in (CELL, STRUCT):
        check_members(content, at, end, order, depth, (name, array_class, dims))
    elif array_class not in CLASSES:
        _, size, _ = small(content, at, order, end) if array_bytes(dims, 1) else (0, 0, 0)
        check_size(f"{name!r} of {'×'.join(map(str, dims))}", array_bytes(dims, 1), size)
    return name, array_class


def check_members(content, at: int, end: int, order: str, depth: int, about: tuple) -> None:
    """Check the members of a cell or struct array: each takes 8 bytes at the least."""
    name, array_class, dims = about
    members = array_bytes(dims, 1)
    if array_class == STRUCT:
        start, size, at = small(content, at, order, end)
        width = struct.unpack_from(f"{order}i", content, start)[0] if size == 4 else 0
        start, size, at = small(content, at, order, end)
        if width < 1:
            raise DataError(f"is damaged: the struct {name!r} has no field names")
        check_size(f"the struct {name!r} of {'×'.join(map(str, dims))}", members, end)
        members *= size // width
    check_size(f"{name!r} of {'×'.join(map(str, dims))}", 8 * members, end - at)
    for _ in range(members):
        kind, size = tag(content, at, order, end)
        if kind != MATRIX:
            raise DataError(f"is damaged: {name!r} holds an element of type {kind}")
        check_matrix(content, at + 8, at + 8 + size, order, depth + 1)
        at = min(at + 8 + size + -size % 8, end)


def plain(value) -> object:
    """What SciPy made of a variable, as `labkit.data.faces.matfile` describes it."""
    if not isinstance(value, np.ndarray):
        return Unread(type(value).__name__)
    if value.dtype.names:
        fields = {name: [plain(item) for item in value[name].ravel("F")] for name in value.dtype.names}
        return {name: items[0] for name, items in fields.items()} if value.size == 1 else fields
    if value.dtype == object:
        return [plain(item) for item in value.ravel("F")]
    if value.dtype.kind == "U":
        return "".join(value.ravel()) if value.size == 1 else list(map(str.rstrip, value.ravel()))
    return value if value.dtype.kind in "buif" else Unread("complex numbers")
