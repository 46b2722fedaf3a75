"""What the readers of all versions of MATLAB files share: limits, checks of sizes, what is not read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit.data.errors import DataError

LARGEST_MAT = 2**30  # bytes of numbers in one file; MATLAB's 10,000 faces of 64×64 as doubles have a third
DEEPEST = 8  # of cells and structs inside each other


@dataclass(frozen=True)
class Unread:
    """A variable that is not read, and what it is."""

    what: str


def check_size(what: str, size: int, there: int) -> None:
    """Raise DataError if `what` promises `size` bytes and only `there` can be, or too many."""
    if size > there:
        raise DataError(f"is cut short or damaged: {what} promises {size:,} bytes; there are {there:,}")
    if size > LARGEST_MAT:
        raise DataError(
            f"is too large: {what} has {size:,} bytes, and {LARGEST_MAT:,} are read at most; save fewer "
            "images, or save them as uint8"
        )


def array_bytes(shape, itemsize: int) -> int:
    """Bytes of an array, in whole numbers that do not overflow."""
    return math.prod(int(n) for n in shape) * int(itemsize)
