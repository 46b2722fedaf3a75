"""Faces that belong to no one: a small renderer whose factors are known.

A head is a handful of ellipsoids, smoothly joined, seen from the front without perspective
and lit by one lamp. Eyes, brows, nostrils, mouth and folds are painted on in the head's own
coordinates, so that they turn with it (`features`). All that a picture shows follows
from

- an **identity**: thirteen numbers of build and colouring (`IDENTITY`), each uniform in its range;
- an **expression**: one of the seven that the CK+ set is labelled with (Lucey et al. 2010),
  as movements of brows, lids, cheeks and mouth (`MOVEMENTS`), times an **intensity**;
- the **pose**: yaw and pitch, in degrees;
- the **light**: azimuth and elevation of the lamp, in degrees.

Lengths are such that a head is about 1 wide: x runs to the right, y up, z towards the viewer.
"""

from __future__ import annotations

import numpy as np

from labkit.data.faces.features import albedo

SIZE, SAMPLES = 64, 3  # pixels of an image's side; samples of a pixel's side
HALF_SIDE, MIDDLE = 0.77, 0.03  # of what is seen: half its height, and where its middle lies
EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
IDENTITY = {  # factor: lowest and highest value
    "face_width": (0.86, 1.1),
    "jaw_width": (0.84, 1.14),
    "chin": (0.9, 1.12),
    "skin": (0.4, 0.82),
    "hair": (0.06, 0.6),
    "hairline": (-0.05, 0.08),
    "eye_distance": (0.185, 0.225),
    "eye_size": (0.88, 1.16),
    "brow_height": (-0.02, 0.03),
    "brow_width": (0.02, 0.042),
    "nose_length": (0.85, 1.15),
    "nose_width": (0.75, 1.3),
    "mouth_width": (0.85, 1.15),
}
CIRCUMSTANCES = {
    "intensity": (0.5, 1.0),
    "yaw": (-25.0, 25.0),
    "pitch": (-12.0, 12.0),
    "light_azimuth": (-60.0, 60.0),
    "light_elevation": (0.0, 50.0),
}
# What an expression moves at full intensity; what is not named stays at 0. Brows and mouth
# corners move up by so much; lids, mouth opening, width and lip fullness are relative.
MOVEMENTS = {
    "anger": {"brow_inner": -0.075, "brow_outer": 0.02, "lids": -0.3, "lips": -0.55, "corners": -0.025},
    "contempt": {"one_corner": 0.085, "lids": -0.2, "one_brow": 0.03, "lips": -0.2},
    "disgust": {"brow_inner": -0.05, "brow_outer": -0.03, "lids": -0.5, "upper_lip": 0.05,
                "wrinkle": 1.0, "corners": -0.03, "cheeks": 0.6},
    "fear": {"brow_inner": 0.09, "brow_outer": 0.03, "lids": 0.55, "open": 0.07, "width": 0.2,
             "corners": -0.03},
    "happiness": {"corners": 0.085, "open": 0.055, "width": 0.3, "lids": -0.3, "cheeks": 1.0,
                  "brow_outer": 0.01},
    "sadness": {"brow_inner": 0.075, "brow_outer": -0.03, "lids": -0.3, "corners": -0.08, "lips": 0.1},
    "surprise": {"brow_inner": 0.1, "brow_outer": 0.1, "lids": 0.7, "open": 0.15, "width": -0.22,
                 "jaw": 0.08},
}  # fmt: skip
LAMP, AMBIENT = 0.95, 0.28
BLEND = 20.0  # how sharply two parts of the skin meet; larger is sharper


def movements(expression: str, intensity: float) -> dict[str, float]:
    """What an expression moves, by how much. Raises KeyError for one that is not in MOVEMENTS."""
    names = {name for moves in MOVEMENTS.values() for name in moves}
    return {name: intensity * MOVEMENTS[expression].get(name, 0.0) for name in names}


def render(factors: dict[str, float], expression: str) -> np.ndarray:
    """A face as uint8 (64, 64).

    Args:
        factors: a value for each name in IDENTITY and CIRCUMSTANCES.
        expression: one of EXPRESSIONS.

    Raises:
        KeyError: a factor that is missing, or an unknown expression.
    """
    moves = movements(expression, factors["intensity"])
    side = (np.arange(SIZE * SAMPLES) + 0.5) / (SIZE * SAMPLES) * 2 - 1
    u, v = np.meshgrid(HALF_SIDE * side, MIDDLE - HALF_SIDE * side)
    turn = rotation(factors["yaw"], factors["pitch"])
    image = background(v)
    for parts, material in scene(factors, moves):
        z, normal, seen = surface(u, v, parts, turn)
        if material == "skin":
            colour = albedo(np.einsum("ji,jhw->ihw", turn, np.stack([u, v, z])), factors, moves)
            nearest = z
        else:
            colour = {
                "hair": factors["hair"] * factors["skin"],
                "neck": 0.82 * factors["skin"],
                "cloth": 0.32,
            }[material]
            seen = seen & (z > nearest) if material == "hair" else seen
        image = np.where(seen, colour * light(normal, factors), image)
    pixels = image.reshape(SIZE, SAMPLES, SIZE, SAMPLES).mean((1, 3))
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """3×3 matrix from the head's coordinates to the viewer's: nod by pitch, then turn by yaw."""
    a, b = np.radians(yaw), np.radians(pitch)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return turn @ nod


def scene(f: dict[str, float], moves: dict[str, float]):
    """Groups of ellipsoids (centre, half axes) with their material, the farthest first.

    The hair lies before the skin only where its surface does.
    """
    width, jaw, drop = f["face_width"], f["jaw_width"], moves["jaw"]
    lift, flare = 0.04 * moves["cheeks"], f["nose_width"] * (1 + 0.2 * moves["wrinkle"])
    tip = -0.03 - 0.13 * f["nose_length"] + 0.02 * moves["wrinkle"]
    sides = (-1, 1)
    skin = [
        ((0, 0.15, 0), (0.5 * width, 0.53, 0.56)),
        ((0, -0.2 - 0.5 * drop, 0.1), (0.4 * width * jaw, 0.46 * f["chin"] + 0.5 * drop, 0.4)),
        ((0, -0.54 * f["chin"] - drop, 0.27), (0.14 * jaw, 0.1, 0.12)),
        *[((0.23 * s * width, -0.13 + lift, 0.27), (0.17, 0.16, 0.13 + 0.5 * lift)) for s in sides],
        ((0, tip + 0.16, 0.5), (0.05, 0.17, 0.085)),
        ((0, tip, 0.545), (0.06 * flare, 0.055, 0.085)),
        *[((0.06 * s * flare, tip - 0.01, 0.49), (0.04, 0.04, 0.06)) for s in sides],
        *[((0.5 * s * width, 0.0, -0.1), (0.055, 0.12, 0.07)) for s in sides],
    ]
    hair = [((0, 0.26 + f["hairline"], -0.165), (0.56 * width, 0.53, 0.6))]
    return [
        ([((0, -1.28, -0.2), (0.95, 0.5, 0.4))], "cloth"),
        ([((0, -0.75, -0.16), (0.27 * width, 0.55, 0.27))], "neck"),
        (skin, "skin"),
        (hair, "hair"),
    ]


def surface(u, v, parts, turn):
    """Depth, unit normals (3, h, w) in the viewer's frame and where there is anything, of joined parts.

    Along the line of sight (u, v, z) an ellipsoid is a quadratic in z; its larger root is what
    is seen. Depths are joined by a smooth maximum, normals with the same weights.
    """
    depths, normals, weights = [], [], []
    for centre, axes in parts:
        form = turn @ np.diag(1 / np.square(axes)) @ turn.T  # (p − c)ᵀ form (p − c) = 1
        x, y = u - (turn @ centre)[0], v - (turn @ centre)[1]
        half = (form[0, 2] * x + form[1, 2] * y) / form[2, 2]
        rest = (form[0, 0] * x * x + 2 * form[0, 1] * x * y + form[1, 1] * y * y - 1) / form[2, 2]
        inside = np.maximum(half * half - rest, 0)
        z = np.sqrt(inside) - half
        normal = np.einsum("ij,jhw->ihw", form, np.stack([x, y, z]))
        normals.append(normal / np.maximum(np.linalg.norm(normal, axis=0), 1e-9))
        depths.append(z + (turn @ centre)[2])
        weights.append(form[2, 2] * inside)  # falls to 0 at the part's outline, so that none shows
    depths, weights = np.stack(depths), np.stack(weights)
    seen = weights.max(0) > 0
    nearest = np.where(weights > 0, depths, -9.0).max(0)
    weights = weights * np.exp(BLEND * np.minimum(depths - nearest, 0))
    weights = weights / np.maximum(weights.sum(0), 1e-12)
    normal = np.einsum("khw,kihw->ihw", weights, np.stack(normals))
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-9)
    return np.where(seen, (weights * depths).sum(0), -9.0), normal, seen


def light(normal, f: dict[str, float]):
    """Brightness (h, w) of a matt surface: the sky's light and that of one soft lamp."""
    a, e = np.radians(f["light_azimuth"]), np.radians(f["light_elevation"])
    towards = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    facing = np.einsum("i,ihw->hw", towards, normal)
    soft = np.square(0.5 + 0.5 * facing)  # wraps around the edge of the shadow as a large lamp's light does
    return AMBIENT * (0.75 + 0.25 * normal[1]) + LAMP * soft


def background(v):
    """A wall, a little lighter above."""
    return 0.46 + 0.08 * v


def draw_factors(n_subjects: int, per_expression: int, seed: int) -> tuple[dict[str, np.ndarray], ...]:
    """Factors of a set: each subject shows each expression `per_expression` times.

    Returns the factors, name → (n,) float32, the expressions' numbers (n,) and the
    subjects' (n,), images of a subject in a row. Same seed, same set.
    """
    rng = np.random.default_rng(seed)
    each = len(EXPRESSIONS) * per_expression
    n = n_subjects * each
    drawn = {name: np.repeat(rng.uniform(*ends, n_subjects), each) for name, ends in IDENTITY.items()}
    drawn |= {name: rng.uniform(*ends, n) for name, ends in CIRCUMSTANCES.items()}
    labels = np.tile(np.repeat(np.arange(len(EXPRESSIONS)), per_expression), n_subjects)
    factors = {name: values.astype(np.float32) for name, values in drawn.items()}
    return factors, labels, np.repeat(np.arange(n_subjects), each)


def render_all(factors: dict[str, np.ndarray], labels) -> np.ndarray:
    """Faces as uint8 (n, 64, 64) for factors as `draw_factors` gives them."""
    rows = [{name: float(values[i]) for name, values in factors.items()} for i in range(len(labels))]
    return np.stack([render(row, EXPRESSIONS[label]) for row, label in zip(rows, labels, strict=True)])
