"""Keeping a sweep's files up to date while its runs come in."""

from __future__ import annotations

from labkit.batch import Result
from labkit.reports.request import Request
from labkit.sweeps.page import counted, write_page
from labkit.sweeps.results import NO_PARQUET, Row, has_parquet, read_row, write_results
from labkit.sweeps.sweep import Sweep, stale


class Keeper:
    """Holds a row for each run, read once and again when the run ends; writes table and page.

    With a `request` of now, runs that are of another state than it are named.
    """

    def __init__(self, sweep: Sweep, request: Request | None = None):
        self.sweep = sweep
        self.rows: dict[str, Row] = {name: read_row(sweep, name) for name in sweep.runs}
        self.stale = stale(sweep, request) if request else {}

    @property
    def no_parquet(self) -> str:
        """What to say where results.parquet cannot be written; empty where it can."""
        return "" if has_parquet() else NO_PARQUET

    def take(self, result: Result) -> None:
        """Read what a run left. One that left nothing has its row say why."""
        name = result.request.folder
        row = read_row(self.sweep, name)
        if not result.good and result.outcome != "not started" and row["status"] in ("completed", "not run"):
            row |= {"status": result.outcome, "error": result.message}
        self.rows[name] = row
        if result.good:
            self.stale.pop(name, None)

    def write(self) -> None:
        """Write sweep.json, the results and the page. Raises OSError where they cannot be written."""
        rows = list(self.rows.values())
        self.sweep.write(counted(rows))
        write_results(self.sweep, rows)
        write_page(self.sweep, rows, self.stale)
