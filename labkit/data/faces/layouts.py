"""Which variable of a MATLAB file holds the images, and how it holds them.

A file may be laid out in many ways, and some cannot be told apart by their shapes. What was
taken is said in remarks, with the argument that chooses otherwise (`MatOptions`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.matvalues import Unread

SIDE = 64  # pixels of the side that labs use
LEAST_SIDE, WIDEST = 16, 3.0  # pixels of an image's side; longest side to shortest
FEW, WIDEST_FLAT, CLEARLY = 4, 6.0, 0.9  # images, sides and roughness by which flat ones are checked


@dataclass(frozen=True)
class MatOptions:
    """How a file of one's own is to be read; what is None is found from the file.

    Args:
        file: name of the .mat file, where there are several.
        variable: name of the images' variable; "s.faces" is the field of a struct.
        axis: its dimension that counts the images: 0 is the first, -1 the last.
        shape: (height, width) of an image whose pixels lie in one row or column.
        order: how these pixels run: "F" column by column, as MATLAB's `A(:)`; "C" row by row.
        transpose: swap rows and columns of every image.
        labels, subjects: name of the variable with one value an image; "" for none.
    """

    file: str | None = None
    variable: str | None = None
    axis: int | None = None
    shape: tuple[int, int] | None = None
    order: str = "F"
    transpose: bool = False
    labels: str | None = None
    subjects: str | None = None

    def __post_init__(self):
        if self.order not in ("F", "C"):
            raise ValueError(
                f"order is {self.order!r}; 'F' (column by column) or 'C' (row by row) was expected"
            )
        if self.axis not in (None, 0, 1, 2, 3, -1):
            raise ValueError(f"axis is {self.axis!r}; the number of a dimension, 0 to 3 or -1, was expected")
        if self.shape is not None and not (
            len(self.shape) == 2 and all(isinstance(n, int) and n > 0 for n in self.shape)
        ):
            raise ValueError(f"shape is {self.shape!r}; (height, width) in pixels was expected")


@dataclass(frozen=True)
class Layout:
    """One way to read an array: `axis` counts `n` images of `height`×`width`, their pixels flat or not."""

    axis: int
    n: int
    height: int
    width: int
    flat: bool

    def __str__(self) -> str:
        return f"{self.n:,} images of {self.height}×{self.width}"


def flattened(variables: dict[str, object], start: str = "") -> dict[str, object]:
    """Structs opened: {"s": {"faces": a}} → {"s.faces": a}."""
    found: dict[str, object] = {}
    for name, value in variables.items():
        if isinstance(value, dict):
            found |= flattened(value, f"{start}{name}.")
        else:
            found[f"{start}{name}"] = value
    return found


def described(name: str, value: object) -> str:
    """A variable for an error message: "faces 4096×400 uint8"."""
    if isinstance(value, np.ndarray):
        return f"{name} {'×'.join(map(str, value.shape))} {value.dtype}"
    if isinstance(value, Unread):
        return f"{name} ({value.what})"
    return f"{name} (cell array of {len(value)})" if isinstance(value, list) else f"{name} (text)"


def remedies(variables: dict[str, object]) -> str:
    """What to type in MATLAB so that what was not read can be, for an error message's end."""
    typed = [
        f"{name} = {value.remedy.format(name)};"
        for name, value in variables.items()
        if isinstance(value, Unread) and value.remedy
    ]
    return f" In MATLAB type {' '.join(typed)} and save again." if typed else ""


def all_described(variables: dict[str, object]) -> str:
    """The variables found, for an error message."""
    return "; ".join(described(*item) for item in variables.items()) or "nothing at all"


def squeezed(array: np.ndarray) -> np.ndarray:
    """The array without dimensions of 1 beyond the third: (n, h, w, 1) → (n, h, w)."""
    ones = [i for i, n in enumerate(array.shape) if n == 1 and i > 0]
    return array if array.ndim <= 3 or array.ndim - len(ones) != 3 else array.squeeze(tuple(ones))


def layouts(array: np.ndarray, options: MatOptions) -> list[Layout]:
    """Every way in which an array of numbers can hold images, a single one included."""
    array = squeezed(array)
    if array.ndim == 2:
        found = [flat_layout(array.shape, axis, options.shape) for axis in (1, 0)]
    elif array.ndim == 3:
        a, b, c = array.shape
        found = [Layout(2, c, a, b, False), Layout(0, a, b, c, False)]
    else:
        found = []
    if options.axis is None and is_colour(array):
        return []
    wanted = None if options.axis is None else options.axis % array.ndim
    return [x for x in found if x and is_image(x, options) and wanted in (None, x.axis)]


def is_colour(array: np.ndarray) -> bool:
    """Whether an array may be one colour picture as well as three or four grey ones."""
    if array.ndim != 3:
        return False
    a, b, c = array.shape
    return (c in (3, 4) and min(a, b) >= LEAST_SIDE) or (a == 3 and min(b, c) >= LEAST_SIDE)


def flat_layout(shape, axis: int, image_shape) -> Layout | None:
    """Images of `image_shape`, or else square ones, as the rows (axis 0) or columns (1) of a matrix."""
    pixels = shape[1 - axis]
    height, width = image_shape or (math.isqrt(pixels),) * 2
    return Layout(axis, shape[axis], height, width, True) if height * width == pixels else None


def is_image(layout: Layout, options: MatOptions) -> bool:
    """Whether the size is one that a picture of a face can have."""
    shape = layout.height, layout.width
    if options.shape is not None:
        return shape == tuple(options.shape)
    return min(shape) >= LEAST_SIDE and max(shape) <= WIDEST * min(shape)


def cell_images(value: object) -> list[np.ndarray] | None:
    """The images of a cell array, or None if that is not what it holds."""
    if not isinstance(value, list) or not value:
        return None
    images = [np.squeeze(item) if isinstance(item, np.ndarray) else None for item in value]
    planes = all(x is not None and x.ndim == 2 for x in images)
    fits = planes and all(is_image(Layout(0, 1, *x.shape, False), MatOptions()) for x in images)
    return images if fits else None


def choose_variable(variables: dict[str, object], options: MatOptions) -> tuple[str, list[str]]:
    """Name of the images' variable, and a remark if others could have been meant.

    Raises DataError when there is none, or when two fit equally; all that was found is named.
    """
    if options.variable is not None:
        if options.variable not in variables:
            raise DataError(f"has no variable {options.variable!r}; it has {all_described(variables)}")
        return options.variable, []
    sizes = {name: size for name, value in variables.items() if (size := image_size(value, options))}
    if not sizes:
        raise DataError(why_no_images(variables))
    name = max(sizes, key=lambda name: sizes[name][0])
    others = [other for other in sizes if other != name]
    rivals = [o for o in others if sizes[o][1] & sizes[name][1] or 4 * sizes[o][0] > sizes[name][0]]
    if rivals:
        fit = "; ".join(described(x, variables[x]) for x in (name, *rivals))
        raise DataError(f"has several variables that could be the images: {fit}; say variable={name!r}")
    also = [f"variable={other!r} reads {described(other, variables[other])}" for other in others]
    return name, also


def image_size(value: object, options: MatOptions) -> tuple[int, set] | None:
    """Number of values and possible image sizes of a variable that can hold two images or more."""
    if images := cell_images(value):
        return (sum(x.size for x in images), {x.shape for x in images}) if len(images) > 1 else None
    found = (
        [x for x in layouts(value, options) if x.n > 1]
        if isinstance(value, np.ndarray) and value.size
        else []
    )
    return (value.size, {(x.height, x.width) for x in found}) if found else None


def why_no_images(variables: dict[str, object]) -> str:
    """The error when nothing is a set of images; a single image and colour are told apart."""
    for name, value in variables.items():
        if reason := why_no_set(name, value):
            return reason
    return (
        f"has no variable that can be images; it has {all_described(variables)}. Images are (n, h·w), "
        "(h·w, n), (h, w, n), (n, h, w) or a cell array of (h, w); of flat images that are not square "
        f"say shape=(height, width).{remedies(variables)}"
    )


def why_no_set(name: str, value: object) -> str | None:
    """The error for a variable that is a picture and no set of grey ones; None for anything else."""
    array = value if isinstance(value, np.ndarray) else np.zeros(0)
    cells = value if isinstance(value, list) else []
    if is_colour(squeezed(array)):
        return (
            f"holds one colour picture or a few grey ones, {described(name, value)}; say axis= for grey "
            "ones, and make colour grey first (rgb2gray in MATLAB)"
        )
    if {getattr(item, "ndim", 0) for item in cells} == {3} or (array.ndim == 4 and 3 in array.shape):
        return f"holds colour images, {described(name, value)}; make them grey first (rgb2gray in MATLAB)"
    flat = array.ndim == 2 and 1 in array.shape and math.isqrt(array.size) ** 2 == array.size >= 256
    plane = [n for n in array.shape if n > 1]
    one = array.ndim > 1 and len(plane) == 2 and min(plane) >= LEAST_SIDE and is_plane(plane)
    if flat or one or (len(cells) == 1 and cell_images(value)):
        return f"holds a single image, {described(name, value)}; a set of at least 2 was expected"
    return None


def is_plane(plane) -> bool:
    """Whether two sides could be those of one picture."""
    return max(plane) <= WIDEST * min(plane)


def choose_layout(name: str, array, counts: set[int], options: MatOptions) -> tuple[Layout, list[str]]:
    """How the array is read, and remarks on what it could also have been.

    The number of labels decides, then a side of 64, then squareness, and last smoothness:
    pixels read in a wrong order are noise.
    """
    found = layouts(array, options)
    if not found and options.axis is None and is_colour(squeezed(array)):
        raise DataError(why_no_set(name, array))
    if not found or all(x.n < 2 for x in found):
        single = found and all(x.n < 2 for x in found)
        what = "holds a single image" if single else "cannot be images"
        raise DataError(f"{described(name, array)} {what} {asked(options)}".rstrip())
    found = [x for x in found if x.n > 1]
    left = found
    for test in (
        lambda x: x.n in counts,
        lambda x: x.height == x.width == SIDE,
        lambda x: x.height == x.width,
    ):
        left = [x for x in left if test(x)] or left
    upright = replace(options, transpose=False)  # smoothness does not depend on a swap
    chosen = min(left, key=lambda x: roughness(arranged(array, upright, x)))
    if chosen.flat and options.shape is None:
        check_square(name, array, chosen, upright)
    return chosen, [f"{name} could also be {x}: axis={x.axis} reads it so" for x in found if x != chosen]


def check_square(name: str, array, square: Layout, options: MatOptions) -> None:
    """Raise DataError if flat images are clearly smoother with other sides than with equal ones."""
    few = np.moveaxis(array, square.axis, 0)[:FEW]
    pixels = square.height * square.width
    sides = [h for h in range(LEAST_SIDE, pixels // LEAST_SIDE + 1) if pixels % h == 0]
    shapes = [(h, pixels // h) for h in sides if 1 / WIDEST_FLAT <= h * h / pixels <= WIDEST_FLAT]

    def rough(shape: tuple[int, int]) -> float:
        return roughness(arranged(few, options, Layout(0, len(few), *shape, True)))

    best = min(shapes, key=rough)
    if rough(best) < CLEARLY * rough((square.height, square.width)):
        raise DataError(
            f"has {described(name, array)}, which could be images of {square.height}×{square.width}, but are "
            f"smoother as {best[0]}×{best[1]}; say shape={best}, or shape=(height, width) as you know it"
        )


def asked(options: MatOptions) -> str:
    """Which options bear on an array's shape, for an error message."""
    given = {"axis": options.axis, "shape": options.shape}
    said = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
    return f"with {said}" if said else "; say shape=(height, width)"


def arranged(array: np.ndarray, options: MatOptions, layout: Layout) -> np.ndarray:
    """The images, (n, height, width), upright by the order of the options."""
    images = np.moveaxis(squeezed(array), layout.axis, 0)
    if layout.flat:
        shape = (layout.height, layout.width)
        if options.order == "F":
            images = images.reshape(layout.n, *shape[::-1]).swapaxes(1, 2)
        else:
            images = images.reshape(layout.n, *shape)
    return images.swapaxes(1, 2) if options.transpose else images


def roughness(images: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels over the pixels' variance, of some images."""
    some = images[:: max(1, len(images) // 50)].astype(float)
    with np.errstate(all="ignore"):  # numbers too large for pixels are refused later
        down, across = np.diff(some, axis=1), np.diff(some, axis=2)
        return float((np.mean(down**2) + np.mean(across**2)) / max(some.var(), 1e-12))


def looks_transposed(images) -> bool:
    """Whether the mean face is clearly more alike above and below than left and right."""
    mean = np.mean(images, axis=0)
    across, down = np.mean((mean - mean[:, ::-1]) ** 2), np.mean((mean - mean[::-1]) ** 2)
    return bool(down < 0.8 * across)
