"""Faces from a MATLAB file: images upright, 64×64 and in [0, 1], with labels, subjects and factors.

Everything that had to be decided on the way stands in `remarks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from labkit.data.errors import DataError
from labkit.data.faces import companions, layouts
from labkit.data.faces.companions import LABELS, SUBJECTS, last, vectors
from labkit.data.faces.layouts import SIDE, MatOptions
from labkit.data.faces.matfile import read_mat
from labkit.data.faces.matvalues import Turns
from labkit.data.faces.scale import unit_scale


@dataclass(frozen=True)
class Faces:
    """Faces as read from one file.

    images: float32 in [0, 1], (n, 64, 64). labels, subjects: int64 (n,), numbered from 0, or
    None. class_names: of the labels. factors: name → float32 (n,). remarks: what was decided;
    unused: labels or subjects that are in the file and could not be used, and what to do.
    """

    images: np.ndarray = field(repr=False)
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    subjects: np.ndarray | None = None
    factors: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    remarks: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the images as bytes (grey 0 to 255), row by row, in the file's order."""
        return hashlib.sha256(np.round(255 * self.images).astype(np.uint8).tobytes()).hexdigest()


def read_faces(path: Path, options: MatOptions | None = None, turns: Turns | None = None) -> Faces:
    """Read a .mat file of faces, of any version and layout that is known; `turns` as for `read_mat`.

    Raises:
        DataError: the file or its images cannot be used; the message names the file, the
            variables found with their shapes, and the argument that may help.
        OSError: it cannot be opened.
    """
    options = options or MatOptions()
    variables = layouts.flattened(read_mat(path, turns))
    try:
        return faces_of(variables, options)
    except DataError as error:
        raise DataError(f"{path.name} {error}") from error


def faces_of(variables: dict[str, object], options: MatOptions) -> Faces:
    """Faces from a file's variables. Raises DataError, without the file's name."""
    name, also = layouts.choose_variable(variables, options)
    others = {n: v for n, v in variables.items() if n != name}
    images, remarks = images_of(name, variables, vectors(others), options)
    check_finite(name, images)
    scale, said = unit_scale(name, images)
    pixels = np.stack([resized(scale(image)) for image in images])
    if layouts.looks_transposed(pixels):
        said.append(f"the faces may lie on their side: {way_to_turn(variables[name], options)} turns them")
    beside = companions.beside(others, len(images), options, name)
    return Faces(
        images=pixels,
        remarks=(*remarks, *said, *size_remark(images), *beside.pop("remarks"), *also),
        **beside,
    )


def images_of(name: str, variables, vectors_, options: MatOptions):
    """The images in a variable, upright and of any sizes, and remarks on how they were read.

    Raises DataError if it holds none; a number of labels among `vectors_` helps to choose.
    """
    value = variables[name]
    cells = layouts.cell_images(value)
    if cells is not None:
        remarks = [f"{len(cells):,} images from the cell array {name}"]
        return [x.T for x in cells] if options.transpose else cells, remarks
    if not isinstance(value, np.ndarray):
        raise DataError(
            f"{layouts.described(name, value)} holds no images: {layouts.all_described(variables)}"
        )
    counts = {len(v) for n, v in vectors_.items() if LABELS.match(last(n)) or SUBJECTS.match(last(n))}
    layout, others = layouts.choose_layout(name, value, counts, options)
    return layouts.arranged(value, options, layout), [how_read(name, value, layout, options), *others]


def how_read(name: str, value: np.ndarray, layout: layouts.Layout, options: MatOptions) -> str:
    """What the images' array was taken for, and where squares leave a doubt how to choose."""
    remark = f"{layouts.described(name, value)} read as {layout}"
    if not layout.flat:
        return remark + (", rows and columns swapped" if options.transpose else "")
    way = "column by column, as MATLAB writes them" if options.order == "F" else "row by row"
    other = "C" if options.order == "F" else "F"
    swapped = ", then rows and columns swapped" if options.transpose else ""
    return f"{remark}, pixels {way}{swapped}; should faces lie on their side, order={other!r} turns them"


def way_to_turn(value: object, options: MatOptions) -> str:
    """The argument that would swap rows and columns."""
    flat = isinstance(value, np.ndarray) and value.ndim == 2
    return f"order={'C' if options.order == 'F' else 'F'!r}" if flat else f"transpose={not options.transpose}"


def check_finite(name: str, images: Iterable[np.ndarray]) -> None:
    """Raise DataError if a pixel is NaN or infinite, with how many there are in which image."""
    for i, image in enumerate(images):
        if image.dtype.kind == "f" and (bad := int(image.size - np.isfinite(image).sum())):
            raise DataError(
                f"has NaN or infinite pixels in {name}: {bad:,} in image {i + 1}, the first with any; "
                "leave such images out or fill them in"
            )


def size_remark(images) -> list[str]:
    """A remark if images have to be resized."""
    sizes = sorted({image.shape for image in images} - {(SIDE, SIDE)})
    if not sizes:
        return []
    shown = ", ".join(f"{h}×{w}" for h, w in sizes[:3]) + (f" and {len(sizes) - 3} more" * (len(sizes) > 3))
    stretched = "" if all(h == w for h, w in sizes) else ", which changes their proportions"
    return [f"resized from {shown} to {SIDE}×{SIDE}{stretched}"]


def resized(image: np.ndarray) -> np.ndarray:
    """An image of any size as float32 (64, 64); averages over an area where it shrinks."""
    image = np.asarray(image, dtype=np.float32)
    if image.shape == (SIDE, SIDE):
        return image
    made = Image.fromarray(np.ascontiguousarray(image)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.clip(np.asarray(made), 0, 1)
