"""Texts for other people's eyes: no terminal colours, no paths of this machine."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.project import ROOT, home, notebooks_dir

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# The look behind starts a match at the path's beginning only: linear in a long text.
CELL_FILE = re.compile(r"(?<![^\s\"'(])[^\s\"'(]*/ipykernel_\d+/\d+\.py")


def without_colours(text: str) -> str:
    """`text` without the terminal's escape sequences."""
    return ANSI.sub("", text)


def printable(text: str) -> str:
    """`text` without halves of surrogate pairs, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def shortened(text: str, most: int) -> str:
    """`text`, or its first part and how much of it is left out."""
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} characters left out"


def path_cleaner(out: Path) -> Callable[[str], str]:
    """A function that writes this machine's paths in a text relative to what they stand for.

    The project's folder disappears from the front of a path; the reports' folder becomes
    ``reports``, a Python environment ``<python>`` and the user's home ``~``.
    """
    names = {str(out): out.name, str(out.resolve()): out.name}
    names |= {str(notebooks_dir().resolve()): "notebooks", str(notebooks_dir()): "notebooks"}
    if data := os.environ.get("LABKIT_DATA"):
        names[data] = "$LABKIT_DATA"
    names |= {str(ROOT): "", sys.prefix: "<python>", sys.base_prefix: "<python>"}
    if own := home():
        names[str(own)] = "~"
        if ROOT.is_relative_to(own):  # IPython's tracebacks write the home as ~
            names[f"~/{ROOT.relative_to(own)}"] = ""
    # The longest first, for one may lie in another; "/" and "/usr" name no one's machine.
    telling = sorted((path for path in names if names[path] == "~" or path.count(os.sep) > 1), key=len)
    rules = [(re.compile(re.escape(path) + r"(?![\w-])(/?)"), names[path]) for path in reversed(telling)]

    def clean(text: str) -> str:
        text = CELL_FILE.sub("<cell>", text)
        for pattern, name in rules:
            text = pattern.sub(functools.partial(renamed, name), text)
        return text

    return clean


def renamed(name: str, match: re.Match) -> str:
    """What stands for a path: its name, or nothing before the rest of a path in the project."""
    return f"{name}{match[1]}" if name else "" if match[1] else "<project>"


def clean_texts(value: Any, clean: Callable[[str], str]) -> Any:
    """`value` with every text in it cleaned, inside lists and mappings too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [clean_texts(item, clean) for item in value]
    if isinstance(value, dict):
        return {name: clean_texts(item, clean) for name, item in value.items()}
    return value
