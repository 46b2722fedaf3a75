"""Where the project's files are, in a checkout or installed from a wheel, and how files are written.

In a checkout everything lies in its folders. A wheel carries the notebooks and the bundled image
sets in ``labkit/bundled``; reports then go below the current folder, downloads to the user's cache.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import threading
import tomllib
import warnings
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

PACKAGE = Path(__file__).resolve().parent
BUNDLED = PACKAGE / "bundled"  # in a wheel only
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
# What error texts and reports write paths relative to.
ROOT = CHECKOUT or PACKAGE.parent
PUBLISHED = CHECKOUT / "reports" if CHECKOUT else None


def own_notebooks() -> Path:
    """Folder of labkit's own notebooks."""
    return CHECKOUT / "notebooks" if CHECKOUT else BUNDLED / "notebooks"


def notebooks_dir() -> Path:
    """Folder of the labs: ``$LABKIT_NOTEBOOKS``, else labkit's own notebooks."""
    return Path(os.environ.get("LABKIT_NOTEBOOKS") or own_notebooks())


def local_reports() -> Path:
    """Folder of the reports that are not published: ``reports/local`` of the checkout, or here.

    Where neither can be written, as in a course folder on a read-only share, it lies in the
    user's home, where file browsers show it.
    """
    places = [place / "reports" / "local" for place in (CHECKOUT, Path.cwd()) if place]
    last = (home() or user_cache().parent) / "labkit-reports"
    return next(filter(can_write, places), last)


def home() -> Path | None:
    """The user's home folder, or None for a user who has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def user_cache() -> Path:
    """Folder for downloads of this user alone; a temporary one for a user without a home."""
    known = home() or os.environ.get("XDG_CACHE_HOME")
    start = platformdirs.user_cache_path("labkit") if known else Path(tempfile.gettempdir()) / "labkit-cache"
    return start / "data"


def data_cache() -> Path:
    """Folder into which image sets are downloaded, and where users may put files of their own."""
    return CHECKOUT / "data" / "cache" if CHECKOUT else user_cache()


# pathlib's questions raise where a folder is locked, and its expanduser where there is no such user.


def is_file(path: Path) -> bool:
    """Whether `path` leads to a regular file, as far as this process may know."""
    return os.path.isfile(path)  # noqa: PTH113


def is_there(path: Path) -> bool:
    """Whether `path` leads to anything, as far as this process may know."""
    return os.path.exists(path)  # noqa: PTH110


def expanded(name: str) -> Path:
    """A path with ~ for a home folder; as it is where there is no such user."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def can_write(folder: Path) -> bool:
    """Whether files can be made in `folder`, which need not be there yet."""
    there = next(filter(is_there, (folder, *folder.parents)), folder)
    return not is_file(there) and os.access(there, os.W_OK | os.X_OK)


def bundled_data() -> Path:
    """Folder of the image sets that come with labkit."""
    return CHECKOUT / "data" / "mini" if CHECKOUT else BUNDLED / "data"


def run_dir() -> Path | None:
    """Folder of the batch run this process is part of (``$LABKIT_RUN_DIR``), if any."""
    path = os.environ.get("LABKIT_RUN_DIR")
    return Path(path) if path else None


def live_dir(lab: str) -> Path:
    """Folder of this run's checkpoints and figures: the batch run's, else one for work in JupyterLab."""
    return run_dir() or local_reports() / ".work" / f"{lab}-live"


def record(kind: str, facts: dict[str, Any]) -> None:
    """Append one fact that only the kernel knows to the run's ``facts.jsonl``.

    Does nothing outside a batch run. The runner reads the file into ``run.json``. On a full disk
    it warns: what is being computed matters more than the note of it.
    """
    if (folder := run_dir()) is not None:
        line = json.dumps({"kind": kind, **facts}, default=list) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / "facts.jsonl", "a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            warnings.warn(f"the run's record lacks {kind!r}: {error.strerror or error}", stacklevel=3)


def tell_epoch(epoch: int, epochs: int) -> None:
    """Say which epoch is being trained, from 1, for the progress of a batch run; else do nothing."""
    if (folder := run_dir()) is not None and folder.is_dir():
        with replacing(folder / "epoch.json") as temporary:
            temporary.write_text(json.dumps({"epoch": epoch, "epochs": epochs}), encoding="utf-8")


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a file of the course, {} where there is none; editors may put a byte-order mark first.

    Raises OSError and ValueError for a file that cannot be read.
    """
    return parsed_toml(path, path.stat().st_mtime_ns) if path.exists() else {}


@lru_cache(maxsize=16)
def parsed_toml(path: Path, changed: int) -> dict[str, Any]:
    """The table, read once for each time that the file was `changed`: overviews ask for every run."""
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def usable_cores() -> int:
    """Number of processor cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def replacing(path: Path):
    """Give a temporary path beside `path`; rename it to `path` if nothing was raised.

    A reader never meets half a file, and an error leaves the old file as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside(path: Path, mark: str = "corrupt") -> str:
    """Rename a bad file to the next free ``*.corrupt``; the end of a sentence says what was done."""
    names = (f"{path.name}.{mark}{number or ''}" for number in itertools.count())
    free = next(name for name in names if not os.path.lexists(path.with_name(name)))
    try:
        path.rename(path.with_name(free))
        return f"; set aside as {free}"
    except OSError as error:
        return f"; left where it is ({error.strerror})"
