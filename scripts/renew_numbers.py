"""Renew the pinned numbers in the notebooks' Markdown and in README.md.

    python scripts/renew_numbers.py [--reports DIR] [--check]

The numbers come from reports/NN_name/metrics.json (see labkit/reports/pins.py), or from the
runs in another folder. With --check nothing is written, and the exit status is 1 where a
number would change.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat

from labkit.project import ROOT, notebooks_dir, replacing
from labkit.reports.pins import Lookup, PinError, published, renew


def renewed_notebook(path: Path, lookup: Lookup) -> str:
    """The notebook's text with the pins in its Markdown cells renewed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    changed = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (source := renew(cell.source, lookup)) != cell.source:
            cell.source, changed = source, True
    return nbformat.writes(notebook) + "\n" if changed else before


def renewed_files(lookup: Lookup) -> dict[Path, str]:
    """Every file whose pins are out of date → its text with the pins renewed.

    Raises PinError, naming the file, for a pin that cannot be renewed.
    """
    found = {}
    for path in [*sorted(notebooks_dir().glob("*.ipynb")), ROOT / "README.md"]:
        before = path.read_text(encoding="utf-8")
        try:
            after = renewed_notebook(path, lookup) if path.suffix == ".ipynb" else renew(before, lookup)
        except PinError as error:
            raise PinError(f"{path.name}: {error}") from error
        if after != before:
            found[path] = after
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Renew the pinned numbers in notebooks and README.md.")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="folder of the runs to read")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a number changes")
    arguments = parser.parse_args()
    try:
        files = renewed_files(published(arguments.reports))
    except PinError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in files.items():
        print(f"{path.name}: {'has' if arguments.check else 'had'} numbers of another run")
        if not arguments.check:
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    return int(arguments.check and bool(files))


if __name__ == "__main__":
    sys.exit(main())
