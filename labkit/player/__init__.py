"""The page's side of explorers and frame players: HTML, script and style.

page     the player as a document in a sandboxed frame, with a contact sheet beside it
refresh  players in stored outputs, framed anew with the script and style of now
"""

from labkit.player.page import RULES, SCRIPT, csp_source, document, iframe_html, problem_box, stand_in
from labkit.player.refresh import is_document, refreshed

__all__ = [
    "RULES",
    "SCRIPT",
    "csp_source",
    "document",
    "iframe_html",
    "is_document",
    "problem_box",
    "refreshed",
    "stand_in",
]
