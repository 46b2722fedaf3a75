"""Putting a run's results in place, file by file, each whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat

from labkit.reports import html, people
from labkit.reports.files import read_json, to_json
from labkit.reports.notebook import figures, apply_record
from labkit.reports.record import RunRecord
from labkit.reports.texts import clean_texts, path_cleaner
from labkit.reports.ways import neighbours

FAILED = "failed"


def is_good(report_dir: Path) -> bool:
    """Whether a completed run's results are in `report_dir`."""
    return (read_json(report_dir / "run.json") or {}).get("status") == "completed"


def put_results(
    record: RunRecord, metrics: dict[str, Any], notebook, report_dir: Path, out: Path, *, keep: bool
) -> RunRecord:
    """Make the report and put all results into `report_dir`; return the record as written.

    With `keep`, for there was a completed run in `report_dir` before this one, a run that is not
    complete goes to ``failed/`` inside it; a completed run removes ``failed/``. A report
    that cannot be made is a failed run with a page that says so. Raises OSError if
    something cannot be written; what was in place is then untouched.
    """
    clean = path_cleaner(out)
    target = report_dir / FAILED if keep and record.status != "completed" else report_dir
    ways = neighbours(record.lab, target, out)
    record = record.cleaned(clean)
    metrics = clean_texts(metrics, clean)
    try:
        notebook = apply_record(notebook, record, clean)
        if record.people == people.LEFT_OUT:
            people.leave_out(notebook)
        page, warnings = html.render(notebook, record, metrics, ways)
        record = replace(record, warnings=[*record.warnings, *warnings])
        files, pictures = report_files(record, metrics, notebook, page), figures(notebook)
    except Exception as error:  # whatever a cell displayed, the run keeps its record
        record = without_report(record, error)
        files, pictures = report_files(record, {}, nbformat.v4.new_notebook(), html.render_bare(record, ways)), {}
    write_report(files, pictures, target)
    if record.status == "completed" and (report_dir / FAILED).exists():
        shutil.rmtree(report_dir / FAILED)
    return record


def put_bare(record: RunRecord, report_dir: Path, out: Path, *, keep: bool) -> None:
    """Put the record and a page without cells into `report_dir`, as `put_results` would the whole."""
    target = report_dir / FAILED if keep else report_dir
    record = record.cleaned(path_cleaner(out))
    page = html.render_bare(record, neighbours(record.lab, target, out))
    write_report({"report.html": page.encode(), "run.json": to_json(asdict(record)).encode()}, {}, target)


def report_files(record: RunRecord, metrics: dict[str, Any], notebook, page: str) -> dict[str, bytes]:
    """The files of a report by name; run.json last, for it vouches for the others."""
    return {
        "report.html": page.encode(),
        "report.ipynb": nbformat.writes(notebook).encode(),
        "metrics.json": to_json(metrics).encode(),
        "run.json": to_json(asdict(record)).encode(),
    }


def without_report(record: RunRecord, problem: Exception) -> RunRecord:
    """The record of a run whose report could not be made."""
    why = f"the report could not be made: {type(problem).__name__}: {problem}"
    if record.status != "completed":
        return replace(record, warnings=[*record.warnings, why])
    error = {"ename": "ReportError", "evalue": why, "traceback": []}
    return replace(record, status="failed", error=error)


def write_report(files: dict[str, bytes], pictures: dict[str, bytes], target: Path) -> None:
    """Write everything beside its place first, so that a full disk harms nothing, then rename."""
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target, prefix=".new-"))
    try:
        (staging / "figures").mkdir()
        for name, content in pictures.items():
            (staging / "figures" / name).write_bytes(content)
        for name, content in files.items():
            (staging / name).write_bytes(content)
        if (target / "figures").exists():
            (target / "figures").rename(staging / "old-figures")
        (staging / "figures").rename(target / "figures")
        for name in files:
            (staging / name).replace(target / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
