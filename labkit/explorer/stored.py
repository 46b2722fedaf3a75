"""Precomputed pictures for pages without a kernel, and the index by which the page finds each."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from labkit.explorer.latents import point_specs, rounded
from labkit.explorer.sheets import Plan, data_uri, odd, smallest
from labkit.latent import interpolate
from labkit.plots import tile

SCALED_TO = 2.0  # t of t·z runs from 0 to this
PATHS = ["linear", "spherical"]  # stored for each pair of points, in this order


def walk(a, b, steps: int, *, spherical: bool) -> np.ndarray:
    """Codes (steps, D) from `a` to `b`: on the line, or on the arc where there is a shortest one."""
    try:
        return interpolate(a, b, steps, spherical=spherical)
    except ValueError:  # a code of length 0, or two that are opposite
        return interpolate(a, b, steps)


def stored_pictures(explorer, plan: Plan) -> tuple[dict[str, Any], np.ndarray]:
    """Pictures (n, h, w), uint8, and what the page needs to find each of them."""
    latents, pictures, spec = explorer.latents, [], {}
    classes = range(max(len(explorer.classes), 1))

    def add(codes, labels=0) -> int:
        first = sum(map(len, pictures))
        pictures.append(explorer.decoder(codes, labels))
        return first

    plane = [add(latents.plane(explorer.dims, plan.plane), c) for c in classes if plan.plane]
    spec["plane"] = {"n": plan.plane, "dims": list(explorer.dims), "first": plane[0] if plane else 0}
    dims = latents.order[: plan.latents]
    strips = np.concatenate([latents.along(dim, np.linspace(-1, 1, plan.steps)) for dim in dims])
    spec["strips"] = {"steps": plan.steps, "dims": list(dims), "first": min(add(strips, c) for c in classes)}
    if len(dims) < explorer.latent_dim:
        left_out = f"Stored are the {len(dims)} most active of {explorer.latent_dim} latents."
        spec["note"] = f"{explorer.note} {left_out}".strip()
    spec |= stored_points(explorer, plan, add)
    return spec, np.concatenate(pictures)


def stored_points(explorer, plan: Plan, add) -> dict[str, Any]:
    """The points, their scalings and mixtures, and some random draws."""
    points, t = explorer.points[: plan.points], np.linspace(0, 1, plan.walk)
    z, labels = np.array([p.z for p in points]), np.array([p.label for p in points])
    draws = explorer.latents.draws(explorer.rng, plan.samples)
    drawn = explorer.rng.integers(0, max(len(explorer.classes), 1), plan.samples)
    spec = {"points": point_specs(points), "pointsFirst": add(z, labels)}
    spec["samples"] = [
        {"z": rounded(code), "label": int(label)} for code, label in zip(draws, drawn, strict=True)
    ]
    spec["samplesFirst"] = add(draws, drawn)
    scaled = SCALED_TO * t[:, None] * z[:, None]  # (points, walk, D)
    spec["scale"] = {"steps": plan.walk, "first": add(scaled, np.repeat(labels, plan.walk))}
    pairs = list(itertools.combinations(range(len(points)), 2))
    if pairs:
        mixed = [walk(z[a], z[b], plan.walk, spherical=arc) for a, b in pairs for arc in (False, True)]
        of_a = np.repeat([labels[a] for a, _ in pairs], 2 * plan.walk)
        spec["mix"] = {"steps": plan.walk, "first": add(np.concatenate(mixed), of_a), "paths": PATHS}
    return spec


def contact_sheets(explorer) -> list[tuple[str, str]]:
    """Data URI and alt text of the pictures that stand for the explorer where it cannot run."""
    latents, made = explorer.latents, []
    h, w = explorer.shape
    most = max(3, odd(900 // max(h, w)))  # pictures a side
    n_classes, reach = len(explorer.classes), "from −3 to 3 standard deviations"
    if explorer.latent_dim > 1:
        n = min(11, most)
        x, y = (dim + 1 for dim in explorer.dims)
        alt = f"{explorer.title}: {n} by {n} pictures, latent {x} across and {y} up, {reach}"
        made.append((explorer.decoder(latents.plane(explorer.dims, n)), n, alt))
    if explorer.latent_dim != 2:
        steps, dims = min(11, most), latents.order[:8]
        z = np.concatenate([latents.along(dim, np.linspace(-1, 1, steps)) for dim in dims])
        names = ", ".join(str(dim + 1) for dim in dims)
        alt = f"{explorer.title}: a row for each of latents {names}, {reach}"
        made.append((explorer.decoder(z), steps, alt))
    if n_classes:
        columns = min(10, most)
        z = explorer.latents.draws(np.random.default_rng(0), columns)
        labels = np.repeat(np.arange(n_classes), columns)
        names = ", ".join(explorer.classes)
        alt = f"{explorer.title}: a row for each class, {names}, with the same random codes in all"
        made.append((explorer.decoder(np.tile(z, (n_classes, 1)), labels), columns, alt))
    return [(sheet_uri(pictures, columns), alt) for pictures, columns, alt in made]


def sheet_uri(pictures, columns: int) -> str:
    """Pictures (n, h, w), uint8, tiled, as a data URI."""
    return data_uri(smallest(np.rint(255 * tile(pictures / 255, columns, pad=1)).astype("uint8"), 60_000))
