"""Where image sets may lie on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from labkit.project import ROOT, bundled_data, data_cache

CACHE = data_cache()
MINI = bundled_data()
SYSTEM = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


def own_root() -> Path | None:
    """The folder that `$LABKIT_DATA` names, from the current folder or else the project's.

    The second is for a kernel, whose current folder is its notebook's.
    """
    name = os.environ.get("LABKIT_DATA")
    if not name:
        return None
    path = Path(name).expanduser()
    return next(filter(is_folder, (path, ROOT / path)), path)


def own_and_cache() -> Iterator[tuple[str, Path]]:
    """Label and folder of the two places in which users put files of their own."""
    if own := own_root():
        yield "$LABKIT_DATA", own
    yield "data/cache", CACHE


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, as far as this process may know."""
    try:
        return path.is_dir()
    except OSError:
        return False


def offline() -> bool:
    """Whether `$LABKIT_OFFLINE` forbids downloads."""
    return os.environ.get("LABKIT_OFFLINE", "0") not in ("", "0")


def keras_home() -> Path:
    """Folder in which Keras keeps its data sets."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def sklearn_home() -> Path:
    """Folder in which scikit-learn keeps its data sets."""
    return Path(os.environ.get("SCIKIT_LEARN_DATA") or Path.home() / "scikit_learn_data").expanduser()


def missing_root() -> list[str]:
    """A warning when `$LABKIT_DATA` is set but is no folder."""
    own = own_root()
    missing = own is not None and not is_folder(own)
    return ["$LABKIT_DATA is set, but is no folder that can be opened"] if missing else []


def not_found_message(name: str, labels, problems: list[str]) -> str:
    """The error for a set that no source has: a line for each, what was wrong or that it is not there."""
    silent = [label for label in labels if not any(p.startswith(f"{label}: ") for p in problems)]
    off = ["download: switched off by LABKIT_OFFLINE"] if offline() else []
    lines = [*(f"{label}: not there" for label in silent), *off, *problems]
    return f"{name} was found nowhere:\n  " + "\n  ".join(lines)


def set_aside(path: Path) -> str:
    """Rename a bad file to *.corrupt, so that the next search does not meet it again."""
    try:
        path.rename(path.with_name(path.name + ".corrupt"))
        return f"; set aside as {path.name}.corrupt"
    except OSError as error:
        return f"; left where it is ({error.strerror})"
