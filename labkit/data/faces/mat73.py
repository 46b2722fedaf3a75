"""MATLAB files of version 7.3, which are HDF5, read by h5py.

MATLAB writes dimensions in reverse order and the class of each variable as an attribute.
A file without these attributes was written by another program: its arrays are taken as
they are. Links to other files and storage outside the file are refused.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import DEEPEST, Unread, array_bytes, check_size

MOST_PACKED = 1100  # bytes that one compressed byte can hold at most, by the method that MATLAB uses


class Reader:
    """Reads an open file; `read` counts the bytes of numbers so far."""

    def __init__(self, file: h5py.File):
        self.file, self.read = file, 0

    def variables(self) -> dict[str, object]:
        """All variables by name."""
        return self.members(self.file, 0)

    def members(self, group: h5py.Group, depth: int) -> dict[str, object]:
        """What a group holds by name; links to elsewhere are no members."""
        if depth > DEEPEST:
            raise DataError(f"has cells or structs more than {DEEPEST} deep")
        names = [name for name in group if not name.startswith("#")]
        own = [name for name in names if isinstance(group.get(name, getlink=True), h5py.HardLink)]
        found = {name: self.value(group[name], name, depth) for name in own}
        return found | {name: Unread("link to elsewhere") for name in names if name not in own}

    def value(self, item, name: str, depth: int) -> object:
        """One variable as `labkit.data.faces.matfile` describes it."""
        stored = item.attrs.get("MATLAB_class", b"")
        kind = stored.decode("latin-1") if isinstance(stored, bytes) else str(stored)
        if isinstance(item, h5py.Group):
            return self.members(item, depth + 1)
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return Unread("empty")
        if item.attrs.get("MATLAB_empty", 0):
            return np.zeros(0)
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            self.check(item, name)
            return [self.dereference(reference, name, depth) for reference in item[()].ravel()]
        if item.dtype.kind not in "buif" or "MATLAB_object_decode" in item.attrs:
            return Unread(f"data of type {item.dtype}")
        self.check(item, name)
        array = item[()].T if kind else item[()]
        if kind == "char":
            return "".join(map(chr, array.ravel("F").tolist()))
        return array.astype(bool) if kind == "logical" else array

    def dereference(self, reference, name: str, depth: int) -> object:
        """What a reference of a cell array points to."""
        if depth > DEEPEST:
            raise DataError(f"has cells or structs more than {DEEPEST} deep")
        if not reference:
            raise DataError(f"is damaged: the cell array {name!r} refers to nothing")
        return self.value(self.file[reference], name, depth + 1)

    def check(self, item: h5py.Dataset, name: str) -> None:
        """Raise DataError before anything is allocated that is not there or too large."""
        if item.external or item.is_virtual:
            raise DataError(f"keeps {name!r} in another file; copy it into this one")
        size, stored = array_bytes(item.shape, item.dtype.itemsize), item.id.get_storage_size()
        packed = bool(item.id.get_create_plist().get_nfilters())
        shape = "×".join(map(str, item.shape[::-1]))
        check_size(f"{name!r} of {shape}", size, stored * (MOST_PACKED if packed else 1))
        self.read += size
        check_size(f"all up to {name!r}", self.read, self.read)


def read_hdf5(path: Path) -> dict[str, object]:
    """Variables of a file of version 7.3. Raises DataError, without the file's name."""
    try:
        with h5py.File(path, "r") as file:
            return Reader(file).variables()
    except DataError:
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError, … for damage
        raise DataError(f"is cut short or damaged: {type(error).__name__}: {error}") from error
