"""MATLAB files of versions 4, 5, 6 and 7, read by SciPy, one variable after another.

A file is a row of elements. Each is given to SciPy as a file of its own, so that one that it
cannot read hides no other. A cell array or struct that SciPy gives up on is opened here, and its
members are read in the same way; so a bad text in a struct does not hide the images beside it.
The format: "MAT-File Format", The MathWorks, chapter 1.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import scipy.io
from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import DEEPEST, LARGEST_MAT, TOO_LARGE, Turns, Unread, check_size, text_of

MATRIX, COMPRESSED = 14, 15  # types of data elements
CELL, STRUCT, CHAR = 1, 2, 4  # classes of arrays
V4_SIZES = (8, 4, 4, 2, 2, 1)  # bytes of a number by the third digit of a header's type
LEAST_READS = 1000
WORKSPACE = "__function_workspace__"  # SciPy's name for what has none: data of MATLAB's own
ITEM_SIZES = {"int8": 1, "uint8": 1, "logical": 1, "int16": 2, "uint16": 2, "single": 4}  # others: 8
CODECS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


class Stream(io.RawIOBase):
    """A header and one element as a file, without a copy of the element."""

    def __init__(self, header: bytes, element: memoryview):
        self.parts, self.at = (memoryview(header), element), 0
        self.end = len(header) + len(element)
        self.reads_left = LEAST_READS + len(element)  # SciPy may go round in a damaged file for ever

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or those that are left."""
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ValueError("it is read without end")
        end = self.end if size < 0 else min(self.end, self.at + size)
        first, second = self.parts
        start, self.at = self.at, end
        return bytes(first[start:end]) + bytes(second[max(0, start - len(first)) : max(0, end - len(first))])

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        self.at = max(0, offset + (0, self.at, self.end)[whence])
        return self.at

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self.at


def read_old(content: memoryview, kind: str, turns: Turns) -> dict[str, object]:
    """Variables of a file of version "4" or "5". Raises DataError, without its name, if it is cut short."""
    header = b"" if kind == "4" else bytes(content[:128])
    elements = v4_elements(content) if kind == "4" else v5_elements(content)
    found = {}
    for element in list(elements):
        if broken := turns.broken():
            found |= broken
            continue
        known = listed(header, element)
        name = known[0] if known else f"variable {turns.number}"
        turns.reading(name)
        if name != WORKSPACE:
            name, value = variable(header, element, name)
            found[name] = value
    return found


def v4_elements(content: memoryview) -> Iterator[memoryview]:
    """The variables of a file of version 4. Raises DataError where one promises what is not there."""
    order = "<" if struct.unpack_from("<i", content)[0] in range(1000) else ">"
    at = 0
    while at < len(content):
        if len(content) - at < 20:
            raise DataError(f"is cut short or damaged: {len(content) - at} bytes after the last variable")
        mopt, rows, columns, imaginary, length = struct.unpack_from(f"{order}5i", content, at)
        machine, digit = mopt // 1000, mopt // 10 % 10
        sane = machine == (order == ">") and rows >= 0 and columns >= 0 and length >= 1
        if not sane or imaginary not in (0, 1) or digit not in range(6):
            raise DataError(f"is damaged: byte {at} starts no variable of version 4")
        end = at + 20 + length + rows * columns * (1 + imaginary) * V4_SIZES[digit]
        check_end("a variable", end, len(content))
        yield content[at:end]
        at = end


def v5_elements(content: memoryview) -> Iterator[memoryview]:
    """The elements of a file of version 5 to 7. Raises DataError where one promises what is not there."""
    order, at = order_of(content), 128
    while any(content[at : at + 8]):  # zeros after the end are no element
        check_end("an element", at + 8, len(content))
        kind, size = struct.unpack_from(f"{order}2I", content, at)
        if kind not in (MATRIX, COMPRESSED):
            raise DataError(f"is damaged: an element of type {kind} where a variable was expected")
        end = at + 8 + size
        check_end("an element", end, len(content))
        yield content[at:end]
        at = end + (-size % 8 if kind == MATRIX else 0)


def check_end(what: str, end: int, there: int) -> None:
    """Raise DataError if something would end after the last byte."""
    if end > there:
        raise DataError(f"is cut short or damaged: {what} promises to end at byte {end:,} of {there:,}")


def order_of(header) -> str:
    """The byte order that a file's header tells, as `struct` writes it."""
    return "<" if bytes(header[126:128]) == b"IM" else ">"


def listed(header: bytes, element: memoryview) -> tuple[str, tuple[int, ...], str] | None:
    """Name, shape and class of an element's variable; None for an object, or if it cannot be told."""
    try:
        ((name, shape, kind),) = scipy.io.whosmat(Stream(header, element), appendmat=False)
    except Exception:  # SciPy raises whatever its parser trips over
        return None
    return name, shape, kind


def variable(header: bytes, element: memoryview, name: str) -> tuple[str, object]:
    """Name and value of an element."""
    try:
        return by_scipy(header, element, name)
    except MemoryError:
        return name, Unread(TOO_LARGE)
    except DataError as error:
        return name, Unread(str(error))
    except Exception as error:
        why = Unread(f"cut short or damaged: {type(error).__name__}: {error}")
    value = opened_if_possible(header, element, 0)
    return name, why if value is None else value


def by_scipy(header: bytes, element: memoryview, name: str) -> tuple[str, object]:
    """Name and value of an element as SciPy reads it."""
    if known := listed(header, element):
        _, shape, kind = known
        check_size(name, shape, ITEM_SIZES.get(kind, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            found = scipy.io.loadmat(Stream(header, element), appendmat=False, mat_dtype=True)
        except np.exceptions.ComplexWarning:  # else SciPy drops the imaginary part
            return name, Unread("complex numbers")
    ((key, value),) = [item for item in found.items() if not item[0].startswith("__")]
    if isinstance(value, str):  # SciPy's way to say so
        raise DataError(f"damaged: {value}")
    if isinstance(value, MatlabOpaque):
        key = value["s0"].item().decode("latin-1")
    return key, plain(value)


def opened_if_possible(header: bytes, element: memoryview, depth: int) -> object:
    """`opened`, or None for what is too damaged for it."""
    try:
        return opened(header, element, depth)
    except (DataError, struct.error, zlib.error, ValueError, LookupError, MemoryError):
        return None


def opened(header: bytes, element: memoryview, depth: int) -> object:
    """A cell array or struct by its members, or a text, where SciPy gave up; None for anything else."""
    order = order_of(header)
    if struct.unpack_from(f"{order}I", element)[0] == COMPRESSED:
        element = memoryview(zlib.decompressobj().decompress(element[8:], LARGEST_MAT))
    parts = list(parts_of(element[8:], order))
    array_class = struct.unpack_from(f"{order}I", parts[0][1])[0] & 0xFF
    dims = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
    if array_class == CHAR:
        return decoded(*parts[3][:2], dims, order)
    if array_class not in (CELL, STRUCT):
        return None
    if depth >= DEEPEST:
        raise DataError(f"cells or structs more than {DEEPEST} deep")
    if array_class == CELL:
        return [member(header, part, depth) for *_, part in parts[3:]]
    width = struct.unpack(f"{order}i", parts[3][1])[0]
    packed = bytes(parts[4][1])
    names = [packed[i : i + width].split(b"\0")[0].decode("latin-1") for i in range(0, len(packed), width)]
    values = [member(header, part, depth) for *_, part in parts[5:]]
    fields = {name: values[i :: len(names)] for i, name in enumerate(names)}
    return {name: items[0] for name, items in fields.items()} if math.prod(dims) == 1 else fields


def parts_of(body: memoryview, order: str) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Type, data and whole of each element inside a matrix. Raises DataError if one does not fit."""
    at = 0
    while at < len(body):
        (word,) = struct.unpack_from(f"{order}I", body, at)
        if word >> 16:  # size and type share a word, and up to four bytes of data follow
            kind, size, start = word & 0xFFFF, word >> 16, at + 4
            end = at + 8
        else:
            kind, size = struct.unpack_from(f"{order}2I", body, at)
            start = at + 8
            end = min(start + size + -size % 8, len(body))
        check_end("a member", start + size, len(body))
        yield kind, body[start : start + size], body[at:end]
        at = end


def member(header: bytes, element: memoryview, depth: int) -> object:
    """The value of a member of a cell array or struct; what cannot be read is `Unread`."""
    order = order_of(header)
    if len(element) <= 8:
        return np.zeros(0)
    flags, dims, _, *rest = (bytes(part) for *_, part in parts_of(element[8:], order))
    name = struct.pack(f"{order}I4s", 1 << 16 | 1, b"m")  # else SciPy takes it for MATLAB's workspace
    body = flags + dims + name + b"".join(rest)
    named = memoryview(struct.pack(f"{order}2I", MATRIX, len(body)) + body)
    try:
        return by_scipy(header, named, "m")[1]
    except Exception as error:
        value = opened_if_possible(header, named, depth + 1)
        return Unread(f"damaged: {type(error).__name__}") if value is None else value


def decoded(kind: int, data: memoryview, dims: tuple[int, ...], order: str) -> object:
    """A char array of any encoding that MATLAB uses. Raises ValueError for bytes that are none."""
    codec = CODECS[kind] + ("-le" if order == "<" else "-be") * (kind in (4, 17, 18))
    units = np.frombuffer(bytes(data).decode(codec).encode("utf-16-le"), "<u2")
    return text_of(units.reshape(dims, order="F"))


def plain(value) -> object:
    """What SciPy made of a variable, as `labkit.data.faces.matfile` describes it."""
    if isinstance(value, MatlabOpaque):
        return Unread.of_class(value["s2"].item().decode("latin-1"))
    if isinstance(value, MatlabObject):
        return Unread.of_class(value.classname)
    if isinstance(value, MatlabFunction):
        return Unread.of_class("function handle")
    if not isinstance(value, np.ndarray):
        return Unread.of_class("sparse matrix" if hasattr(value, "tocsc") else type(value).__name__)
    if value.dtype.names:
        fields = {name: [plain(item) for item in value[name].ravel("F")] for name in value.dtype.names}
        return {name: items[0] for name, items in fields.items()} if value.size == 1 else fields
    if value.dtype == object:
        return [plain(item) for item in value.ravel("F")]
    if value.dtype.kind == "U":
        if any("\ufffd" in row for row in value.ravel()):  # SciPy's sign for bytes that it could not decode
            raise ValueError("text in an encoding of one byte a character")
        return "".join(value.ravel()) if value.size <= 1 else list(map(str.rstrip, value.ravel()))
    return value if value.dtype.kind in "buif" else Unread("complex numbers")
