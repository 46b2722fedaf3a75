"""Putting a run's results in place, file by file, each whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat

from labkit.reports import html, index
from labkit.reports.files import read_json, to_json, write_atomically
from labkit.reports.notebook import figures, mend
from labkit.reports.record import RunRecord
from labkit.reports.texts import path_cleaner

FAILED = "failed"


def publish(record: RunRecord, metrics: dict[str, Any], notebook, place: Path, out: Path) -> RunRecord:
    """Make the report and put all results into `place`; return the record as written.

    A run that is not complete goes to ``failed/`` inside `place` if a completed run is
    there, so that it never overwrites a good one; a completed run removes ``failed/``.
    Raises OSError if something cannot be written; what was in place is then untouched.
    """
    clean = path_cleaner(out)
    record = record.cleaned(clean)
    notebook = mend(notebook, record, clean)
    page, warnings = html.render(notebook, record, metrics)
    record = replace(record, warnings=[*record.warnings, *warnings])
    good_in_place = (read_json(place / "run.json") or {}).get("status") == "completed"
    target = place / FAILED if good_in_place and record.status != "completed" else place
    put(
        {
            "report.html": page.encode(),
            "report.ipynb": nbformat.writes(notebook).encode(),
            "metrics.json": to_json(metrics).encode(),
            "run.json": to_json(asdict(record)).encode(),  # last: it vouches for the others
        },
        figures(notebook),
        target,
    )
    if record.status == "completed" and (place / FAILED).exists():
        shutil.rmtree(place / FAILED)
    index.rebuild(out)
    return record


def put(files: dict[str, bytes], pictures: dict[str, bytes], target: Path) -> None:
    """Write everything beside its place first, so that a full disk harms nothing, then rename."""
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target, prefix=".new-"))
    try:
        (staging / "figures").mkdir()
        for name, content in pictures.items():
            write_atomically(staging / "figures" / name, content)
        for name, content in files.items():
            write_atomically(staging / name, content)
        if (target / "figures").exists():
            (target / "figures").rename(staging / "old-figures")
        (staging / "figures").rename(target / "figures")
        for name in files:
            (staging / name).replace(target / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
