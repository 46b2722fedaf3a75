"""From what was seen of a run to its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labkit.reports import people
from labkit.reports import record as records
from labkit.reports.metrics import MetricsError, read_metrics
from labkit.reports.notebook import CodeCell
from labkit.reports.process import Ending
from labkit.reports.record import RunRecord
from labkit.reports.request import Request
from labkit.reports.texts import shortened

INTERRUPTED = "the run was interrupted (Ctrl-C, SIGTERM, or the command that started it was killed)"


@dataclass
class Watch:
    """What the worker's events have said so far."""

    ends: dict[int, dict[str, Any]] = field(default_factory=dict)
    running: int | None = None
    finished: dict[str, Any] | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "start":
            self.running = event["cell"]
        elif event["event"] == "end":
            self.ends[event["cell"]], self.running = event, None
        elif event["event"] == "finished":
            self.finished = event


@dataclass(frozen=True)
class Verdict:
    """How a run ended: its status, the error if there was one, the index of the failing cell."""

    status: str
    error: dict[str, Any] | None = None
    cell_index: int | None = None


def build_record(
    request: Request, watch: Watch, ending: Ending, start: str, git: dict[str, Any] | None, lost: str = ""
) -> tuple[RunRecord, dict[str, Any]]:
    """Make the record from what was seen, and read the figures that the notebook saved.

    `lost` says how the supervising process went, where it did not live to see the end.
    """
    verdict = Verdict("killed", failure("WorkerDied", lost)) if lost else verdict_on(request, watch, ending)
    metrics, warnings = {}, []
    try:
        metrics = read_metrics(request.work / "metrics.json")
    except MetricsError as problem:
        if verdict.status == "completed":
            verdict = Verdict("failed", failure("MetricsError", str(problem)))
        else:
            warnings.append(str(problem))
    facts, unread = read_run_facts(request)
    warnings += [unread] if unread else []
    if facts["claims"]:
        metrics["claims"] = {claim["id"]: {**claim, "id": None} for claim in facts["claims"]}
    if facts["parameters_in_notebook"] is not None:
        warnings.append("The notebook resolved its parameters to other values than the runner.")
    record = RunRecord(
        lab=request.lab.of,
        notebook=request.lab.path.name,
        title=shortened(request.lab.title, 200),
        profile=request.profile,
        **cells_as_seen(request, watch, verdict),
        **facts,
        start=start,
        seconds=ending.seconds,
        peak_memory_mb=ending.peak_memory_mb,
        processor=records.processor(),
        versions=records.versions(),
        git=git,
        code_digest=request.identity.code,
        labkit_digest=request.identity.labkit,
        departures=dict(request.departures),
        warnings=warnings,
    )
    return record, metrics


def read_run_facts(request: Request) -> tuple[dict[str, Any], str]:
    """The record's entries on what the kernel noted, and a sentence where some of it is left out.

    They are parameters, data, devices and resumed trainings.
    """
    facts, unread = records.read_facts(request.work / "facts.jsonl")
    claims = {str(fact.get("id")): fact for fact in records.facts_of(facts, "claim")}
    parameters = dict(request.parameters)
    resolved = [fact.get("parameters") for fact in records.facts_of(facts, "config")]
    entries = {
        "parameters": parameters,
        "parameters_in_notebook": next((other for other in resolved if differ(other, parameters)), None),
        "seed": parameters.get("seed"),
        **people.facts(records.facts_of(facts, "data"), request.no_faces),
        "accelerator": records.accelerator(facts),
        "resumed": records.resumed(facts),
        "training": records.facts_of(facts, "training"),
        "claims": list(claims.values()),
    }
    return entries, unread


def differ(resolved: Any, parameters: dict[str, Any]) -> bool:
    """Whether a notebook's resolved parameters contradict the runner's."""
    if not isinstance(resolved, dict):
        return True
    return any(parameters[name] != value for name, value in resolved.items() if name in parameters)


def verdict_on(request: Request, watch: Watch, ending: Ending) -> Verdict:
    """Judge by the events of the cells first, then by how the worker ended."""
    raised = {index: end["error"] for index, end in watch.ends.items() if end["error"]}
    cell_index = next(iter(raised), watch.running)
    sound = watch.finished and not watch.finished["error"] and not raised
    if ending.stopped_for == "timed_out" and not sound:
        why = f"the run took longer than its limit of {request.timeout:g} s"
        return Verdict("timed_out", failure("Timeout", why), cell_index)
    if ending.stopped_for == "memory" and not sound:
        why = f"the run held more memory than its limit of {request.memory_mb:,} MB"
        return Verdict("killed", failure("MemoryLimit", why), cell_index)
    if ending.stopped_for == "killed" and not sound:
        return Verdict("killed", failure("Interrupted", INTERRUPTED), cell_index)
    if error := raised.get(cell_index) or (watch.finished or {}).get("error"):
        return Verdict(
            error["status"], failure(error["ename"], error["evalue"], error["traceback"]), cell_index
        )
    if watch.finished is None:
        code = ending.returncode
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        why = f"the process that ran the notebook ended by {how}"
        return Verdict("killed", failure("WorkerDied", why), cell_index)
    missing = [cell for cell in request.cells if cell.index not in watch.ends]
    if missing:
        why = f"{len(missing)} cells did not run"
        return Verdict("failed", failure("CellsNotRun", why), missing[0].index)
    return Verdict("completed")


def failure(ename: str, evalue: str, traceback: list[str] | None = None) -> dict[str, Any]:
    """An error as it stands in the record."""
    return {"ename": ename, "evalue": evalue, "traceback": traceback or []}


def cells_as_seen(request: Request, watch: Watch, verdict: Verdict) -> dict[str, Any]:
    """The record's entries on status, error and cells."""
    cells = [cell_entry(cell, watch, verdict.cell_index) for cell in request.cells]
    at = next((cell for cell in request.cells if cell.index == verdict.cell_index), None)
    return {
        "status": verdict.status,
        "error": verdict.error,
        "failing_cell": at and {"index": at.index, "id": at.id, "line": at.line},
        "cells": cells,
        "cells_run": sum(cell["status"] == "ran" for cell in cells),
        "cells_total": len(cells),
    }


def cell_entry(cell: CodeCell, watch: Watch, failing: int | None) -> dict[str, Any]:
    """One cell's line in the record: whether it ran, and its seconds."""
    end = watch.ends.get(cell.index)
    if end and not end["error"]:
        status = "ran"
    elif cell.index == failing:
        status = "failed" if end and end["error"]["status"] == "failed" else "interrupted"
    else:
        status = "not run"
    return {"index": cell.index, "id": cell.id, "status": status, "seconds": end["seconds"] if end else None}
