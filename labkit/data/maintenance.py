"""What `labkit data` does: show, download and verify the image sets."""

from __future__ import annotations

from labkit.data import places, registry
from labkit.data.download import Failures
from labkit.data.errors import DataError
from labkit.data.found import FileCheck, Found, Refused


def status() -> list[Found | Refused]:
    """What `load` would take now, for each set, if it could not download; nothing is changed."""
    return [looked_for(name) for name in registry.names()]


def looked_for(name: str) -> Found | Refused:
    """One set, or why there is none: what is wrong with one set hides no other."""
    try:
        return registry.source_module(name).find(name, only_look=True)
    except DataError as error:
        return Refused(name, str(error))


def fetch(names: list[str] | None = None, progress=None) -> list[str | Refused]:
    """Download the named sets (all, by default) into data/cache unless they are there.

    Args:
        progress: function of (file name, bytes so far, bytes in all or None).

    Returns a sentence a set, or why it cannot be had. Raises DataError for an unknown name, and
    when `LABKIT_OFFLINE` forbids it.
    """
    if places.offline():
        raise DataError("LABKIT_OFFLINE is set, so nothing is downloaded; unset it and try again")
    failures = Failures()  # whoever asks again may have a network now
    modules = {name: registry.source_module(name) for name in names or registry.names()}
    return [fetched(module, name, progress, failures) for name, module in modules.items()]


def fetched(module: registry.ImageSource, name: str, progress, failures: Failures) -> str | Refused:
    """One set brought into the cache, in a sentence, or why it cannot be had."""
    try:
        return module.fetch(name, progress, failures=failures)
    except DataError as error:
        return Refused(name, str(error))


def verify() -> list[FileCheck]:
    """Check every file that the search would meet; nothing is changed or set aside."""
    return [check for name in registry.names() for check in registry.source_module(name).verify(name)]
