"""Players in stored outputs, framed anew with the script and style of now.

A stored output carries the script that labkit had when the notebook ran. A page names only the
script of now in its Content-Security-Policy, so an older one would not run. What is taken over
are data: the spec, read as JSON, and the pictures of the contact sheet. No script, style or
markup of the stored output is.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from labkit.player.page import iframe_html

PLAYER = re.compile(
    r'<div class="labkit-player">.*?</div>', re.DOTALL
)  # no other "<div" inside: all is escaped
SPEC = re.compile(r'<script type="application/json" id="spec">(.*?)</script>', re.DOTALL)
PICTURE = re.compile(r"data:image/(webp|png);base64,[A-Za-z0-9+/=]+")
KINDS = ("latent", "frames")
HEIGHT = 620  # CSS pixels, where the stored frame names none


def refreshed(html_text: str) -> str:
    """A stored HTML output in which each player is made anew from its data.

    Specs of the first edition are read as well. A player whose data cannot be read stays as it
    is, and so does everything around the players.
    """
    return PLAYER.sub(lambda found: remade(found[0]), html_text)


def remade(stored: str) -> str:
    """One player (`<div class="labkit-player">…</div>`) with the script and style of now."""
    parts = StoredParts()
    parts.feed(stored)
    try:
        spec = read_spec(parts.frame.get("srcdoc") or "")
    except ValueError:  # json.JSONDecodeError is one
        return stored
    height = parts.frame.get("height") or ""
    return iframe_html(spec, parts.sheets, int(height) if re.fullmatch("[1-9][0-9]{1,3}", height) else HEIGHT)


class StoredParts(HTMLParser):
    """The attributes of a stored player's frame, and its contact sheet: data URI and alt text each."""

    def __init__(self):
        super().__init__()
        self.frame: dict[str, str | None] = {}
        self.sheets: list[tuple[str, str]] = []

    def handle_starttag(self, tag, attrs) -> None:
        """Keep what the frame and the pictures say."""
        said = dict(attrs)
        if tag == "iframe":
            self.frame = said
        elif tag == "img" and PICTURE.fullmatch(said.get("src") or ""):
            self.sheets.append((said["src"], said.get("alt") or ""))


def read_spec(document: str) -> dict[str, Any]:
    """The spec in a stored player's document, as the player of now reads it. Raises ValueError."""
    found = SPEC.search(document)
    if not found:
        raise ValueError("a stored player has no spec")
    spec = json.loads(found[1], parse_constant=refuse)
    if not isinstance(spec, dict) or spec.get("kind") not in KINDS or not isinstance(spec.get("title"), str):
        raise ValueError(f"a stored player's spec is no object with a title and a kind of {KINDS}")
    spec["key"] = ""  # the kernel it was joined to is gone
    if isinstance(spec.get("mix"), dict):
        # The first edition's stored arcs are not those of `labkit.latent.slerp`: only its lines are shown.
        spec["mix"].setdefault("paths", ["linear"])
    return spec


def refuse(constant: str):
    """NaN and infinities are no JSON: the page could not read them."""
    raise ValueError(f"a stored player's spec holds {constant}")
