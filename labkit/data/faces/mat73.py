"""MATLAB files of version 7.3, which are HDF5, read by h5py, one variable after another.

MATLAB writes dimensions in reverse order and the class of each variable as an attribute.
A file without these attributes was written by another program: its arrays are taken as
they are. Links to other files and storage outside the file are refused.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import DEEPEST, TOO_LARGE, Turns, Unread, check_size, text_of

CONTAINERS = ("", "struct", "cell")  # classes of MATLAB that a group may have


class Reader:
    """Reads an open file."""

    def __init__(self, file: h5py.File):
        self.file = file

    def members(self, group: h5py.Group, depth: int) -> dict[str, object]:
        """What a group holds by name."""
        return {name: self.member(group, name, depth) for name in group if not name.startswith("#")}

    def member(self, group: h5py.Group, name: str, depth: int) -> object:
        """One member of a group; what cannot be read is `Unread` and hides no other."""
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return Unread("link to elsewhere")
        try:
            return self.value(group[name], name, depth)
        except DataError as error:
            return Unread(str(error))
        except MemoryError:
            return Unread(TOO_LARGE)
        except Exception as error:  # h5py raises OSError, KeyError, RuntimeError, … for damage
            return Unread(f"cut short or damaged: {type(error).__name__}: {error}")

    def value(self, item, name: str, depth: int) -> object:
        """One variable as `labkit.data.faces.matfile` describes it."""
        if depth > DEEPEST:
            raise DataError(f"cells or structs more than {DEEPEST} deep")
        stored = item.attrs.get("MATLAB_class", b"")
        kind = stored.decode("latin-1") if isinstance(stored, bytes) else str(stored)
        if "MATLAB_sparse" in item.attrs:
            return Unread.of_class("sparse matrix")
        if kind == "function_handle":
            return Unread.of_class("function handle")
        if isinstance(item, h5py.Group):
            return self.members(item, depth + 1) if kind in CONTAINERS else Unread.of_class(kind)
        if item.attrs.get("MATLAB_object_decode", 0) == 3:
            return Unread.of_class(kind)
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return Unread("empty")
        if item.attrs.get("MATLAB_empty", 0):
            return "" if kind == "char" else np.zeros(0)
        return self.array(item, name, kind, depth)

    def array(self, item: h5py.Dataset, name: str, kind: str, depth: int) -> object:
        """A data set: numbers, a text, or the references of a cell array."""
        if item.external or item.is_virtual:
            raise DataError(f"data in another file; copy {name!r} into this one")
        check_size(name, item.shape[::-1], item.dtype.itemsize)
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            return [self.cell(reference, name, depth) for reference in item[()].ravel()]
        if item.dtype.names == ("real", "imag"):
            return Unread("complex numbers")
        if item.dtype.kind not in "buif":
            return Unread(f"data of type {item.dtype}")
        array = item[()].T if kind else item[()]
        if kind == "char":
            return text_of(array)
        return array.astype(bool) if kind == "logical" else array

    def cell(self, reference, name: str, depth: int) -> object:
        """What a reference of a cell array points to; what cannot be read hides no other cell."""
        if not reference:
            raise DataError(f"damaged: the cell array {name!r} refers to nothing")
        try:
            return self.value(self.file[reference], name, depth + 1)
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            return Unread(f"damaged: {type(error).__name__}")


def read_hdf5(path: Path, turns: Turns) -> dict[str, object]:
    """Variables of a file of version 7.3. Raises DataError, without its name, if it cannot be read at all."""
    try:
        with h5py.File(path, "r", locking=False) as file:  # shared folders may allow no lock
            reader, found = Reader(file), {}
            for name in (name for name in file if not name.startswith("#")):
                if broken := turns.broken():
                    found |= broken
                    continue
                turns.reading(name)
                found[name] = reader.member(file, name, 0)
            return found
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"is cut short or damaged: {type(error).__name__}: {error}") from error
