"""What the readers of all versions of MATLAB files share: limits, texts, what is not read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labkit.data.errors import DataError

LARGEST_MAT = 2**29  # bytes of numbers in one file; MATLAB's 10,000 faces of 64×64 as doubles have 328 MB
TOO_LARGE = "too large: it needs more memory than a file gets; save fewer images, or as uint8"
DEEPEST = 8  # of cells and structs inside each other
# What to type in MATLAB so that a value of that class can be read; "{}" stands for it.
REMEDIES = {
    "string": "cellstr({})",
    "categorical": "cellstr({})",
    "datetime": "cellstr({})",
    "sparse matrix": "full({})",
    "table": "table2struct({}, 'ToScalar', true)",
}


@dataclass(frozen=True)
class Unread:
    """A variable that is not read, and what it is; `remedy` is what to type in MATLAB instead of it."""

    what: str
    remedy: str = ""

    @classmethod
    def of_class(cls, name: str) -> Unread:
        """A value of a MATLAB class that is no array of numbers or texts."""
        plain = name in ("sparse matrix", "function handle")
        return cls(name if plain else f"object of class {name or 'unknown'}", REMEDIES.get(name, ""))


class Turns:
    """Counts the variables of a file as they are read, and tells `announce` of each.

    `breaking` are the numbers, from 1, and names of those at which the reader broke down before.
    """

    def __init__(self, announce: Callable[[str], None] | None = None, breaking: dict | None = None):
        self.announce, self.breaking, self.number = announce, breaking or {}, 0

    def broken(self) -> dict[str, Unread]:
        """Begin with the next variable; not empty if it is not to be read."""
        self.number += 1
        self.reading("")
        if self.number not in self.breaking:
            return {}
        name = self.breaking[self.number] or f"variable {self.number}"
        return {name: Unread("damaged: the reader breaks down at it")}

    def reading(self, name: str) -> None:
        """Tell that the variable of that name is being read now."""
        if self.announce:
            self.announce(f"{self.number} {name}")


def check_size(what: str, shape, itemsize: int) -> None:
    """Raise DataError if an array is larger than what is read; nothing is allocated for it then."""
    size = math.prod(int(n) for n in shape) * int(itemsize)
    if size > LARGEST_MAT:
        raise DataError(
            f"too large: {what} of {'×'.join(map(str, shape))} has {size:,} bytes, and {LARGEST_MAT:,} are "
            "read at most; save fewer images, or save them as uint8"
        )


def text_of(units: np.ndarray) -> object:
    """A char array of UTF-16 units, (rows, columns): its text, or the list of its rows.

    Trailing blanks of rows are MATLAB's padding. Damaged text is `Unread`.
    """
    units = np.asarray(units, dtype="<u2")
    rows = units.reshape(len(units), -1) if units.size else np.zeros((1, 0), "<u2")
    try:
        texts = [row.tobytes().decode("utf-16-le") for row in rows]
    except UnicodeDecodeError:
        return Unread("text that cannot be read")
    return texts[0] if len(texts) == 1 else [text.rstrip() for text in texts]
