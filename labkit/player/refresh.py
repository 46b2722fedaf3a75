"""Players in stored outputs, framed anew with the script and style of now.

A stored output carries the script that labkit had when the notebook ran. A page names only the
script of now in its Content-Security-Policy, so an older one would not run. What is taken over
are data: the spec, read as JSON, and the pictures of the contact sheet. No script, style or
markup of the stored output is.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from labkit.player.page import document, iframe_html

START, END = '<div class="labkit-player">', "</div>"  # no other "<div" inside: all is escaped
FRAME = re.compile(r"<iframe\b(?P<before>[^<>]*?)\bsrcdoc='(?P<document>[^']*)'")
HEIGHT = re.compile(r'\bheight="([1-9][0-9]{1,3})"')
SHEET = re.compile(r'<img src="(data:image/(?:webp|png);base64,[A-Za-z0-9+/=]+)" alt="([^"]*)"')
SPEC = '<script type="application/json" id="spec">'
KINDS = ("latent", "frames")
USUAL_HEIGHT = 620  # CSS pixels, where the stored frame names none


def refreshed(html_text: str) -> str:
    """A stored HTML output in which each player is made anew from its data.

    Specs of the first edition are read as well. A player whose data cannot be read stays as it
    is, and so does everything around the players.
    """
    done, at = [], 0
    while (start := html_text.find(START, at)) >= 0 and (end := html_text.find(END, start)) >= 0:
        done += [html_text[at:start], remade(html_text[start : end + len(END)])]
        at = end + len(END)
    return "".join([*done, html_text[at:]])


def is_document(text: str) -> bool:
    """Whether a frame's document is, character by character, what labkit makes of the data in it."""
    try:
        return document(read_spec(text)) == text
    except (ValueError, TypeError, RecursionError):
        return False


def remade(stored: str) -> str:
    """One player (`<div class="labkit-player">…</div>`) with the script and style of now."""
    frame = FRAME.search(stored)
    try:
        spec = read_spec(html.unescape(frame["document"]) if frame else "")
    except (ValueError, RecursionError):  # json.JSONDecodeError is a ValueError
        return stored
    height = HEIGHT.search(frame["before"])
    sheets = [(uri, html.unescape(alt)) for uri, alt in SHEET.findall(stored[frame.end() :])]
    return iframe_html(spec, sheets, int(height[1]) if height else USUAL_HEIGHT)


def read_spec(document: str) -> dict[str, Any]:
    """The spec in a stored player's document, as the player of now reads it. Raises ValueError."""
    _, opening, rest = document.partition(SPEC)
    data, closing, _ = rest.partition("</script>")
    if not opening or not closing:
        raise ValueError("a stored player has no spec")
    spec = json.loads(data, parse_constant=refuse)
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
