"""The overview of all reports in a folder: ``index.html``."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import filelock
from PIL import Image

from labkit.reports import tables
from labkit.reports.files import read_json, write_atomically
from labkit.reports.html import environment, frame

MOST_FIGURES = 4
THUMBNAIL_SIZE = (480, 300)


def rebuild(out: Path) -> None:
    """Write the overview of the reports that are in `out` now."""
    (out / ".work").mkdir(parents=True, exist_ok=True)
    # Two runs that end together: without the lock the older view could be written last.
    with filelock.FileLock(out / ".work" / "index.lock"):
        labs = [entry for folder in sorted(out.iterdir()) if (entry := read_entry(folder))]
        page = environment().get_template("overview.html.j2").render(labs=labs, **frame())
        write_atomically(out / "index.html", page)


def read_entry(folder: Path) -> dict[str, Any] | None:
    """What the overview says of one lab, or None if `folder` holds no report."""
    record = read_json(folder / "run.json") if folder.is_dir() else None
    if record is None or not {"lab", "title", "status", "profile", "start", "data"} <= record.keys():
        return None
    return {
        "folder": folder.name,
        "record": record,
        "failed": read_json(folder / "failed" / "run.json"),
        "headline": headline(read_json(folder / "metrics.json") or {}),
        "thumbnail": thumbnail(folder / "figures"),
    }


def headline(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """The first figures that stand for themselves, else the first of all."""
    single = {name: value for name, value in metrics.items() if not tables.grouped(value)}
    chosen = list((single or tables.flat(metrics)).items())[:MOST_FIGURES]
    return [(tables.words(name), tables.shown(value)) for name, value in chosen]


def thumbnail(folder: Path) -> str | None:
    """The folder's first figure, made small, as a data address; None if there is none."""
    # Figures are written in the notebook's order, which names do not tell.
    found = sorted(folder.glob("*.png"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    for path in found:
        try:
            with Image.open(path) as image:
                small = image.convert("RGB")
                small.thumbnail(THUMBNAIL_SIZE)
        except OSError:
            continue  # not a picture; the next may be one
        buffer = io.BytesIO()
        small.save(buffer, format="JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return None
