"""The overview of all reports in a folder, and of its sweeps: ``index.html``.

A neighbour that cannot be read is named there; it stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from markupsafe import Markup

from labkit.reports import tables
from labkit.reports.about import About, about_labs
from labkit.reports.files import read_json, write_atomically
from labkit.reports.html import TEMPLATE, content_security_policy, environment, page_frame, player
from labkit.reports.judged import Judged, judge_claims
from labkit.reports.record import RunRecord
from labkit.reports.thumbnails import thumbnail
from labkit.reports.ways import address, published_beside, published_page

MOST_FIGURES = 4
MOST_CARDS = 40  # with more runs than this the overview is a table
SWEEPS = "sweeps"


@dataclass(frozen=True)
class Entry:
    """What the overview says of one run; `failed` is the record of a later one that failed."""

    folder: str
    record: RunRecord
    failed: dict[str, Any] | None
    question: str
    published: str | None
    claims: list[Judged]
    headline: list[tuple[str, str]]
    thumbnail: str | None

    @property
    def page(self) -> str:
        """Address of the run's page."""
        return f"{self.folder}/report.html"


@dataclass
class Overview:
    """What there is in a folder of reports: runs, sweeps, what has not ended, what cannot be read."""

    runs: list[Entry]
    sweeps: list[dict[str, Any]]
    unfinished: list[tuple[str, str]]
    unreadable: list[str]

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Runs that are not complete: folder, address of the page, how it ended."""
        found = []
        for entry in self.runs:
            if entry.record.status != "completed":
                found.append((entry.folder, entry.page, entry.record.ending()))
            elif entry.failed:
                status = str(entry.failed.get("status")).replace("_", " ")
                found.append((entry.folder, f"{entry.folder}/failed/report.html", f"a later run {status}"))
        return found


def rebuild(out: Path) -> None:
    """Write the overview of the reports that are in `out` now. Raises OSError if it cannot be written."""
    (out / ".work").mkdir(parents=True, exist_ok=True)
    # Two commands that end together: without the lock the older view could be written last.
    with filelock.FileLock(out / ".work" / "index.lock"):
        published = published_beside(out)
        overview = look(out)
        cards = len(overview.runs) <= MOST_CARDS
        parts = rendered(overview, "card.html.j2" if cards else "row.html.j2")
        page = (
            environment()
            .get_template("overview.html.j2")
            .render(
                overview=overview,
                parts=parts,
                cards=cards,
                published=published and address(published / "index.html", out),
                **listing_frame(),
            )
        )
        write_atomically(out / "index.html", page)


def look(out: Path) -> Overview:
    """Read what there is in `out`."""
    about, overview = about_labs(), Overview([], [], [], [])
    folders = [folder for folder in sorted(out.iterdir()) if (folder / "run.json").exists()]
    size = "card" if len(folders) <= MOST_CARDS else "row"
    for folder in folders:
        try:
            overview.runs.append(read_entry(folder, out, about, size))
        except Exception as error:  # whatever lies there, the other runs are to be seen
            overview.unreadable.append(f"{folder.name}: {type(error).__name__}: {error}"[:300])
    sweeps = sorted((out / SWEEPS).glob("*/sweep.json"))
    overview.sweeps = [found for path in sweeps if (found := read_sweep(path, out))]
    overview.unfinished = unfinished(out)
    return overview


def read_entry(folder: Path, out: Path, about: dict[str, About], size: str) -> Entry:
    """What the overview says of one run. Raises ValueError where its run.json is not one."""
    stored = read_json(folder / "run.json")
    if stored is None:
        raise ValueError("run.json is not readable JSON")
    record = RunRecord.from_json(stored)
    if not all(isinstance(fact, dict) for fact in record.data):
        raise ValueError("run.json: 'data' is no list of facts")
    lab = about.get(record.lab, About())
    return Entry(
        folder=folder.name,
        record=record,
        question=lab.question,
        failed=read_json(folder / "failed" / "run.json"),
        published=published_page(record.lab, out),
        claims=judge_claims(record),
        headline=headline(read_json(folder / "metrics.json") or {}, lab),
        thumbnail=thumbnail(folder, out, lab.thumbnail, size),
    )


def rendered(overview: Overview, template: str) -> list[Markup]:
    """Each run's part of the page; one that cannot be made is named as unreadable."""
    part, parts = environment().get_template(template), []
    for run in list(overview.runs):
        try:
            run.record.ending()
            parts.append(Markup(part.render(run=run)))  # noqa: S704  (from a template that escapes)
        except Exception as error:  # whatever lies there, the other runs are to be seen
            overview.runs.remove(run)
            overview.unreadable.append(f"{run.folder}: {type(error).__name__}: {error}"[:300])
    return parts


def read_sweep(path: Path, out: Path) -> dict[str, Any] | None:
    """What the overview says of one sweep, or None where its sweep.json cannot be read."""
    stored = read_json(path) or {}
    counts = stored.get("counts")
    if not isinstance(counts, dict) or not isinstance(stored.get("parameters"), list):
        return None
    return {
        "name": path.parent.name,
        "address": f"{address(path.parent, out)}/index.html",
        "lab": str(stored.get("lab")),
        "profile": str(stored.get("profile")),
        "parameters": [str(name) for name in stored["parameters"]],
        "counts": {str(status): number for status, number in counts.items()},
    }


def unfinished(out: Path) -> list[tuple[str, str]]:
    """Runs that were begun and have no record: folder, and when they began.

    They are going on, or the machine went down: every other end leaves a record.
    """
    found = []
    for marker in sorted((out / ".work").glob("*/*/.runner/unfinished.json")):
        name, start = marker.parts[-4], str((read_json(marker) or {}).get("start") or "")
        records = (read_json(out / name / where / "run.json") or {} for where in (".", "failed"))
        if start and all(start > str(record.get("start", "")) for record in records):
            found.append((name, start))
    return found


def headline(metrics: dict[str, Any], lab: About) -> list[tuple[str, str]]:
    """The lab's headline numbers; where it has none, the first figures that stand for themselves."""
    chosen = [(number.text, value) for number in lab.headline if (value := number.shown(metrics)) is not None]
    if chosen:
        return chosen
    single = {name: value for name, value in metrics.items() if not tables.grouped(value)}
    first = list((single or tables.flat(metrics)).items())[:MOST_FIGURES]
    return [(tables.words(name), tables.shown(value)) for name, value in first]


def listing_frame() -> dict[str, Any]:
    """The frame of a page that lists runs: sortable tables besides what every page has."""
    frame = page_frame()
    script = frame["script"] + (TEMPLATE / "listing.js").read_text(encoding="utf-8")
    style = frame["style"] + (TEMPLATE / "listing.css").read_text(encoding="utf-8")
    return {"style": style, "script": script, "policy": content_security_policy([script, player.SCRIPT])}
