"""Write the README's results table from the reports in reports/.

    python scripts/results_table.py

A row a lab: the figures that stand at the top of its metrics.json, the data, a link. The
table is only written from runs under the full profile.
"""

from __future__ import annotations

import json

from labkit.project import ROOT, replacing

README = ROOT / "README.md"
BEGIN, END = "<!-- results: made by scripts/results_table.py -->", "<!-- end of results -->"


def row(lab: str, record: dict, metrics: dict) -> str:
    """One line of the table."""
    figures = "<br>".join(
        f"{name}: **{value:,.4g}**" for name, value in metrics.items() if isinstance(value, int | float)
    )
    sets = dict.fromkeys(f"{d['name']}, {d['n_train']:,} + {d['n_test']:,} images" for d in record["data"])
    machine = f"{record['processor']['model']}, {record['processor']['cores']} cores"
    resumed = record.get("resumed")
    before = f", after {resumed['seconds'] / 60:.0f} min of training in an earlier run" if resumed else ""
    run = f"{'; '.join(sets)}; {record['seconds'] / 60:.0f} min on {machine}{before}"
    return f"| [{lab}](reports/{lab}/report.ipynb) | {figures} | {run} |"


def table() -> str:
    """The whole table. Raises ValueError when a report is not of a completed full run."""
    lines = ["| lab | result | run |", "|:--|:--|:--|"]
    for path in sorted((ROOT / "reports").glob("[0-9]*/run.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if (record["profile"], record["status"]) != ("full", "completed"):
            raise ValueError(f"{path.parent.name} has no completed run under the full profile")
        metrics = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
        lines.append(row(path.parent.name, record, metrics))
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The README's text with the table of now between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    text = with_table(README.read_text(encoding="utf-8"))
    with replacing(README) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
