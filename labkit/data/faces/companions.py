"""What stands beside the images in a file: labels, subjects, known factors, one value an image.

What has such a name and cannot be used is said, with what to type in MATLAB.
"""

from __future__ import annotations

import re

import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.layouts import MatOptions, described
from labkit.data.faces.matvalues import Unread

LABELS = re.compile(r"(?!.*name)(.*(label|emotion|expression|target|class)|(y|gnd)$)", re.IGNORECASE)
SUBJECTS = re.compile(r"(?!.*name)(.*(subject|person|people|identit)|(id|ids|who)$)", re.IGNORECASE)
FACTORS = "factors."  # a struct of this name holds a vector a factor


def beside(variables: dict[str, object], n: int, options: MatOptions, images: str) -> dict[str, object]:
    """Labels, class names, subjects and factors of `n` images, as fields of `reader.Faces`.

    Raises DataError for a vector of another length, for two that fit, for NaN.
    """
    found = vectors(variables)
    encoded = {x: one_hot(x, value, n) for x, value in variables.items() if x not in found}
    encoded = {name: classes for name, classes in encoded.items() if classes is not None}
    found |= encoded
    labels = companion(found, LABELS, options.labels, "labels", n, images)
    subjects = companion(found, SUBJECTS, options.subjects, "subjects", n, images)
    unread = {name: value for name, value in variables.items() if name not in found}
    unused = [
        not_used(name, value)
        for pattern, chosen, wish in (
            (LABELS, labels, options.labels),
            (SUBJECTS, subjects, options.subjects),
        )
        for name, value in unread.items()
        if chosen is None and wish is None and is_meant(name, pattern)
    ]
    remarks = [
        f"{described(x, variables[x])} read as one-hot: the class is the place of the 1" for x in encoded
    ]
    if labels is None and options.labels is None and not unused:
        remarks += [may_be_labels(name) for name, v in found.items() if could_be_labels(name, v, n)]
    class_names, labels = numbered(labels)
    factors = {name.removeprefix(FACTORS): v for name, v in found.items() if is_factor(name, v, n)}
    return {
        "labels": labels,
        "class_names": class_names,
        "subjects": numbered(subjects)[1],
        "factors": {name: v.astype(np.float32) for name, v in factors.items()},
        "unused": tuple(unused),
        "remarks": remarks,
    }


def last(name: str) -> str:
    """The field's own name: "s.labels" → "labels"."""
    return name.rpartition(".")[2]


def is_meant(name: str, pattern: re.Pattern) -> bool:
    """Whether a variable, or the struct it is in, is named like labels or like subjects."""
    return not name.startswith(FACTORS) and any(pattern.match(part) for part in name.split("."))


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


def one_hot(name: str, value: object, n: int) -> np.ndarray | None:
    """Number from 1 of the class of each of `n` images, or None if that is not what a matrix tells.

    Raises DataError if both its rows and its columns could be the images.
    """
    if not (isinstance(value, np.ndarray) and value.ndim == 2 and min(value.shape) > 1 and n in value.shape):
        return None
    if not (is_meant(name, LABELS) or is_meant(name, SUBJECTS)) or not np.isin(value, (0, 1)).all():
        return None
    ways = [a for a in (value, value.T) if len(a) == n and (a.sum(axis=1) == 1).all()]
    if len(ways) == 2 and not np.array_equal(*ways):
        raise DataError(
            f"has {described(name, value)} with one 1 in each row and in each column; save a vector"
        )
    return ways[0].argmax(axis=1) + 1 if ways else None


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


def not_used(name: str, value: object) -> str:
    """That a variable with the name of labels or subjects was not used, and what to type in MATLAB."""
    field = last(name)
    if isinstance(value, Unread):
        remedy = value.remedy.format(name)
    elif isinstance(value, str):
        remedy = f"cellstr({name}')" if len(value) > 1 else ""
    elif isinstance(value, np.ndarray) and value.ndim == 2 and min(value.shape) > 1:
        remedy = f"{name}(:, 1)"
    else:
        remedy = ""
    told = f"{described(name, value)} was not used: one number or text an image was expected"
    return f"{told}; in MATLAB type {field} = {remedy}; and save it again" if remedy else told


def could_be_labels(name: str, values: np.ndarray, n: int) -> bool:
    """Whether a vector of another name has one of a few values for each image."""
    other = SUBJECTS.match(last(name)) or name.startswith(FACTORS)
    return len(values) == n and not other and len(np.unique(values)) <= n // 2


def may_be_labels(name: str) -> str:
    """How a vector of another name is taken for the labels."""
    return f"{name} has one value an image and was not used; labels={name!r} takes it for the labels"


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
