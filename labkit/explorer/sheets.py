"""Stored pictures: many small ones in one image, and how many of what there is room for."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

BLOCK = 16  # WebP codes blocks of 16 pixels, and smooths across their edges:
MARGIN = 2  # pixels around a picture, so that its neighbour's ink stays out of it
MOST_PIXELS = 1_300_000  # of one sheet
MOST_BYTES = 220_000  # of one sheet as WebP, so that a player stays below 300 kB
QUALITIES = (95, 85, 70, 50, 30)
LONGEST = 16_383  # pixels, WebP's limit


@dataclass(frozen=True)
class Plan:
    """How many pictures of each kind a page without a kernel gets."""

    plane: int  # n, for n·n pictures a class; odd, so that the start is one of them
    latents: int  # with a strip of their own
    steps: int  # of a strip; odd
    points: int
    walk: int  # steps of a scaling or a mixture; odd
    samples: int


def plan(shape, latent_dim: int, n_classes: int, n_points: int) -> Plan:
    """Share out the room of one sheet for pictures (h, w)."""
    room = min(MOST_PIXELS // math.prod(padded(shape)), 1500)
    classes = max(n_classes, 1)
    plane = 0
    if latent_dim > 1:
        plane = max(3, min(15, odd(math.isqrt(int(0.35 * room / classes)))))
    steps = max(5, min(15, odd(int(0.4 * room / (latent_dim * classes)))))
    latents = max(1, min(latent_dim, int(0.4 * room / (steps * classes))))
    points = min(n_points, 6 if room >= 600 else 4)
    pairs = points * (points - 1)  # each straight and along the arc
    walk = max(3, min(9, odd(int(0.2 * room / max(pairs + points, 1)))))
    return Plan(plane, latents, steps, points, walk, 12)


def odd(n: int) -> int:
    """The largest odd number that is at most n, and at least 1."""
    return max(1, n - 1 + n % 2)


def padded(shape) -> tuple[int, int]:
    """Height and width of a picture's place on a sheet."""
    return tuple(-(-(side + 2 * MARGIN) // BLOCK) * BLOCK for side in shape)


def pack(pictures, most: int = MOST_BYTES) -> dict[str, Any]:
    """Pictures (n, h, w), uint8, as one sheet for the page: data URI, columns, pitch.

    Each stands in the middle of its place of `pitch` pixels, its edges continued around it.
    """
    pitch = padded(pictures.shape[1:])
    columns = min(
        len(pictures), max(1, math.isqrt(len(pictures) * pitch[0] // pitch[1])), LONGEST // pitch[1]
    )
    rows = -(-len(pictures) // columns)
    gaps = [place - side for place, side in zip(pitch, pictures.shape[1:], strict=True)]
    tiles = np.pad(pictures, [(0, 0), *((gap // 2, gap - gap // 2) for gap in gaps)], mode="edge")
    tiles = np.concatenate([tiles, np.zeros((rows * columns - len(tiles), *pitch), "uint8")])
    sheet = tiles.reshape(rows, columns, *pitch).swapaxes(1, 2).reshape(rows * pitch[0], columns * pitch[1])
    return {"uri": data_uri(smallest(sheet, most)), "columns": columns, "pitch": pitch}


def smallest(picture, most: int) -> bytes:
    """A grey picture (h, w), uint8, as WebP of the best quality that stays below `most` bytes."""
    for quality in QUALITIES:
        coded = webp(picture, quality)
        if len(coded) <= most:
            break
    return coded


def webp(picture, quality: int) -> bytes:
    """A grey picture (h, w), uint8, as WebP."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "webp", quality=quality, method=4)
    return buffer.getvalue()


def png(picture, side: int = 280) -> bytes:
    """A grey picture (h, w) in [0, 1] as PNG, its pixels magnified until it has about `side`."""
    times = max(1, side // max(picture.shape))
    grey = np.rint(255 * picture).astype("uint8").repeat(times, 0).repeat(times, 1)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def data_uri(coded: bytes) -> str:
    """WebP as a data URI."""
    return "data:image/webp;base64," + base64.b64encode(coded).decode("ascii")
