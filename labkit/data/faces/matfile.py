"""Variables of a MATLAB file as plain values, whatever its version (4 to 7.3).

A value is a NumPy array in MATLAB's shape (numbers or truth values), a `str`, a list (a
cell array, column by column), a dict (a struct; of a struct array, name → list), or
`matvalues.Unread` for what labs have no use for. No object is rebuilt and no code run: classes,
function handles and opaque data are never read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import Turns, Unread, check_size
from labkit.data.idx import describe_start

HDF5 = b"\x89HDF\r\n\x1a\n"
OTHERS = {
    b"\x80\x02": "a pickle", b"\x80\x03": "a pickle", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle",
    b"PK\x03\x04": "a zip or npz archive", b"\x93NUMPY": "a NumPy array", b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"%PDF": "a PDF document",
    b"# Created by Octave": "Octave's text format",
}  # fmt: skip


def read_mat(path: Path, turns: Turns | None = None) -> dict[str, object]:
    """Variables of a .mat file by name; one that cannot be read is `Unread`.

    A foreign file may crash the libraries that read it: `apart` calls this in a process of its own.

    Raises:
        DataError: no MATLAB file, one cut short, or one without a variable that can be read.
            The message names the file.
        OSError: it cannot be opened.
    """
    turns = turns or Turns()
    kind = kind_of(path)
    try:
        if kind == "7.3":
            from labkit.data.faces.mat73 import read_hdf5  # h5py takes a while, and most files need it not

            found = read_hdf5(path, turns)
        else:
            from labkit.data.faces.mat5 import read_old  # so does SciPy

            check_size("the file", (path.stat().st_size,), 1)
            found = read_old(memoryview(np.memmap(path, np.uint8, "r")), kind, turns)
    except DataError as error:
        raise DataError(f"{path.name} {error}") from error
    bad = [f"{name}: {value.what}" for name, value in found.items() if is_bad(value)]
    if bad and len(bad) == len(found):
        what = "damaged" if any("damaged" in reason for reason in bad) else "too large"
        raise DataError(f"{path.name} is {what}: {'; '.join(bad)}")
    return found


def is_bad(value: object) -> bool:
    """Whether a variable was not read because of damage or its size, and not for what it is."""
    return isinstance(value, Unread) and ("damaged" in value.what or "too large" in value.what)


def kind_of(path: Path) -> str:
    """ "4", "5" (also 6 and 7) or "7.3". Raises DataError for any other format."""
    with open(path, "rb") as file:
        start = file.read(520)
    other = next((what for mark, what in OTHERS.items() if start.startswith(mark)), None)
    if not start:
        raise DataError(f"{path.name} is empty")
    if start.startswith(HDF5) or start[512:].startswith(HDF5):
        return "7.3"
    if start[126:128] in (b"IM", b"MI") and 1 in start[124:126]:
        return "5"
    if start.startswith(b"MATLAB 7.3"):
        raise DataError(f"{path.name} is cut short: a header of MATLAB 7.3 with nothing after it")
    if other is None and starts_as_v4(start):
        return "4"
    unknown = "its first bytes are of none of its versions"
    what = other or describe_start(start).replace("wrong start", unknown)
    raise DataError(f"{path.name} is no MATLAB file ({what}); save('faces.mat', …) in MATLAB makes one")


def starts_as_v4(start: bytes) -> bool:
    """Whether the first 20 bytes can be the header of a variable of version 4."""
    if len(start) < 20:
        return False
    for order in ("<", ">"):
        mopt, rows, columns, imaginary, name = np.frombuffer(start[:20], f"{order}i4").tolist()
        thousands, rest = divmod(mopt, 1000)
        sane = rows >= 0 and columns >= 0 and imaginary in (0, 1) and 1 < name < 256
        if sane and thousands == (order == ">") and rest % 10 in (0, 1, 2) and rest // 10 in range(6):
            return True
    return False
