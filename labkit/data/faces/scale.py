"""What of an image's values is black and what is white."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labkit.data.errors import DataError

BITS = (8, 10, 12, 14, 16, 32, 64)  # of whole numbers that cameras and files use
BEYOND = 0.15  # resizing with sharp filters overshoots black and white by so much of the range
MIXED = 1 / 12  # an image that reaches less of the range than this has another scale than the rest
DARK = 0.25  # of white: a set that stays below is said to be dark


def unit_scale(name: str, images: Sequence[np.ndarray]) -> tuple[Callable, list[str]]:
    """Function that takes an image to [0, 1], and remarks on what was taken for black and white.

    Raises DataError if all is one grey, if images have different scales, or if there is no
    telling what the values mean.
    """
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    kinds = sorted({str(image.dtype) for image in images})
    values = f"values from {low:g} to {high:g} ({', '.join(kinds)})"
    if low == high:
        raise DataError(f"has images of one grey value only, {low:g}")
    if not high - low < np.finfo(np.float32).max:
        raise DataError(f"has {values} in {name}: too large for pixels; 0 to 1 or 0 to 255 was expected")
    least, most = shared_range(name, images)
    if (least, most) == (0.0, 1.0) and high < 1 / 250:
        raise DataError(
            f"has {values} in {name}: nearly black as 0 to 1; were they divided by 255 twice? Multiply them"
        )
    check_mixed(name, images, least, most)
    remarks = [f"{values}, {least:g} to {most:g} taken as black to white"]
    if low < least or high > most:
        remarks.append(f"values below {least:g} and above {most:g} are taken as black and white")
    if (high - least) / (most - least) < DARK:
        remarks.append(
            f"the images are dark: the brightest pixel has {(high - least) / (most - least):.0%} of white"
        )
    return lambda image: np.clip((image.astype(np.float64) - least) / (most - least), 0, 1), remarks


def shared_range(name: str, images: Sequence[np.ndarray]) -> tuple[float, float]:
    """Black and white of all images. Raises DataError if images of different types differ in it."""
    ranges = {}
    for kind in {image.dtype for image in images}:
        same = [image for image in images if image.dtype == kind]
        low, high = min(float(x.min()) for x in same), max(float(x.max()) for x in same)
        ranges[str(kind)] = range_of(kind, low, high)
    if len(set(ranges.values())) > 1:
        found = ", ".join(
            f"{kind} from {least:g} to {most:g}" for kind, (least, most) in sorted(ranges.items())
        )
        raise DataError(f"has images of different scales in {name}: {found}; save them all in one scale")
    return next(iter(ranges.values()))


def range_of(kind: np.dtype, low: float, high: float) -> tuple[float, float]:
    """Black and white of values of one type from `low` to `high`."""
    if kind.kind in "bui":
        if low < 0:
            return low, high
        return 0.0, 1.0 if high <= 1 else float(2 ** next(bits for bits in BITS if high < 2**bits) - 1)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    for white in (1.0, 255.0):
        if -BEYOND * white <= low and white / 2 <= high <= (1 + BEYOND) * white:
            return 0.0, white
    if low >= 0 and 16 <= high <= 255:
        return 0.0, 255.0
    return low, high


def check_mixed(name: str, images: Sequence[np.ndarray], least: float, most: float) -> None:
    """Raise DataError if one image has another scale than the rest; of bytes there is but one scale."""
    for i, image in enumerate(images):
        reached = (float(image.max()) - least) / (most - least)
        if image.dtype not in (np.uint8, bool) and image.min() < image.max() and reached < MIXED:
            raise DataError(
                f"has images of different scales in {name}: values up to {image.max():g} in image {i + 1}, "
                f"up to {most:g} in others; save them all in one scale"
            )
