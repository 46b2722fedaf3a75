"""Which image sets there are, and the module that finds, fetches and verifies each.

Such a module has `find(name, only_look=…)`, `sizes(name)`, `fetch(name, progress)` and
`verify(name)`.
"""

from __future__ import annotations

from types import ModuleType

from labkit.data import face_sources, sources
from labkit.data.catalogue import SETS
from labkit.data.idx import DataError
from labkit.parameters import did_you_mean


def names() -> tuple[str, ...]:
    """The sets that are searched for, downloaded and verified; what is only bundled is not among them."""
    return (*SETS, face_sources.NAME)


def room(name: str) -> ModuleType:
    """The module that knows the set. Raises DataError, with the nearest name, if there is none."""
    loadable = (*names(), face_sources.RENDERED)
    if name not in loadable:
        raise DataError(f"no image set {name!r}{did_you_mean(str(name).lower(), loadable)}")
    return sources if name in SETS else face_sources
