"""Figures and facts as a reader wants to see them: small tables, short numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labkit.reports.texts import shortened

MOST_ITEMS = 12  # of a list shown in one table cell
MOST_CELLS = 20_000  # of all tables on a page
MOST_WORDS = 300  # characters of a name or a text


@dataclass(frozen=True)
class Table:
    """A title, the columns' names (none for plain name–value rows) and rows of texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def metric_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """metrics.json as tables: single figures first, then one table a group."""
    single = tuple((words(k), shown(v)) for k, v in metrics.items() if not grouped(v))
    tables = [Table("", (), single)] if single else []
    for name, group in metrics.items():
        if grouped(group):
            tables.append(group_table(words(name), group))
    return bounded(tables)


def bounded(tables: list[Table]) -> list[Table]:
    """The tables as far as a page takes them: MOST_CELLS entries in all; a last row says what is left out."""
    kept, left = [], MOST_CELLS
    for table in tables:
        wide = max([len(table.columns) + 1, *map(len, table.rows)])
        rows = table.rows[: left // wide]
        left -= wide * len(rows)
        if len(rows) < len(table.rows):
            more = (f"… {len(table.rows) - len(rows):,} rows more in metrics.json",)
            kept.append(Table(table.title, table.columns if rows else (), (*rows, more)))
            break
        kept.append(table)
    return kept


def grouped(value: Any) -> bool:
    """Whether a value is a mapping, or a list of mappings."""
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


def group_table(title: str, group: Any) -> Table:
    """A group of figures: with a column a name where its members are groups themselves."""
    if isinstance(group, list):
        group = {str(i): item for i, item in enumerate(group, start=1)}
    members = {name: flat(item) for name, item in group.items() if grouped(item)}
    if len(members) < len(group) or not members:
        return Table(title, (), tuple((words(k), shown(v)) for k, v in flat(group).items()))
    columns = list(dict.fromkeys(column for member in members.values() for column in member))
    rows = tuple(
        (words(name), *(shown(member[c]) if c in member else "" for c in columns))
        for name, member in members.items()
    )
    return Table(title, tuple(words(column) for column in columns), rows)


def flat(value: Any, start: str = "") -> dict[str, Any]:
    """Nested mappings as one, names joined by " · "."""
    if isinstance(value, list) and grouped(value):
        value = {str(i): item for i, item in enumerate(value, start=1)}
    if not isinstance(value, Mapping):
        return {start: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= flat(item, f"{start} · {name}" if start else str(name))
    return found


def words(name: Any) -> str:
    """A name with spaces for underscores."""
    return shortened(str(name), MOST_WORDS).replace("_", " ")


def shown(value: Any) -> str:
    """One value as text: four figures for a fraction, groups of three for a large number."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        items = [shown(item) for item in value[:MOST_ITEMS]]
        more = [f"… ({len(value)} values)"] if len(value) > MOST_ITEMS else []
        return ", ".join(items + more)
    return shortened(str(value), MOST_WORDS)


def duration(seconds: float) -> str:
    """Seconds as "8.4 s", "2 min 5 s" or "1 h 12 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def day(moment: str) -> str:
    """An ISO moment as "21 November 2026, 10:28 UTC"; as it is if it is none."""
    try:
        when = datetime.fromisoformat(moment)
        return f"{when.day} {when:%B %Y, %H:%M} UTC"
    except ValueError:
        return moment
