"""Pages made anew from what a run left: its executed notebook, record and metrics. Nothing is executed.

Text is taken from the notebook as it is now, results from the run. That is right as long as the
code cells are those that ran; where they are not, the page keeps the run's own text and says so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat

from labkit import player
from labkit.config import Lab
from labkit.reports import html, people
from labkit.reports import notebook as notebooks
from labkit.reports.files import read_json, to_json
from labkit.reports.identity import code_digest
from labkit.reports.metrics import MetricsError, read_metrics
from labkit.reports.notebook import BANNER, INJECTED, figures, is_run, tags
from labkit.reports.record import RunRecord
from labkit.reports.results import write_report
from labkit.reports.texts import shortened
from labkit.reports.ways import neighbours

OWN_TEXT = "The code of the notebook has changed since this run, so the page keeps the text of the run."


class RenderError(ValueError):
    """What a run left is not whole enough to make a page from."""


@dataclass(frozen=True)
class Left:
    """What a run left in its folder; `run_json` is that file as it stands there."""

    record: RunRecord
    run_json: dict[str, Any]
    metrics: dict[str, Any]
    notebook: nbformat.NotebookNode


def render(source: Path, target: Path, out: Path, lab: Lab | None) -> Path:
    """Make the page of the run in `source` anew in `target`; return the page's path.

    `lab` is the notebook as it is now, None where there is none any more; `out` the folder of
    reports that `target` lies in, whose overview the caller makes.

    Raises RenderError where the run's files are missing or damaged, OSError where the page
    cannot be written.
    """
    left = read_left(source)
    try:
        files, pictures = drawn(left, target, out, lab)
    except Exception as error:  # a notebook of an odd form fails anywhere
        why = f"{type(error).__name__}: {shortened(str(error), 300)}"
        raise RenderError(f"the run in {source.name} cannot be drawn: {why}") from error
    write_report(files, pictures, target)
    return target / "report.html"


def drawn(left: Left, target: Path, out: Path, lab: Lab | None) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of the report that goes to `target`, and its figures."""
    record, executed = left.record, renewed(left.notebook, lab)
    if executed is None:
        executed = left.notebook
        record = replace(record, warnings=[*record.warnings, OWN_TEXT])
    else:
        record = replace(renumbered(record, executed), title=lab.title)
    refresh_players(executed)
    if record.people == people.LEFT_OUT:
        people.leave_out(executed)
    folder = lab.path.parent if lab else None
    page, _ = html.render(executed, record, left.metrics, neighbours(record.lab, target, out), folder)
    files = {
        "report.html": page.encode(),
        "report.ipynb": nbformat.writes(executed).encode(),
        "metrics.json": to_json(left.metrics).encode(),
        "run.json": to_json(left.run_json | {"title": record.title}).encode(),
    }
    return files, figures(executed)


def read_left(folder: Path) -> Left:
    """Read what a run left. Raises RenderError, naming the file, where that is not whole."""
    run_json = read_json(folder / "run.json")
    if run_json is None:
        raise RenderError(f"{folder.name} holds no run: it has no readable run.json")
    try:
        record = RunRecord.from_json(run_json)
        metrics = read_metrics(folder / "metrics.json")
        return Left(record, run_json, metrics, notebooks.read(folder / "report.ipynb"))
    except (OSError, ValueError, TypeError, AttributeError, MetricsError, nbformat.ValidationError) as error:
        raise RenderError(f"the run in {folder.name} cannot be read: {error}") from error


def renewed(executed, lab: Lab | None):
    """The executed notebook with the text, tags and order of now; None where other code ran."""
    if lab is None:
        return None
    now = notebooks.read(lab.path)
    if code_digest(now.cells) != code_digest(executed.cells):
        return None
    ran = iter([cell for cell in executed.cells if is_run(cell)])
    for cell in filter(is_run, now.cells):
        before = next(ran)
        cell.id, cell.outputs, cell.execution_count = before.id, before.outputs, before.execution_count
        if "labkit" in before.metadata:
            cell.metadata["labkit"] = before.metadata["labkit"]
    put_in = [cell for cell in executed.cells if {BANNER, INJECTED} & set(tags(cell))]
    now.cells = with_put_in(now.cells, put_in)
    now.metadata = copy.deepcopy(executed.metadata)
    return now


def with_put_in(cells: list, put_in: list) -> list:
    """The cells with those that a run puts in: a banner first, its parameters after the declared ones."""
    banner = [cell for cell in put_in if BANNER in tags(cell)]
    injected = [cell for cell in put_in if INJECTED in tags(cell)]
    start = next((i for i, cell in enumerate(cells) if "parameters" in tags(cell)), -1) + 1
    return [*banner, *cells[:start], *injected, *cells[start:]]


def renumbered(record: RunRecord, notebook) -> RunRecord:
    """The record with its cells' places in the notebook of now; ids tell which is which."""
    places = {cell.id: index for index, cell in notebooks.numbered(notebook)}

    def moved(entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "index": places.get(entry.get("id"), entry.get("index"))}

    failing = record.failing_cell
    return replace(
        record, cells=[moved(entry) for entry in record.cells], failing_cell=failing and moved(failing)
    )


def refresh_players(notebook) -> None:
    """Give each stored player the script and style of now; its data stay."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            made = output.get("data", {}).get("text/html")
            if isinstance(made, str) and "labkit-player" in made:
                output.data["text/html"] = player.refreshed(made)
