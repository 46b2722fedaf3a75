"""Reports without images of people, so that they can be published (`labkit run --no-faces`).

What a lab shows after it has loaded images of people shows people, or what a network made
of them. So a page without them keeps of every output only what is text: figures, players,
sprites and widgets go, whatever type they come as.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

from labkit.reports.files import read_json

SHOWN, LEFT_OUT = "shown", "left out"
NOTE = "Images of people, or made from them, are left out of this page."
TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")
# What can show a picture in a text output: elements, addresses with data in them, styles, Markdown.
PICTURES = re.compile(
    r"<\s*(img|svg|picture|canvas|video|iframe|object|embed|script|input|image)\b"
    r"|data:\s*\w+/|url\s*\(|srcset|!\[",
    re.IGNORECASE,
)


def facts(data: Iterable[dict[str, Any]], no_faces: bool) -> dict[str, Any]:
    """The record's entries on data and people: `people` is "" if the data show none, SHOWN or LEFT_OUT.

    Where they are left out the data's notes say so.
    """
    data = list(data)
    if not any(fact.get("people") for fact in data):
        return {"data": data, "people": ""}
    if not no_faces:
        return {"data": data, "people": SHOWN}
    notes = [
        {**f, "note": f"{f.get('note') or ''}; {NOTE}".lstrip("; ")} if f.get("people") else f for f in data
    ]
    return {"data": notes, "people": LEFT_OUT}


def still_shown(report_dir: Path) -> bool:
    """Whether the report in `report_dir` shows people: an earlier one that a failed run left there may."""
    return (read_json(report_dir / "run.json") or {}).get("people") == SHOWN


def leave_out(notebook) -> None:
    """Take everything that may be a picture out of an executed notebook's outputs, in place."""
    notebook.metadata.pop("widgets", None)  # an image widget keeps its picture there
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [without_pictures(output) for output in cell.outputs]


def without_pictures(output):
    """The output with its texts only, and the note where a picture was."""
    if output.output_type == "stream":
        note = nbformat.v4.new_output("stream", name=output.name, text=NOTE + "\n")
        return note if PICTURES.search(output.text) else output
    if output.output_type == "error":
        return output
    texts = {kind: text for kind, text in output.data.items() if is_text(kind, text)}
    if texts.keys() == output.data.keys():
        return output
    # Of a figure only "<Figure size …>" is left, of a table its plain form: the note says more.
    return nbformat.v4.new_output("display_data", data={"text/markdown": f"*{NOTE}*", "text/plain": NOTE})


def is_text(kind: str, text: Any) -> bool:
    """Whether an entry of an output is text that shows no picture."""
    return kind in TEXTS and isinstance(text, str) and not PICTURES.search(text)
