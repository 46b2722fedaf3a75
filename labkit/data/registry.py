"""Which image sets there are, and the module that finds, fetches and verifies each.

Such a module has `find(name, only_look=…)`, `sizes(name)`, `fetch(name, progress)` and
`verify(name)`.
"""

from __future__ import annotations

from types import ModuleType

from labkit.config import did_you_mean
from labkit.data import face_sources, sources
from labkit.data.catalogue import SETS
from labkit.data.idx import DataError


def names() -> tuple[str, ...]:
    """All sets by name."""
    return (*SETS, face_sources.NAME)


def room(name: str) -> ModuleType:
    """The module that knows the set. Raises DataError, with the nearest name, if there is none."""
    if name not in names():
        raise DataError(f"no image set {name!r}{did_you_mean(str(name).lower(), names())}")
    return face_sources if name == face_sources.NAME else sources
