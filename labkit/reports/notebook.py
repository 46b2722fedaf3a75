"""Reading a notebook's outline, and making an executed one tell the truth."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from labkit.reports.bounds import MORE, MOST_TEXT, bounded_data, bounded_error
from labkit.reports.files import read_bytes
from labkit.reports.pictures import PictureError, content_of, kind_of
from labkit.reports.texts import printable, shortened

INJECTED = "injected-parameters"
BANNER = "labkit-banner"
MARKER = "papermill-error-cell-tag"
EXECUTION_TAGS = {"skip-execution", "raises-exception"}
MOST_KEPT = MOST_TEXT + 2 * len(MORE)  # characters of a text output, its note among them
MOST_FIGURES = 300  # of a run, as files
# What TensorFlow logs though nothing is wrong: that there is no GPU, and an optimisation of a
# graph that it gives up for a plainer one. A reader would take the lines for failures.
NOTICES = re.compile(
    r"^(?:WARNING: All log messages before absl::|I\d{4} [\d:.]+ +\d+ \S+:\d+\] "
    r"|E\d{4} [\d:.]+ +\d+ \S+:\d+\] (?:failed call to cuInit|remapper failed)).*\n?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class CodeCell:
    """A cell that a run executes: its place among all cells, id, first line and section."""

    index: int
    id: str
    line: str
    heading: str


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return list(cell.get("metadata", {}).get("tags", []))


def is_run(cell) -> bool:
    """Whether a run executes this cell: code that is not blank, skipped or injected."""
    skipped = {"skip-execution", INJECTED} & set(tags(cell))
    return cell["cell_type"] == "code" and bool(cell["source"].strip()) and not skipped


def first_line(source: str) -> str:
    """The first line of code that is no comment, else the first line, at most 80 characters."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")[:80]


def last_heading(cell) -> str:
    """The last heading in a markdown cell, without its marks; empty if there is none."""
    source = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
    found = re.findall(r"^#{1,6} +(.+?) *#*$", source, flags=re.MULTILINE)
    return re.sub(r"[`*]", "", found[-1]) if found and cell.cell_type == "markdown" else ""


def outline(notebook) -> list[CodeCell]:
    """The cells that a run executes, in order, each with the heading it stands under."""
    heading, found = "", []
    for index, cell in enumerate(notebook.cells):
        heading = last_heading(cell) or heading
        if is_run(cell):
            found.append(CodeCell(index, cell.get("id", ""), first_line(cell.source), heading))
    return found


def cell_title(cell) -> str:
    """The name in a folded cell's first line, "# @title The data, drawn"; empty without one."""
    found = re.match(r"#\s*@title\s+(.+)", cell.source)
    return found[1].strip() if found else ""


def anchor(cell) -> str:
    """The id that a cell has on the page."""
    return f"cell-{cell.id}"


def read(path: Path):
    """Read a notebook as nbformat 4, whatever its minor version.

    Raises OSError for what is no regular file or too large, ValueError, AttributeError or
    nbformat.ValidationError for what is no notebook.
    """
    text = read_bytes(path).decode("utf-8-sig", "replace")
    try:
        return nbformat.v4.upgrade(nbformat.reads(text, as_version=4))
    except (ValueError, nbformat.ValidationError):
        raise
    except Exception as error:  # nbformat fails in ways of many kinds on a damaged notebook
        raise ValueError(f"it is no notebook: {type(error).__name__}") from error


def apply_record(notebook, record, clean: Callable[[str], str]):
    """Make an executed notebook agree with the run's record, in place.

    Papermill marks cells that never ran as completed and leaves its paths behind: its
    metadata goes, each cell says whether it ran, and a run that is not complete gets a
    banner on top. Paths of this machine in text outputs are made relative by `clean`.
    """
    notebook.cells = [cell for cell in notebook.cells if MARKER not in tags(cell)]
    notebook.metadata.pop("papermill", None)
    notebook.metadata["labkit"] = {"status": record.status, "profile": record.profile, "start": record.start}
    entries = {cell["index"]: cell for cell in record.cells}
    for index, cell in numbered(notebook):
        if index in entries:
            apply_to_cell(cell, entries[index], record)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "code":
            cell.outputs = clean_outputs(cell.outputs, clean)
    if record.status != "completed":
        notebook.cells.insert(0, banner(record))
    return notebook


def numbered(notebook) -> Iterator[tuple[int, Any]]:
    """The cells of the source notebook with their places there, without those put in by a run."""
    own = [cell for cell in notebook.cells if not {INJECTED, BANNER, MARKER} & set(tags(cell))]
    return enumerate(own)


def apply_to_cell(cell, entry: dict[str, Any], record) -> None:
    """Write into one cell whether it ran, and why not if it did not."""
    cell.metadata["labkit"] = {"status": entry["status"], "seconds": entry["seconds"]}
    if entry["status"] == "not run":
        note = f"This cell did not run: the run {record.ending()}.\n"
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=note)]
        cell.execution_count = None
    elif entry["status"] != "ran" and record.error and not has_error(cell):
        error = {name: record.error[name] for name in ("ename", "evalue", "traceback")}
        cell.outputs.append(nbformat.v4.new_output("error", **error))


def has_error(cell) -> bool:
    """Whether one of the cell's outputs is an error."""
    return any(output.output_type == "error" for output in cell.outputs)


def banner(record):
    """A markdown cell that says that the run is not complete and where it stopped."""
    cell = nbformat.v4.new_markdown_cell(
        f"> **This run is not complete.** It {record.ending()}; "
        f"{record.cells_run} of {record.cells_total} code cells ran."
    )
    cell.metadata["tags"] = [BANNER]
    return cell


def clean_outputs(outputs, clean: Callable[[str], str]):
    """The outputs without this machine's paths and TensorFlow's notices, each within its bound."""
    for output in outputs:
        if output.output_type == "stream":
            text = printable(output.text)
            output.text = clean(
                shortened(NOTICES.sub("", text) if output.name == "stderr" else text, MOST_KEPT)
            )
        elif output.output_type == "error":
            error = bounded_error(output)
            output.ename, output.evalue = error["ename"], clean(error["evalue"])
            output.traceback = [clean(line) for line in error["traceback"]]
        else:
            for kind, value in bounded_data(output.data).items():
                is_text = kind.startswith("text/") and isinstance(value, str)
                output.data[kind] = clean(value) if is_text else value
    return [output for output in outputs if output.output_type != "stream" or output.text]


def figures(notebook) -> dict[str, bytes]:
    """PNGs in the outputs by file name: the metadata's name, else cell and number; MOST_FIGURES at most."""
    found: dict[str, bytes] = {}
    for index, cell in numbered(notebook):
        images = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for k, output in enumerate(images, start=1):
            about = output.metadata.get("image/png")
            name = plain_name(about.get("name", "")) if isinstance(about, dict) else ""
            name = name or f"cell-{index + 1}-{k}"
            taken = {other.lower() for other in found}  # some file systems do not tell case apart
            name = name if f"{name}.png".lower() not in taken else f"{name}-{index + 1}-{k}"
            with contextlib.suppress(PictureError):  # what a cell displayed may be no picture
                content = content_of(output.data["image/png"], "image/png")
                if kind_of(content) == "image/png" and len(found) < MOST_FIGURES:
                    found[f"{name}.png"] = content
    return found


def plain_name(text: Any) -> str:
    """`text` as a plain file name: letters in their case, digits, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", str(text)).strip("-")[:80]


def slug(text: Any) -> str:
    """`text` as an anchor: a plain name in lower case."""
    return plain_name(str(text).lower())
