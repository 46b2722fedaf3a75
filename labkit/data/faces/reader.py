"""Faces from a MATLAB file: images upright, 64×64 and in [0, 1], with labels, subjects and factors.

Everything that had to be decided on the way stands in `remarks`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from labkit.data.errors import DataError
from labkit.data.faces import layouts
from labkit.data.faces.layouts import SIDE, MatOptions
from labkit.data.faces.matfile import read_mat

LABELS = re.compile(r"(?!.*name)(.*(label|emotion|expression|target|class)|(y|gnd)$)", re.IGNORECASE)
SUBJECTS = re.compile(r"(?!.*name)(.*(subject|person|people|identit)|(id|ids|who)$)", re.IGNORECASE)
FACTORS = "factors."  # a struct of this name holds a vector a factor


@dataclass(frozen=True)
class Faces:
    """Faces as read from one file.

    images: float32 in [0, 1], (n, 64, 64). labels, subjects: int64 (n,), numbered from 0, or
    None. class_names: of the labels. factors: name → float32 (n,). remarks: what was decided.
    """

    images: np.ndarray = field(repr=False)
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    subjects: np.ndarray | None = None
    factors: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the images as bytes (grey 0 to 255), row by row, in the file's order."""
        return hashlib.sha256(np.round(255 * self.images).astype(np.uint8).tobytes()).hexdigest()


def read_faces(path: Path, options: MatOptions | None = None) -> Faces:
    """Read a .mat file of faces, of any version and layout that is known.

    Raises:
        DataError: the file or its images cannot be used; the message names the file, the
            variables found with their shapes, and the argument that may help.
        OSError: it cannot be opened.
    """
    options = options or MatOptions()
    variables = layouts.flattened(read_mat(path))
    try:
        return faces_of(variables, options)
    except DataError as error:
        raise DataError(f"{path.name} {error}") from error


def faces_of(variables: dict[str, object], options: MatOptions) -> Faces:
    """Faces from a file's variables. Raises DataError, without the file's name."""
    name, also = layouts.choose_variable(variables, options)
    companions = {n: v for n, v in vectors(variables).items() if n != name}
    images, remarks = images_of(name, variables, companions, options)
    check_finite(name, images)
    labels = companion(companions, LABELS, options.labels, "labels", len(images), name)
    subjects = companion(companions, SUBJECTS, options.subjects, "subjects", len(images), name)
    scale, remark = unit_scale(images)
    remarks += [remark, *size_remark(images)]
    pixels = np.stack([resized(scale(image)) for image in images])
    if layouts.looks_transposed(pixels):
        remarks.append(f"the faces may lie on their side: {way_to_turn(variables[name], options)} turns them")
    class_names, labels = numbered(labels)
    factors = {n.removeprefix(FACTORS): v for n, v in companions.items() if is_factor(n, v, len(images))}
    return Faces(
        images=pixels,
        labels=labels,
        class_names=class_names,
        subjects=numbered(subjects)[1],
        factors={n: v.astype(np.float32) for n, v in factors.items()},
        remarks=tuple(remarks + also),
    )


def images_of(name: str, variables, companions, options: MatOptions):
    """The images in a variable, upright and of any sizes, and remarks on how they were read.

    Raises DataError if it holds none; a number of labels among `companions` helps to choose.
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
    counts = {len(v) for n, v in companions.items() if LABELS.match(last(n)) or SUBJECTS.match(last(n))}
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


def last(name: str) -> str:
    """The field's own name: "s.labels" → "labels"."""
    return name.rpartition(".")[2]


def vectors(variables: dict[str, object]) -> dict[str, np.ndarray]:
    """The variables that hold one value after another, as 1-D arrays of numbers or texts."""
    found = {}
    for name, value in variables.items():
        if isinstance(value, list) and value:
            value = cell_vector(value)
        if isinstance(value, np.ndarray) and value.size > 1 and value.size == max(value.shape):
            found[name] = value.ravel()
    return found


def cell_vector(cells: list) -> np.ndarray | None:
    """Texts or single numbers of a cell array as one array, or None if it holds anything else."""
    if all(isinstance(item, str) for item in cells):
        return np.array(cells)
    if all(isinstance(item, np.ndarray) and item.size == 1 for item in cells):
        return np.array([item.item() for item in cells])
    return None


def companion(vectors_, pattern, wanted: str | None, what: str, n: int, images: str) -> np.ndarray | None:
    """The vector with one label or subject an image, by its name in the file; None if there is none.

    Raises DataError when it has another length, when two fit, or when it is not finite.
    """
    if wanted == "":
        return None
    if wanted is not None:
        named = {wanted: vectors_[wanted]} if wanted in vectors_ else {}
        if not named:
            raise DataError(f"has no vector {wanted!r} for {what}; it has {', '.join(vectors_) or 'none'}")
    else:
        named = {name: v for name, v in vectors_.items() if pattern.match(last(name)) and FACTORS not in name}
    fitting = [name for name, v in named.items() if len(v) == n]
    if named and not fitting:
        lengths = ", ".join(f"{name} has {len(v):,} entries" for name, v in named.items())
        raise DataError(
            f"has {n:,} images in {images}, but {lengths}; {what}='' reads the images without them"
        )
    if len(fitting) > 1:
        raise DataError(f"has several variables of {what}: {', '.join(fitting)}; say {what}={fitting[0]!r}")
    values = vectors_[fitting[0]] if fitting else None
    if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"has NaN or infinite values in {fitting[0]}; {what}='' reads the images without it")
    return values


def numbered(values: np.ndarray | None) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names of the different values in order, and the values as their numbers from 0."""
    if values is None:
        return (), None
    names, numbers = np.unique(values, return_inverse=True)
    return tuple(x if isinstance(x, str) else f"{x:g}" for x in names.tolist()), numbers.astype(np.int64)


def is_factor(name: str, values: np.ndarray, n: int) -> bool:
    """Whether a vector is a known factor of the images: a finite number for each."""
    numbers = values.dtype.kind in "buif" and name.startswith(FACTORS) and len(values) == n
    return bool(numbers and np.isfinite(values).all())


def check_finite(name: str, images: Iterable[np.ndarray]) -> None:
    """Raise DataError if a pixel is NaN or infinite, with how many there are in which image."""
    for i, image in enumerate(images):
        if image.dtype.kind == "f" and (bad := int(image.size - np.isfinite(image).sum())):
            raise DataError(
                f"has NaN or infinite pixels in {name}: {bad:,} in image {i + 1}, the first with any; "
                "leave such images out or fill them in"
            )


def unit_scale(images):
    """Function that takes an image to [0, 1] and how that is said. Raises DataError if all is one grey."""
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    kind = images[0].dtype
    if low == high:
        raise DataError(f"has images of one grey value only, {low:g}")
    if low >= 0 and high <= 1:
        least, most = 0.0, 1.0
    elif low >= 0 and high <= 255:
        least, most = 0.0, 255.0
    elif kind == np.uint16:
        least, most = 0.0, 65535.0
    else:
        least, most = low, high
    remark = f"values from {low:g} to {high:g} ({kind}), {least:g} to {most:g} taken as black to white"
    return lambda image: (image.astype(np.float64) - least) / (most - least), remark


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
