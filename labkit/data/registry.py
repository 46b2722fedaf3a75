"""Which image sets there are, and which module knows each."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from labkit.data import sources
from labkit.data.catalogue import SETS
from labkit.data.download import Failures
from labkit.data.errors import DataError
from labkit.data.faces import sources as face_sources
from labkit.data.found import FileCheck, Found
from labkit.parameters import did_you_mean


@runtime_checkable
class ImageSource(Protocol):
    """What a module that knows image sets has to offer: `sources` and `faces.sources` do."""

    def find(self, name: str, *, only_look: bool = False, **options) -> Found:
        """The set from the first place that truly has it, else DataError.

        With `only_look` nothing is downloaded or renamed. `options` are those of `load`; a
        set that takes none raises TypeError.
        """

    def sizes(self, name: str) -> tuple[int | None, int | None]:
        """Training and test images of the whole set; None where that is not known before."""

    def fetch(self, name: str, progress=None, *, failures: Failures) -> str:
        """Bring the set into data/cache unless it is there; a sentence on what was done."""

    def verify(self, name: str) -> list[FileCheck]:
        """Check every file of the set that the search would meet; change nothing."""


def names() -> tuple[str, ...]:
    """The sets that are searched for, downloaded and verified; what is only bundled is not among them."""
    return (*SETS, face_sources.NAME)


def source_module(name: str) -> ImageSource:
    """Source module for the set `name`. Raises DataError, with the nearest name, if there is none."""
    loadable = (*names(), face_sources.RENDERED)
    if name not in loadable:
        raise DataError(f"no image set {name!r}{did_you_mean(str(name).lower(), loadable)}")
    return sources if name in SETS else face_sources
