"""The results of a sweep as one table: a row a run, for ``results.csv`` and ``results.parquet``."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.reports.files import read_json, write_atomically
from labkit.sweeps.sweep import Sweep

RUN = ("run", "status", "error", "seconds", "peak_memory_mb", "start")
NOT_RUN = "not run"
TABLES = ("results.csv", "results.parquet")
NO_PARQUET = "results.parquet is left out: pip install 'labkit[batch]' brings arro3-io, which writes it"

Row = dict[str, Any]


def read_row(sweep: Sweep, name: str) -> Row:
    """One run: how it ended, its parameters, its metrics by their path in metrics.json.

    A run that failed after an earlier one had been completed is a failed run, with the earlier
    one's numbers left out: they are in its folder.
    """
    folder = sweep.folder / name
    if (folder / "failed" / "run.json").is_file():
        folder = folder / "failed"
    record = read_json(folder / "run.json") or {}
    error = record.get("error") or {}
    row: Row = {
        "run": name,
        "status": record.get("status", NOT_RUN),
        "error": f"{error.get('ename')}: {error.get('evalue')}".partition("\n")[0] if error else None,
        **{key: record.get(key) for key in RUN[3:]},
        **sweep.runs[name],
    }
    metrics = numbers(read_json(folder / "metrics.json") or {}) if record.get("status") == "completed" else {}
    return row | {(f"metrics.{key}" if key in row else key): value for key, value in metrics.items()}


def numbers(metrics: Mapping[str, Any], start: str = "") -> dict[str, float | bool]:
    """The numbers and truth values in nested metrics, names joined by dots; lists by their places."""
    found: dict[str, float | bool] = {}
    for name, value in metrics.items():
        path = f"{start}.{name}" if start else str(name)
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, Mapping):
            found |= numbers(value, path)
        elif isinstance(value, bool | int | float):
            found[path] = value
    return found


def columns(sweep: Sweep, rows: Iterable[Row]) -> list[str]:
    """The columns of the table: the run's, the parameters, then every metric that a run has."""
    first = [*RUN, *sweep.parameters]
    return list(dict.fromkeys([*first, *(name for row in rows for name in row)]))


def metric_columns(sweep: Sweep, rows: Sequence[Row]) -> list[str]:
    """The columns that hold metrics."""
    return columns(sweep, rows)[len(RUN) + len(sweep.parameters) :]


def write_results(sweep: Sweep, rows: Sequence[Row]) -> None:
    """Write both files; the second only where its library is installed."""
    names = columns(sweep, rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    csv_name, parquet_name = TABLES
    write_atomically(sweep.folder / csv_name, text.getvalue())
    if has_parquet():
        write_atomically(sweep.folder / parquet_name, parquet(names, rows))


def has_parquet() -> bool:
    """Whether the library that writes Parquet files is installed."""
    return importlib.util.find_spec("arro3.io") is not None if importlib.util.find_spec("arro3") else False


def parquet(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    """The table as a Parquet file; a column is of numbers, truth values or else texts."""
    from arro3.core import Array, Table  # here, for it is an extra
    from arro3.io import write_parquet

    arrays = {name: typed([row.get(name) for row in rows]) for name in names}
    table = Table.from_pydict({name: Array(values, kind) for name, (values, kind) in arrays.items()})
    buffer = io.BytesIO()
    write_parquet(table, buffer)
    return buffer.getvalue()


def typed(values: list[Any]) -> tuple[list[Any], Any]:
    """A column's values and their type in Arrow."""
    from arro3.core import DataType

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return values, DataType.bool()
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return values, DataType.int64()
    if kinds and kinds <= {int, float}:
        return [None if value is None else float(value) for value in values], DataType.float64()
    return [None if value is None else str(value) for value in values], DataType.utf8()


def problems(rows: Iterable[Row]) -> list[Row]:
    """The rows of runs that were begun and are not complete."""
    return [row for row in rows if row["status"] not in ("completed", NOT_RUN)]


def has_page(sweep: Sweep, name: str) -> str | None:
    """Address of a run's page, seen from the sweep's; None where it has none."""
    pages = (f"{name}/failed/report.html", f"{name}/report.html")
    return next((page for page in pages if (Path(sweep.folder) / page).is_file()), None)
