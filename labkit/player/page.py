"""The player of explorers and of pictures through the epochs, as HTML.

It is a document of its own in a sandboxed frame, which may run its one script and load
nothing. The same frame stands in JupyterLab's outputs, in stored notebooks and in reports.
Next to it stands a contact sheet, for print, for readers without scripts, and for notebooks
that are not trusted, where only the sheet is left.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PARTS = ("sources.js", "parts.js", "frames.js", "view.js", "pad.js", "controls.js", "latent.js")
SCRIPT = "\n".join((HERE / name).read_text(encoding="utf-8") for name in PARTS)
STYLE = (HERE / "player.css").read_text(encoding="utf-8")
RULES = """.labkit-player iframe { display: block; width: 100%; border: 0; }
.labkit-player img { max-width: 100%; image-rendering: pixelated; }
.labkit-player summary { font-size: .85em; cursor: pointer; }
.labkit-untrusted { display: none; }
@media print { .labkit-player iframe { display: none; } .labkit-player details::details-content { display: block; content-visibility: visible; } }
@media (scripting: none) { .labkit-player iframe { display: none; } .labkit-player details::details-content { display: block; content-visibility: visible; } }
"""  # noqa: E501
AROUND = f"<style>\n{RULES}</style>"


def csp_source(script: str) -> str:
    """How a Content-Security-Policy names an inline script: by its SHA-256."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def document(spec: dict[str, Any]) -> str:
    """The player as a whole HTML document.

    Args:
        spec: what it shows, of the two kinds that `LatentExplorer.spec` and `FramePlayer.page`
            make. Written as JSON into an element that is no script, so that the script's text is
            always the same.
    """
    # "<" cannot end the element early when it is written as an escape.
    data = json.dumps(spec, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {csp_source(SCRIPT)}"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(spec['title'])}</title><style>{STYLE}</style></head><body>"
        '<p class="notice">This player needs scripts. The contact sheet below needs none.</p>'
        f'<script type="application/json" id="spec">{data}</script><script>{SCRIPT}</script></body></html>'
    )


def iframe_html(spec: dict[str, Any], sheets: list[tuple[str, str]], height: int) -> str:
    """The player in its frame, and the contact sheet beside it.

    Args:
        spec: as in `document`; its `title` names the frame.
        sheets: data URI and alt text of each picture of the contact sheet.
        height: of the frame in CSS pixels, until the page has heard the player's own.
    """
    title = html.escape(spec["title"], quote=True)
    pictures = "".join(
        f'<p><img src="{uri}" alt="{html.escape(alt, quote=True)}" width="480"></p>' for uri, alt in sheets
    )
    # Single quotes around, since the document is full of double ones.
    inside = html.escape(document(spec), quote=False).replace("'", "&#39;")
    made = (
        f'<div class="labkit-player">{AROUND}'
        f'<iframe title="{title}" sandbox="allow-scripts" height="{height}" srcdoc=\'{inside}\'></iframe>'
        '<p class="labkit-untrusted">The player is left out here: run the cell, or trust the notebook.</p>'
        f"<details><summary>Contact sheet: {title}</summary>{pictures}</details></div>"
    )
    # In ASCII, the script's text and so its hash are the same whatever encoding a page is read in.
    return made.encode("ascii", "xmlcharrefreplace").decode("ascii")


def stand_in(made: str) -> str:
    """A player for when the widget that was displayed just before it, of class labkit-sliders, is gone.

    JupyterLab keeps the two as neighbours among a cell's outputs. While the widget lives, the
    player is hidden; else what JupyterLab says in the widget's place ("model not found") is.
    """
    output, live, spare = ".jp-OutputArea-child", ":has(.labkit-sliders)", ":has(.labkit-stand-in)"
    hidden = f"{output}{live} + {output}{spare}, {output}:not({live}):has(+ {output} .labkit-stand-in)"
    return f'<div class="labkit-stand-in"><style>{hidden} {{ display: none; }}</style>{made}</div>'


def problem_box(what: str, problem: str) -> str:
    """A message in place of a player that cannot be shown."""
    return (
        '<div class="error" role="alert" style="border-left:4px solid #c22;padding:.6rem 1rem">'
        f"<p><strong>{html.escape(what)} cannot be shown.</strong> {html.escape(problem)}</p></div>"
    )
