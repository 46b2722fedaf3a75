"""Animations that matplotlib wrote as HTML with a script, as players of the page.

`HTML(animation.to_jshtml())` brings a script of its own, which a page does not run. Its pictures
are taken out and shown by labkit's player, with the same buttons.
"""

from __future__ import annotations

import io
import re

from PIL import Image

from labkit import player
from labkit.reports.pictures import address, content_of

MARK = "new Animation(frames"
FRAME = re.compile(r'frames\[(\d{1,5})\] = "data:(image/[a-z+]{3,8});base64,([^"]*)"')
MOST_FRAMES = 100
MOST_BYTES = 2_500_000  # of all frames' addresses
SHEET = 4  # pictures for print


def is_animation(html_text: str) -> bool:
    """Whether an HTML output is one of `to_jshtml`."""
    return MARK in html_text and FRAME.search(html_text) is not None


def played(html_text: str) -> tuple[str, str]:
    """The animation as a player, and a note where not all of its pictures are shown.

    Raises PictureError where none of them can be.
    """
    found = {int(number): (kind, data) for number, kind, data in FRAME.findall(html_text)}
    frames, shape = [], None
    for number in thinned(sorted(found), found):
        kind, data = found[number]
        content = content_of(data.replace("\\", ""), kind)
        frames.append({"name": f"frame {number + 1}", "uri": address(content)})
        shape = shape or size_of(content)
    note = (
        ""
        if len(frames) == len(found)
        else f"Of the animation's {len(found)} frames {len(frames)} are shown."
    )
    spec = {
        "kind": "frames",
        "title": "Animation",
        "label": "frame",
        "frames": frames,
        "key": "",
        "shape": shape,
    }
    chosen = frames[:: -(-len(frames) // SHEET)]
    sheets = [(frame["uri"], f"Animation, {frame['name']}") for frame in chosen]
    return player.iframe_html(spec, sheets, height=min(900, shape[0] + 190)), note


def thinned(numbers: list[int], found: dict[int, tuple[str, str]]) -> list[int]:
    """Numbers of evenly spaced frames, the first among them, that fit a page."""
    step = -(-len(numbers) // MOST_FRAMES)
    while sum(len(found[n][1]) for n in numbers[::step]) > MOST_BYTES and step < len(numbers):
        step += 1
    return numbers[::step]


def size_of(content: bytes) -> list[int]:
    """Height and width of a picture; a plain size where it has none, as a drawing."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return [image.height, image.width]
    except Exception:
        return [480, 640]
