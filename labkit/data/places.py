"""Where image sets may lie on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from labkit.data.catalogue import FILES
from labkit.data.idx import is_image_file
from labkit.project import ROOT, bundled_data, can_write, data_cache, expanded, home, is_file, user_cache

CACHE = data_cache()
MINI = bundled_data()
DEEPEST = 3  # folders inside each other
MOST_NAMES, MOST_ENTRIES, MOST_FILES = 100_000, 500, 2_000  # listed; looked at in one folder; in all
APPLE_DOUBLE = b"\0\x05\x16\x07"  # what macOS leaves beside files on other systems' disks: ._name
SYSTEM = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


def own_root() -> Path | None:
    """The folder that `$LABKIT_DATA` names, from the current folder or else the project's.

    The second is for a kernel, whose current folder is its notebook's.
    """
    name = os.environ.get("LABKIT_DATA")
    if not name:
        return None
    path = expanded(name)
    return next(filter(is_folder, (path, ROOT / path)), path)


def caches() -> list[tuple[str, Path]]:
    """Label and folder of what was downloaded; the user's own cache if data/cache cannot be written."""
    own = user_cache()
    mine = [] if can_write(CACHE) or own == CACHE else [("your own cache", own)]
    return [("data/cache", CACHE), *mine]


def download_cache() -> tuple[str, Path]:
    """Label and folder of the cache that downloads go to."""
    return caches()[-1]


def own_and_caches() -> Iterator[tuple[str, Path]]:
    """Label and folder of the places in which users put files of their own."""
    if own := own_root():
        yield "$LABKIT_DATA", own
    yield from caches()


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, as far as this process may know."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def offline() -> bool:
    """Whether `$LABKIT_OFFLINE` forbids downloads."""
    return os.environ.get("LABKIT_OFFLINE", "0") not in ("", "0")


def keras_home() -> Path | None:
    """Folder in which Keras keeps its data sets; None for a user without a home."""
    return library_home("KERAS_HOME", ".keras", "datasets")


def sklearn_home() -> Path | None:
    """Folder in which scikit-learn keeps its data sets; None for a user without a home."""
    return library_home("SCIKIT_LEARN_DATA", "scikit_learn_data", "")


def library_home(variable: str, below_home: str, folder: str) -> Path | None:
    """The folder that an environment variable names, or that lies below the user's home."""
    if name := os.environ.get(variable):
        return expanded(name) / folder
    start = home()
    return start / below_home / folder if start else None


def files_below(folder: Path, depth: int = DEEPEST) -> list[Path]:
    """The regular files in a folder and in those inside it, `depth` deep, the nearest first.

    In a large folder `MOST_ENTRIES` entries are looked at, and no more than `MOST_FILES` in all.

    Raises OSError if the folder itself cannot be read.
    """
    found, level = [], [folder]
    for _ in range(depth + 1):
        inside = []
        for place in level:
            if len(found) < MOST_FILES:
                entries = entries_of(place, strict=place == folder)
                found += filter(is_file, entries)
                inside += filter(is_folder, entries)
        level = inside[:MOST_ENTRIES]
    return found


def entries_of(folder: Path, *, strict: bool) -> list[Path]:
    """What lies in a folder, what has a telling name first; nothing if it is locked, unless `strict`."""
    try:
        entries = list(islice(folder.iterdir(), MOST_NAMES))
    except OSError:
        if strict:
            raise
        return []
    return sorted(entries, key=lambda path: (not has_telling_name(path), path.name))[:MOST_ENTRIES]


def has_telling_name(path: Path) -> bool:
    """Whether a file is named as one of those that are looked for."""
    return bool(official_name(path)) or path.suffix.lower() in (".mat", ".npz", ".gz", ".zip")


def own_problems() -> list[str]:
    """A warning when `$LABKIT_DATA` is set but is no folder, or one with nothing that is understood."""
    own = own_root()
    if own is None:
        return []
    try:
        files = files_below(own)
        names = [path.name + "/" * is_folder(path) for path in entries_of(own, strict=True)]
    except (OSError, ValueError):
        return ["$LABKIT_DATA is set, but is no folder that can be opened"]
    if any(official_name(path) or is_mat_file(path) or is_image_file(path) for path in files):
        return []
    there = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [
        f"$LABKIT_DATA is set, but nothing in it is understood (it holds {there or 'no files'}); "
        "IDX files or mnist.npz, and .mat files in faces/, are"
    ]


def official_name(path: Path) -> str | None:
    """The name of the official IDX file that a file is named as, in one of the spellings in use."""
    name = path.name.removesuffix(".gz").replace(".idx", "-idx")
    return name if name in FILES.values() else None


def is_mat_file(path: Path) -> bool:
    """Whether a file is for the reader of MATLAB files: by its name, or by its first bytes."""
    try:
        with open(path, "rb") as file:
            start = file.read(520)
    except OSError:
        start = b""
    if start.startswith(APPLE_DOUBLE) or (path.name.startswith("._") and not start):
        return False
    return path.suffix.lower() == ".mat" or start.startswith(b"MATLAB ")


def not_found_message(name: str, labels, problems: list[str]) -> str:
    """The error for a set that no source has: a line for each, what was wrong or that it is not there."""
    silent = [label for label in labels if not any(p.startswith(f"{label}: ") for p in problems)]
    off = ["download: switched off by LABKIT_OFFLINE"] if offline() else []
    lines = [*(f"{label}: not there" for label in silent), *off, *problems]
    return f"{name} was found nowhere:\n  " + "\n  ".join(lines)
