"""What a run keeps of what its cells send, already while they run.

A loop that prints without end, five thousand figures or an error text of 40 MB fill neither memory
nor disk: what is over a bound is left out, and a note stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.reports.texts import printable, shortened

MOST_TEXT = 200_000  # characters of one text output
MOST_OUTPUT = 5_000_000  # of any other output, which cannot be cut
MOST_OUTPUTS = 300  # of one cell
MOST_CELL = 10_000_000  # characters of a cell's outputs
MOST_RUN = 30_000_000  # of all outputs
MOST_ERROR = 5_000  # of an error's text, and of a line of its traceback
MOST_LINES = 60  # of a traceback, the last ones
MOST_WIDGETS = 20_000_000  # of what widgets hold
SMALL = 10_000  # a widget's message that is not counted: a progress bar sends thousands
OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")  # a progress bar begins its line anew
MORE = "… More was printed and is left out.\n"
SHOWN = ("display_data", "execute_result", "update_display_data")


@dataclass
class Bounds:
    """The room that is left, for one run. `kept` are the characters of the cell that runs."""

    before: int = 0
    kept: int = 0
    outputs: int = 0
    widgets: int = 0
    told: bool = False
    shown: dict[str, int] = field(default_factory=dict)  # by display id

    def new_cell(self) -> None:
        """Begin a cell."""
        self.before += self.kept
        self.clear()

    def clear(self) -> None:
        """The cell's outputs so far are gone."""
        self.kept = self.outputs = 0
        self.told = False

    def takes(self, message: Mapping[str, Any], copies: int = 1) -> bool:
        """Whether a message of the kernel is kept; its texts are cut to their bounds, in place.

        `copies` says how many outputs an update changes.
        """
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            content["text"] = printable(str(content.get("text", "")))
            return not self.told
        if kind == "error":
            content |= bounded_error(content)
            return True
        if kind in SHOWN:
            return self.takes_shown(kind, content, copies)
        if kind.startswith("comm"):
            return self.takes_widget(message)
        return True

    def takes_shown(self, kind: str, content: dict[str, Any], copies: int) -> bool:
        """The same for what is displayed."""
        content["data"] = bounded_data(content.get("data"))
        size = size_of(content["data"]) + size_of(content.get("metadata"))
        name = str((content.get("transient") or {}).get("display_id") or "")
        more = size if kind != "update_display_data" else (size - self.shown.get(name, 0)) * copies
        if not self.has_room(more) or (kind != "update_display_data" and self.outputs >= MOST_OUTPUTS):
            return False
        self.kept += more
        self.outputs += kind != "update_display_data"
        if name:
            self.shown[name] = size
        return True

    def takes_widget(self, message: Mapping[str, Any]) -> bool:
        """The same for what a widget tells."""
        size = size_of(message["content"].get("data")) + sum(map(len, message.get("buffers") or ()))
        if size > SMALL:
            self.widgets += size
        return self.widgets <= MOST_WIDGETS

    def has_room(self, more: int) -> bool:
        """Whether so many characters more can be kept."""
        return self.kept + more <= MOST_CELL and self.before + self.kept + more <= MOST_RUN

    def longer(self, text: str, more: str) -> str:
        """A text output with what is printed next, as far as it is kept."""
        if text.endswith(MORE):
            return text
        start = text.rfind("\n") + 1
        made = text[:start] + OVERWRITTEN.sub("", text[start:] + more)
        if len(made) > MOST_TEXT or not self.has_room(len(made) - len(text)):
            made = f"{made[: max(len(text), MOST_TEXT)]}\n{MORE}"
        self.kept += len(made) - len(text)
        return made

    def note(self) -> dict[str, Any] | None:
        """The data of an output that says that more was left out; None if that was said."""
        if self.told:
            return None
        self.told = True
        return {
            "text/plain": f"What this cell showed after its first {self.outputs} outputs is left out: "
            "it was too much."
        }


def size_of(value: Any) -> int:
    """Characters that a value takes in a notebook file, about."""
    size, layer = 0, [value]
    while layer:
        item = layer.pop()
        if isinstance(item, Mapping):
            layer += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            layer += item
        else:
            size += len(item) if isinstance(item, str | bytes) else 8
    return size


def bounded_data(data: Any) -> dict[str, Any]:
    """What an output shows, each kind of it within its bound."""
    return (
        {str(kind): bounded_value(str(kind), value) for kind, value in data.items()}
        if isinstance(data, Mapping)
        else {}
    )


def bounded_value(kind: str, value: Any) -> Any:
    """An output's data of one kind: as it is, cut, or a note in its place."""
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    if is_lines or not (isinstance(value, str) or kind.endswith("json")):
        value = "".join(value) if is_lines else str(value)  # a notebook takes nothing else
    if isinstance(value, str):
        value = printable(value)
        if kind.startswith("text/") and kind != "text/html":
            return shortened(value, MOST_TEXT)
    if size_of(value) <= MOST_OUTPUT:
        return value
    note = f"An output of {size_of(value) / 1e6:.1f} million characters ({kind}) is left out."
    return f"<p>{note}</p>" if kind == "text/html" else note


def bounded_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error's name, text and traceback, each within its bound."""
    lines = error.get("traceback") if isinstance(error.get("traceback"), list) else []
    return {
        "ename": shortened(printable(str(error.get("ename"))), 200),
        "evalue": shortened(printable(str(error.get("evalue"))), MOST_ERROR),
        "traceback": [shortened(printable(str(line)), MOST_ERROR) for line in lines[-MOST_LINES:]],
    }
