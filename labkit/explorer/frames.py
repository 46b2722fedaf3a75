"""Pictures through the epochs: a slider over mosaics or interpolations."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np

from labkit.explorer.decoding import ExplorerError
from labkit.explorer.sheets import data_uri, webp
from labkit.player import iframe_html, problem_box
from labkit.plots import tile

MOST_BYTES = 210_000  # of all frames as WebP
MOST_SIDE = 2048  # pixels
QUALITIES = (80, 60, 40)


class FramePlayer:
    """One picture an epoch, with a slider, steps and play.

    Args:
        frames: dict of epoch → images (n, h, w[, 1]) in [0, 1], shown as a mosaic, or one
            picture (h, w). All of one shape. Where there are too many for a page, evenly
            spaced ones are kept, the first and the last among them.
        columns: images a row of a mosaic.
        label: what the keys are.
        title: names the player.

    What cannot be shown is a message in the cell, and no error: the notebook goes on.
    """

    def __init__(
        self, frames: Mapping, columns: int = 8, label: str = "epoch", title: str = "Through the epochs"
    ):
        self.label, self.title, self.problem = label, title, None
        try:
            self.pictures = check_frames(frames, columns)
        except ExplorerError as problem:
            self.problem = str(problem)

    def __repr__(self) -> str:
        return f"FramePlayer: {self.problem or f'{self.title}, {len(self.pictures)} frames'}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        try:
            made = problem_box("The player", self.problem) if self.problem else self.page()
        except Exception as error:  # a picture must not stop the notebook
            made = problem_box("The player", f"{type(error).__name__}: {error}")
        return {"text/html": made, "text/plain": repr(self)}

    def page(self) -> str:
        """The player as HTML."""
        coded = fitting(self.pictures)
        named = [{"name": f"{self.label} {key}", "uri": data_uri(picture)} for key, picture in coded.items()]
        height, width = next(iter(self.pictures.values())).shape
        spec = {"kind": "frames", "title": self.title, "label": self.label, "frames": named, "key": ""}
        spec["shape"] = [height, width]
        shown = [named[i] for i in sorted(set(np.linspace(0, len(named) - 1, 4).round().astype(int)))]
        sheets = [(frame["uri"], f"{self.title}, {frame['name']}") for frame in shown]
        return iframe_html(spec, sheets, height=min(900, round(576 * height / width) + 190))


def check_frames(frames, columns: int) -> dict:
    """Frames as grey pictures (h, w), uint8. Raises ExplorerError when there are none or they do not fit."""
    if not isinstance(frames, Mapping) or not frames:
        raise ExplorerError("frames is empty or no dict; epochs and their images were expected.")
    pictures = {}
    for key, images in frames.items():
        images = np.asarray(images)
        try:
            picture = tile(images[None], 1) if images.ndim == 2 else tile(images, columns)
        except (ValueError, TypeError) as error:
            raise ExplorerError(f"Frame {key}: {error}.") from error
        if max(picture.shape) > MOST_SIDE:
            raise ExplorerError(
                f"Frame {key} is {picture.shape[1]}×{picture.shape[0]} pixels; at most {MOST_SIDE} a side."
            )
        pictures[key] = np.rint(picture * 255).astype("uint8")
    shapes = {picture.shape for picture in pictures.values()}
    if len(shapes) > 1:
        raise ExplorerError(f"Frames have sizes {sorted(shapes)}; all of one size were expected.")
    return pictures


def fitting(pictures: dict) -> dict[str, bytes]:
    """The pictures as WebP; of lesser quality, and then fewer, until they fit a page."""
    keys = list(pictures)
    while True:
        for quality in QUALITIES:
            coded = {html.escape(str(key)): webp(pictures[key], quality) for key in keys}
            if sum(map(len, coded.values())) <= MOST_BYTES or len(keys) == 1:
                return coded
        half = np.linspace(0, len(keys) - 1, -(-len(keys) // 2)).round().astype(int)
        keys = [keys[i] for i in half] if len(keys) > 2 else keys[-1:]
