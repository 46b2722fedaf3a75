"""The page of a sweep: what failed, plots of metrics against parameters, and a table of all runs."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit import plots
from labkit.plots.sweeps import MOST_SERIES, is_number
from labkit.reports import tables
from labkit.reports.about import About, about_labs
from labkit.reports.files import write_atomically
from labkit.reports.html import environment
from labkit.reports.index import listing_frame
from labkit.reports.ways import address
from labkit.sweeps.results import TABLES, Row, has_page, metric_columns, problems
from labkit.sweeps.sweep import SEED, Sweep

MOST_METRICS = 4  # that are plotted, and shown in the table besides those that the lab names
MOST_PLOTS = 12


@dataclass(frozen=True)
class Metric:
    """A column of the results that is shown, its text, and how a number of it is written."""

    column: str
    text: str
    format: str = ".4g"

    def shown(self, value: Any) -> str:
        """A number as text; nothing for none."""
        if value is None:
            return ""
        return tables.shown(value) if isinstance(value, bool | int) else format(value, self.format)


def write_page(sweep: Sweep, rows: Sequence[Row], stale: Mapping[str, str]) -> None:
    """Write the sweep's ``index.html`` and its figures. `stale` says which runs are of other code."""
    metrics = shown_metrics(sweep, rows)
    figures = draw(sweep, rows, metrics)
    page = (
        environment()
        .get_template("sweep.html.j2")
        .render(
            sweep=sweep,
            rows=rows,
            metrics=metrics,
            figures=[picture(figure) for figure in figures],
            problems=problems(rows),
            counts=counted(rows),
            stale=stale,
            pages={row["run"]: has_page(sweep, row["run"]) for row in rows},
            tables=[name for name in TABLES if (sweep.folder / name).is_file()],
            overview=address(sweep.folder.parent.parent / "index.html", sweep.folder),
            **listing_frame(),
        )
    )
    write_atomically(sweep.folder / "index.html", page)


def counted(rows: Sequence[Row]) -> dict[str, int]:
    """How many runs ended how."""
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row["status"]] += 1
    return dict(found)


def shown_metrics(sweep: Sweep, rows: Sequence[Row]) -> list[Metric]:
    """The lab's headline numbers; without them the first numbers that are not the same in all runs."""
    there = metric_columns(sweep, rows)
    chosen = about_labs().get(sweep.lab, About()).headline
    found = [Metric(".".join(n.key), n.text, n.format) for n in chosen if ".".join(n.key) in there]
    if found:
        return found
    plain = [name for name in there if not name.startswith("claims.") and differs(rows, name)]
    return [Metric(name, tables.words(name.replace(".", " · "))) for name in plain[:MOST_METRICS]]


def differs(rows: Sequence[Row], column: str) -> bool:
    """Whether a column holds numbers, and not always the same one; of a single run, whether it holds one."""
    values = [row[column] for row in rows if is_number(row.get(column))]
    return len(set(values)) > (len(values) > 1)


def draw(sweep: Sweep, rows: Sequence[Row], metrics: Sequence[Metric]) -> list[plots.LabFigure]:
    """Each metric against each parameter, the seed aside; a line for each setting of the others."""
    varied = [name for name in sweep.parameters if len({str(row[name]) for row in rows}) > 1]
    axes = [name for name in varied if name != SEED] or varied
    done = [row for row in rows if row["status"] == "completed"]
    figures = []
    for metric in metrics:
        for axis in axes:
            others = [name for name in axes if name != axis]
            series = grouped(done, axis, others, metric.column)
            if series and len(figures) < MOST_PLOTS:
                words = {"xlabel": tables.words(axis), "ylabel": metric.text}
                figures.append(plots.spread_lines(series, **words, name=f"{metric.column}-{axis}"))
    return figures


def grouped(
    rows: Sequence[Row], axis: str, others: Sequence[str], column: str
) -> dict[str, dict[Any, list[float]]]:
    """The numbers of a column by series and value of the axis.

    A series is a setting of the other parameters; where there are too many, all are one series.
    """
    labels = {row["run"]: setting(row, others) for row in rows}
    if len(set(labels.values())) > MOST_SERIES:
        labels = dict.fromkeys(labels, "all settings of the other parameters")
    series: dict[str, dict[Any, list[float]]] = {}
    for row in rows:
        if is_number(value := row.get(column)):
            x = row[axis] if is_number(row[axis]) else tables.shown(row[axis])
            series.setdefault(labels[row["run"]] or column, {}).setdefault(x, []).append(float(value))
    return series


def setting(row: Row, names: Sequence[str]) -> str:
    """Some parameters of a run with their values, in words."""
    return ", ".join(f"{tables.words(name)} {tables.shown(row[name])}" for name in names)


def picture(figure: plots.LabFigure) -> dict[str, str]:
    """A figure for the page: data address, alternative text, name."""
    data = base64.b64encode(figure.png()).decode()
    return {"source": f"data:image/png;base64,{data}", "alt": figure.alt, "name": figure.name}
