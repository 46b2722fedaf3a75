"""What lies where reports are to be written: nothing that labkit did not write is written over."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from labkit.reports.files import read_json

FILES = ("report.html", "report.ipynb", "metrics.json", "run.json")
GENERATOR = b'<meta name="generator" content="labkit">'
MOST_HEAD = 4_096  # bytes of a page in which its generator stands


def refusal(out: Path, names: Iterable[str]) -> str:
    """Why the reports of the labs `names` cannot be written to `out`; empty where they can.

    Other files and folders in `out` are left alone, so that they are no reason.
    """
    index, work = out / "index.html", out / ".work"
    if os.path.lexists(index) and not is_page(index):
        return f"{index} is not a page that labkit wrote, and would be written over"
    found = [why for why in (not_a_folder(work), *(not_a_folder(work / name) for name in names)) if why]
    found += [why for name in names if (why := not_a_report(out / name))]
    return found[0] if found else ""


def not_a_folder(place: Path) -> str:
    """Why `place` is nothing that a run may empty; empty where it is a folder, or nothing yet."""
    if place.is_symlink():
        return f"{place} is a link, and labkit writes to folders of its own only"
    return f"{place} is a file; a folder was expected" if place.exists() and not place.is_dir() else ""


def not_a_report(place: Path) -> str:
    """Why a report cannot be put in `place`; empty where there is one of labkit's, or nothing like one.

    A file there is no reason: the run cannot write over it, and says so when it has ended.
    """
    if place.is_symlink():
        return not_a_folder(place)
    there = [name for name in FILES if os.path.lexists(place / name)]
    for name in there:
        if (place / name).is_symlink() or not (place / name).is_file():
            return f"{place / name} is no file, and labkit's {name} would stand there"
    if there and not is_ours(place):
        return f"{place / there[0]} is not from a run of labkit's, and would be written over"
    return not_a_report(place / "failed") if (place / "failed").exists() else ""


def is_ours(place: Path) -> bool:
    """Whether the files of a report in `place` are labkit's."""
    record = read_json(place / "run.json") or {}
    return {"lab", "status", "profile"} <= record.keys() or is_page(place / "report.html")


def is_page(path: Path) -> bool:
    """Whether `path` is a page that labkit wrote."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with open(path, "rb") as file:
            return GENERATOR in file.read(MOST_HEAD)
    except OSError:
        return False
