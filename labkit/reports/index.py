"""The overview of all reports in a folder: ``index.html``."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import filelock
from markupsafe import Markup
from PIL import Image

from labkit.reports import tables
from labkit.reports.about import About, about_labs
from labkit.reports.files import read_bytes, read_json, write_atomically
from labkit.reports.html import environment, page_frame
from labkit.reports.judged import Judged, judge_claims
from labkit.reports.pictures import MOST_BYTES, kind_of
from labkit.reports.record import RunRecord
from labkit.reports.ways import address, published_beside, published_page

MOST_FIGURES = 4
THUMBNAIL_SIZE = (480, 300)


def rebuild(out: Path) -> None:
    """Write the overview of the reports that are in `out` now."""
    (out / ".work").mkdir(parents=True, exist_ok=True)
    # Two runs that end together: without the lock the older view could be written last.
    with filelock.FileLock(out / ".work" / "index.lock"):
        about = about_labs()
        found, skipped = cards(out, about)
        published = published_beside(out)
        page = environment().get_template("overview.html.j2").render(
            cards=found,
            skipped=skipped,
            published=published and address(published / "index.html", out),
            **page_frame(),
        )
        write_atomically(out / "index.html", page)


def cards(out: Path, about: dict[str, About]) -> tuple[list[str], list[str]]:
    """The overview's part on each lab in `out`, and the names of folders that it has none of."""
    found, skipped = [], []
    for folder in sorted(out.iterdir()):
        try:
            if entry := read_entry(folder, out, about):
                found.append(environment().get_template("card.html.j2").render(lab=entry))
            elif (folder / "run.json").exists():
                skipped.append(folder.name)
        except Exception:  # whatever someone left there, the other reports are listed
            skipped.append(folder.name)
    return [Markup(card) for card in found], skipped  # noqa: S704  (from a template that escapes)


def read_entry(folder: Path, out: Path, about: dict[str, About]) -> dict[str, Any] | None:
    """What the overview says of one lab, or None if `folder` holds no report."""
    record = read_json(folder / "run.json") if folder.is_dir() else None
    if record is None or not {"lab", "title", "status", "profile", "start", "data"} <= record.keys():
        return None
    if not all(isinstance(record[name], str) for name in ("lab", "title", "status", "profile", "start")):
        return None
    lab = about.get(record["lab"], About())
    return {
        "folder": folder.name,
        "record": record,
        "question": lab.question,
        "failed": read_json(folder / "failed" / "run.json"),
        "published": published_page(record["lab"], out),
        "claims": claims_in(record),
        "headline": headline(read_json(folder / "metrics.json") or {}, lab),
        "thumbnail": thumbnail(folder / "figures", lab.thumbnail),
    }


def claims_in(record: dict[str, Any]) -> list[Judged]:
    """The claims in a run.json; none where it cannot be read."""
    try:
        return judge_claims(RunRecord.from_json(record))
    except ValueError:
        return []


def headline(metrics: dict[str, Any], lab: About) -> list[tuple[str, str]]:
    """The lab's headline numbers; where it has none, the first figures that stand for themselves."""
    chosen = [(number.text, value) for number in lab.headline if (value := number.shown(metrics)) is not None]
    if chosen:
        return chosen
    single = {name: value for name, value in metrics.items() if not tables.grouped(value)}
    first = list((single or tables.flat(metrics)).items())[:MOST_FIGURES]
    return [(tables.words(name), tables.shown(value)) for name, value in first]


def thumbnail(folder: Path, name: str) -> str | None:
    """The figure of that name, else any, made small, as a data address; None if there is none."""
    found = sorted(folder.glob("*.png"), key=lambda path: (path.stem != name, path.name))
    for path in found:
        try:
            content = read_bytes(path, MOST_BYTES)
            kind_of(content)
            with Image.open(io.BytesIO(content)) as image:
                small = image.convert("RGB")
                small.thumbnail(THUMBNAIL_SIZE)
        except (OSError, ValueError, SyntaxError):  # Pillow raises the last for a broken PNG
            continue  # not a picture, or one too large; the next may be one
        buffer = io.BytesIO()
        small.save(buffer, format="JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return None
