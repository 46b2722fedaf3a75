"""What `labkit data` does: show, download and verify the image sets."""

from __future__ import annotations

from labkit.data import places, registry
from labkit.data.download import Failures
from labkit.data.errors import DataError
from labkit.data.found import FileCheck, Found


def status() -> list[Found]:
    """What `load` would take now, for each set, if it could not download; nothing is changed."""
    return [registry.source_module(name).find(name, only_look=True) for name in registry.names()]


def fetch(names: list[str] | None = None, progress=None) -> list[str]:
    """Download the named sets (all, by default) into data/cache unless they are there.

    Args:
        progress: function of (file name, bytes so far, bytes in all or None).

    Returns a sentence a set. Raises DataError when a set cannot be had, or when
    `LABKIT_OFFLINE` forbids it.
    """
    if places.offline():
        raise DataError("LABKIT_OFFLINE is set, so nothing is downloaded; unset it and try again")
    failures = Failures()  # whoever asks again may have a network now
    chosen = names or registry.names()
    return [registry.source_module(name).fetch(name, progress, failures=failures) for name in chosen]


def verify() -> list[FileCheck]:
    """Check every file that the search would meet; nothing is changed or set aside."""
    return [check for name in registry.names() for check in registry.source_module(name).verify(name)]
