"""Writes MATLAB 5 files element by element, for what SciPy does not write: objects, odd texts, damage.

The format: "MAT-File Format", The MathWorks, chapter 1.
"""

import struct
import zlib

import h5py
import numpy as np

HEADER = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x00\x01IM"
CLASSES = {
    "u1": (9, 2),
    "u2": (11, 4),
    "i4": (12, 5),
    "f4": (7, 7),
    "f8": (6, 9),
}  # array class, element type


def element(kind, data):
    return struct.pack("<2I", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(array_class, shape, name, body, flags=0):
    head = element(6, struct.pack("<2I", array_class | flags << 8, 0))
    head += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name.encode())
    return element(14, head + body)


def numbers(name, values, kind=None):
    """An array; `kind` is the type that its numbers are said to have in the file."""
    values = np.asarray(values)
    values = values if values.ndim > 1 else values[:, None]
    array_class, own = CLASSES[values.dtype.str[1:]]
    return matrix(array_class, values.shape, name, element(kind or own, values.tobytes("F")))


def text(name, value, kind=17, shape=None):
    """A char array in UTF-16 (17), UTF-8 (16) or one byte a character (2), or of the bytes given."""
    units = value.encode("utf-16-le") if isinstance(value, str) else value
    codecs = {17: "utf-16-le", 4: "utf-16-le", 16: "utf-8", 2: "latin-1"}
    data = value.encode(codecs[kind]) if isinstance(value, str) else value
    return matrix(4, shape or (1, len(units) // 2), name, element(kind, data))


def cell(name, items):
    return matrix(1, (len(items), 1), name, b"".join(items))


def structure(name, **fields):
    """A struct; each field is an element made with an empty name."""
    names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
    head = struct.pack("<HHi", 5, 4, 32) + element(1, names)
    return matrix(2, (1, 1), name, head + b"".join(fields.values()))


def thing(name, cls):
    """An object of a class, as MATLAB writes strings, categoricals and tables."""
    ids = numbers("", np.array([[0xDD000000 - 2**32], [2], [40], [1], [1], [1]], "i4"))
    head = element(6, struct.pack("<2I", 17, 0))
    return element(14, head + b"".join(element(1, s.encode()) for s in (name, "MCOS", cls)) + ids)


def packed(made):
    """An element, compressed as version 7 does."""
    content = zlib.compress(made)
    return struct.pack("<2I", 15, len(content)) + content


def write(path, *elements):
    path.write_bytes(HEADER + b"".join(elements))
    return path


def write_h5(path, **variables):
    """A file of version 7.3: arrays, texts, lists of texts, and objects as (class,)."""
    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_group("#refs#")
        for name, value in variables.items():
            put_h5(file, name, value, references)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")
    return path


def put_h5(parent, name, value, references):
    if isinstance(value, dict):
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, item in value.items():
            put_h5(group, key, item, references)
    elif isinstance(value, str):
        units = np.frombuffer(value.encode("utf-16-le"), "<u2")
        made = parent.create_dataset(name, data=units[:, None] if len(units) else np.zeros(2, "u8"))
        made.attrs["MATLAB_class"] = np.bytes_("char")
        if not len(units):
            made.attrs["MATLAB_empty"] = np.uint8(1)
    elif isinstance(value, tuple):
        made = parent.create_dataset(name, data=np.array([[0xDD000000, 2, 40, 1, 1, 1]], np.uint32))
        made.attrs["MATLAB_class"] = np.bytes_(value[0])
        made.attrs["MATLAB_object_decode"] = np.int32(3)
    elif isinstance(value, list):
        cells = np.empty((1, len(value)), h5py.ref_dtype)
        for i, item in enumerate(value):
            key = f"r{len(references)}"
            put_h5(references, key, item, references)
            cells[0, i] = references[key].ref
        parent.create_dataset(name, data=cells).attrs["MATLAB_class"] = np.bytes_("cell")
    else:
        value = np.asarray(value)
        value = value if value.ndim > 1 else value[:, None]
        kinds = {"float64": "double", "float32": "single", "bool": "logical"}
        stored = parent.create_dataset(name, data=value.T)
        stored.attrs["MATLAB_class"] = np.bytes_(kinds.get(str(value.dtype), str(value.dtype)))
