"""Putting a run's results in place, file by file, each whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat

from labkit.reports import html, people
from labkit.reports import notebook as notebooks
from labkit.reports.files import read_json, to_json
from labkit.reports.guard import FILES
from labkit.reports.notebook import apply_record, figures
from labkit.reports.record import RunRecord
from labkit.reports.texts import clean_texts, path_cleaner, printable, shortened
from labkit.reports.ways import neighbours

FAILED = "failed"
MOST_WORDS = 1_000  # characters of why something could not be made


def is_good(report_dir: Path) -> bool:
    """Whether a completed run's results are in `report_dir`."""
    return (read_json(report_dir / "run.json") or {}).get("status") == "completed"


def put_results(
    record: RunRecord,
    metrics: dict[str, Any],
    notebook,
    report_dir: Path,
    out: Path,
    *,
    keep: bool,
    folder: Path | None = None,
) -> RunRecord:
    """Make the report and put all results into `report_dir`; return the record as written.

    With `keep`, for there was a completed run in `report_dir` before this one, a run that is not
    complete goes to ``failed/`` inside it; a completed run removes ``failed/``. The executed
    notebook, with its record and a bare page, is in place before anything is drawn from it, unless
    it would take the place of that completed run. A page that cannot be drawn is a failed run with
    a page that says so. Raises OSError if something cannot be written; what was in place is then
    untouched.

    Args:
        folder: the notebook's, for pictures that lie beside it.
    """
    clean = path_cleaner(out)
    record, metrics = record.cleaned(clean), clean_texts(metrics, clean)
    target = place_for(record, report_dir, keep)
    ways = neighbours(record.lab, target, out)
    try:
        notebook = apply_record(notebook, record, clean)
        if record.people == people.LEFT_OUT:
            people.leave_out(notebook)
        files = report_files(record, metrics, notebook, html.render_bare(record, ways))
    except Exception as error:  # whatever a cell displayed, the run keeps its record
        record, notebook = without_report(record, error), nbformat.v4.new_notebook()
        files = report_files(record, {}, notebook, html.render_bare(record, ways))
    if not (keep and target == report_dir):
        write_report(files, {}, target)
    record, files, pictures = drawn(record, metrics, notebook, ways, folder, files)
    if (place := place_for(record, report_dir, keep)) != target:  # complete, but it cannot be drawn
        files["report.html"] = html.render_bare(record, neighbours(record.lab, place, out)).encode()
    write_report(files, pictures, place)
    if record.status == "completed":
        remove_report(report_dir / FAILED)
    return record


def place_for(record: RunRecord, report_dir: Path, keep: bool) -> Path:
    """Where the results of a run go: beside a completed one that is kept, if it is not complete."""
    return report_dir / FAILED if keep and record.status != "completed" else report_dir


def drawn(
    record: RunRecord, metrics: dict[str, Any], notebook, ways, folder: Path | None, files: dict[str, bytes]
) -> tuple[RunRecord, dict[str, bytes], dict[str, bytes]]:
    """Record, files and figures with the page of the notebook, or with a bare one that says why."""
    try:
        page, warnings = html.render(notebook, record, metrics, ways, folder)
        record = replace(record, warnings=[*record.warnings, *warnings])
        return record, report_files(record, metrics, notebook, page), figures(notebook)
    except Exception as error:
        record = without_report(record, error)
        bare = report_files(record, metrics, nbformat.v4.new_notebook(), html.render_bare(record, ways))
        return record, {**bare, "report.ipynb": files["report.ipynb"]}, {}


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
        "report.ipynb": nbformat.writes(notebook).encode("utf-8", "replace"),
        "metrics.json": to_json(metrics).encode(),
        "run.json": to_json(asdict(record)).encode(),
    }


def without_report(record: RunRecord, problem: Exception) -> RunRecord:
    """The record of a run whose report could not be made."""
    words = shortened(str(problem), MOST_WORDS)
    why = printable(f"the report could not be made: {type(problem).__name__}: {words}")
    if record.status != "completed":
        return replace(record, warnings=[*record.warnings, why])
    error = {"ename": "ReportError", "evalue": why, "traceback": []}
    return replace(record, status="failed", error=error)


def write_report(files: dict[str, bytes], pictures: dict[str, bytes], target: Path) -> None:
    """Write everything beside its place first, so that a full disk harms nothing, then rename.

    What others have put among the figures stays.
    """
    target.mkdir(parents=True, exist_ok=True)
    foreign = foreign_figures(target)
    staging = Path(tempfile.mkdtemp(dir=target, prefix=".new-"))
    try:
        (staging / "figures").mkdir()
        for name, content in pictures.items():
            (staging / "figures" / name).write_bytes(content)
        for name, content in files.items():
            (staging / name).write_bytes(content)
        for path in foreign:
            path.rename(staging / "figures" / (f"kept-{path.name}" if path.name in pictures else path.name))
        if (target / "figures").exists():
            (target / "figures").rename(staging / "old-figures")
        (staging / "figures").rename(target / "figures")
        for name in files:
            (staging / name).replace(target / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def own_figures(target: Path) -> set[str]:
    """Names of the figures that belong to the report in `target`."""
    try:
        return set(figures(notebooks.read(target / "report.ipynb")))
    except Exception:  # none that can be read: then nothing among them is known to be labkit's
        return set()


def foreign_figures(target: Path) -> list[Path]:
    """What lies among a report's figures and is none of them."""
    folder = target / "figures"
    if folder.is_symlink() or not folder.is_dir():
        return []
    there = list(folder.iterdir())
    known = own_figures(target) if there else set()
    return [path for path in there if path.name not in known]


def remove_report(folder: Path) -> None:
    """Remove a report's files, and its folder where nothing else lies in it."""
    if folder.is_symlink() or not folder.is_dir():
        return
    known = own_figures(folder)
    for path in [*(folder / name for name in FILES), *(folder / "figures" / name for name in known)]:
        if path.is_file() or path.is_symlink():
            path.unlink()
    for place in (folder / "figures", folder):
        with contextlib.suppress(OSError):  # something of others' is in it
            place.rmdir()
