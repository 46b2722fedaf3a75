"""What is painted on a synthetic face: eyes, brows, nostrils, mouth and folds, as albedo.

All is a function of the head's own coordinates, where the face looks along z.
"""

from __future__ import annotations

import numpy as np

SOFT = 0.012  # half a pixel of a 64×64 image: the width of an edge
EYES_AT, MOUTH_AT = 0.03, -0.36
DARK, WHITE = 0.06, 0.95


def albedo(point, f: dict[str, float], moves: dict[str, float]):
    """Reflectance (h, w) of the skin's surface at `point` (3, h, w), in the head's coordinates.

    `f` are the face's factors, `moves` what its expression moves.
    """
    x, y, z = point
    front = step(z, 0.08, 0.1)
    colour = np.full_like(x, f["skin"])
    colour = colour * (1 - 0.3 * step(np.abs(x), 0.47 * f["face_width"], 0.03))  # ears lie in the shade
    colour = folds(colour, x, y, f, moves, front)
    for side in (-1, 1):
        colour = eye(colour, side * x, y, f, moves, front)
        colour = brow(colour, side * x, y, side, f, moves, front)
    return mouth(colour, x, y, f, moves, front)


def step(value, at=0.0, width=SOFT):
    """0 where `value` is well below `at`, 1 well above, smooth in between."""
    t = np.clip((value - at) / (2 * width) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def paint(colour, new, amount):
    """`colour` with `new` over it where `amount` is 1."""
    return colour + (new - colour) * amount


def blob(x, y, width, height):
    """A soft spot: 1 in its centre, e^−½ at its half axes."""
    return np.exp(-0.5 * (np.square(x / width) + np.square(y / height)))


def eye(colour, x, y, f, moves, front):
    """Socket, white, iris and lid of the eye at positive `x`."""
    size = f["eye_size"]
    x, y = (x - f["eye_distance"]) / size, (y - EYES_AT) / size
    open_ = 0.05 * max(0.25, 1 + moves["lids"])
    arch = 1 - np.square(x / 0.1)
    inside = step(open_ * arch - np.abs(y + 0.1 * open_)) * front
    colour = colour * (1 - 0.3 * blob(x, y - 0.01, 0.13, 0.075) * front)
    colour = paint(colour, WHITE * (0.8 + 0.2 * f["skin"]), inside)
    radius = np.hypot(x, y)
    colour = paint(colour, 0.22, inside * step(0.05 - radius))
    colour = paint(colour, 0.03, inside * step(0.024 - radius))
    colour = paint(colour, 0.9, 0.8 * inside * blob(x - 0.015, y - 0.015, 0.011, 0.011))
    lid = np.abs(y - open_ * arch) - 0.014
    return paint(colour, DARK, 0.75 * step(-lid) * step(arch, 0.05, 0.05) * front)


def brow(colour, x, y, side, f, moves, front):
    """The brow at positive `x`; `side` is 1 for the one on the right of the image."""
    t = (x - f["eye_distance"]) / 0.13  # −1 at the inner end, 1 at the outer
    one = moves["one_brow"] * (side > 0)
    inner, outer = moves["brow_inner"] + one, moves["brow_outer"] + one
    middle = EYES_AT + 0.125 + f["brow_height"] + 0.025 * (1 - t * t)
    at = middle + 0.5 * ((1 - t) * inner + (1 + t) * outer)
    thick = f["brow_width"] * (1 - 0.35 * (t + 1) / 2)
    amount = step(thick - np.abs(y - at)) * step(1 - np.abs(t), 0, 0.12) * front
    return paint(colour, 0.8 * f["hair"] * f["skin"], 0.85 * amount)


def mouth(colour, x, y, f, moves, front):
    """Lips, and what is seen between them: teeth above, dark below."""
    half = 0.15 * f["mouth_width"] * (1 + moves["width"])
    t = x / half
    bend = np.square(np.clip(t, -1.3, 1.3))
    corner = bend * (moves["corners"] + moves["one_corner"] * (t > 0))
    middle = MOUTH_AT - 0.35 * moves["open"] - 0.4 * moves["corners"] + corner - 0.3 * moves["jaw"]
    gap = moves["open"] * np.sqrt(np.maximum(1 - np.square(t), 0))
    full = 0.042 * (1 + moves["lips"]) * np.maximum(1 - np.square(t), 0)
    above = y - middle - 0.5 * gap - moves["upper_lip"] * np.maximum(1 - np.square(t), 0) * 0.5
    below = middle - 0.5 * gap - y
    across = step(1 - np.abs(t), 0, 0.06) * front
    lips = step(full - above) * step(1.15 * full - below) * across
    colour = paint(colour, 0.66 * f["skin"], 0.9 * lips)
    opening = step(-above) * step(-below) * across
    line = step(0.008 - np.minimum(np.abs(above), np.abs(below))) * across
    if moves["open"] > 0.005:
        colour = paint(colour, DARK, opening)
        teeth = step(above, -0.045) * opening
        colour = paint(colour, 0.85, teeth * step(gap, 0.03, 0.015) * (moves["jaw"] < 0.01))
    return paint(colour, 0.3 * f["skin"], 0.75 * line)


def folds(colour, x, y, f, moves, front):
    """Nostrils, the shades under nose and lower lip, and folds that cheeks and nose make."""
    tip = -0.03 - 0.13 * f["nose_length"] + 0.02 * moves["wrinkle"]
    shade = 0.3 * blob(x, y - tip + 0.075, 0.07 * f["nose_width"], 0.022)
    shade = shade + 0.16 * blob(x, y - MOUTH_AT + 0.1 + moves["open"], 0.1, 0.025)
    for side in (-1, 1):
        nostril = blob(side * x - 0.042 * f["nose_width"], y - tip + 0.05, 0.017, 0.014)
        along = step(y, -0.36, 0.05) * step(-y, 0.13, 0.05)
        fold = side * x - 0.13 - 0.42 * (-0.16 - y)
        depth = 0.08 + 0.3 * moves["cheeks"]
        shade = shade + 0.55 * nostril + depth * np.exp(-0.5 * np.square(fold / 0.02)) * along
    rib = np.exp(-0.5 * np.square((y - 0.06) / 0.016)) + np.exp(-0.5 * np.square((y - 0.01) / 0.016))
    shade = shade + 0.3 * moves["wrinkle"] * rib * blob(x, 0, 0.05, 1)
    return colour * (1 - np.clip(shade, 0, 0.8) * front)
