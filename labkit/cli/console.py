"""Consoles and files that are not UTF-8, such as those of Windows: what is written gets through."""

from __future__ import annotations

import codecs
import sys
import unicodedata

PLAIN = {
    "×": "x", "−": "-", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "≈": "~", "→": "->", "…": "...",
    "·": "*", "‖": "||", "‘": "'", "’": "'", "“": '"', "”": '"', "✓": "yes", "✗": "no",
}  # fmt: skip


def write_what_can_be_written() -> None:
    """Let standard output and error take any text, with plain characters for those that they lack."""
    codecs.register_error("labkit-plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a program without a console has none
            stream.reconfigure(errors="labkit-plain")


def plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What is written in place of characters that an encoding lacks, and where it goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(spelled, lacking)), error.end


def spelled(character: str) -> str:
    """A character in ASCII: its own spelling, its base letter, a Greek letter's name, or "?"."""
    if character in PLAIN:
        return PLAIN[character]
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    name = unicodedata.name(character, "")
    greek = name.rpartition(" ")[2].lower() if name.startswith("GREEK SMALL LETTER") else ""
    return base or greek or "?"
