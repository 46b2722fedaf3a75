"""Image sets in memory, ready for a model."""

from __future__ import annotations

import hashlib
import html
import operator
import warnings
from dataclasses import dataclass

import numpy as np

from labkit.config import record
from labkit.data.catalogue import FILES
from labkit.data.sources import Found, find, get_set


@dataclass(frozen=True, eq=False)  # arrays have no one truth value
class ImageData:
    """Images as float32 in [0, 1], shape (n, 28, 28, 1), and labels as int64, shape (n,).

    `source` says where the files were found, `note` what a reader of the results must
    know: a subset, a bad file set aside. `digest` is the SHA-256 over the four files'
    hexadecimal SHA-256 (training images, training labels, test images, test labels) of
    the edition that was found, before images were picked from it.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    source: str
    digest: str
    note: str

    def _facts(self) -> list[tuple[str, str]]:
        shape = "×".join(str(n) for n in self.x_train.shape[1:])
        return [
            ("data set", self.name),
            (
                "images",
                f"{len(self.x_train):,} training + {len(self.x_test):,} test, {shape}, float32 in [0, 1]",
            ),
            ("classes", ", ".join(self.class_names)),
            ("source", self.source),
            ("SHA-256", self.digest),
            ("note", self.note or "the whole set"),
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{label:9} {value}" for label, value in self._facts())

    def _repr_html_(self) -> str:
        rows = (f"<tr><th scope='row'>{a}</th><td>{html.escape(b)}</td></tr>" for a, b in self._facts())
        return f"<table><tbody>{''.join(rows)}</tbody></table>"


def load(name: str, n_train: int | None = None, n_test: int | None = None) -> ImageData:
    """Load an image set from the first source that truly has it.

    The search goes through `$LABKIT_DATA`, data/cache, the system's folders, the Keras
    cache, a download (not with `LABKIT_OFFLINE=1`) and the subset bundled in data/mini. What
    was wrong with a source that was passed over is warned of and stands in the note.

    Args:
        name: "mnist" or "fashion_mnist".
        n_train, n_test: how many images, spread evenly over the official order; None
            means all there are. Where the source has fewer, all are taken and the note
            says so.

    Raises:
        DataError: unknown name, or no source has the set.
        ValueError: a count that is not a whole number from 1 to the size of the set.
    """
    whole = get_set(name).whole
    check_count("n_train", n_train, whole.n_train)
    check_count("n_test", n_test, whole.n_test)
    found = find(name)
    for problem in found.problems:
        warnings.warn(f"{name}: {problem}", stacklevel=2)
    arrays = {
        array: pick(found.arrays[array], n_train if array.endswith("train") else n_test) for array in FILES
    }
    data = ImageData(
        name=name,
        x_train=to_unit(arrays["x_train"]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=to_unit(arrays["x_test"]),
        y_test=arrays["y_test"].astype(np.int64),
        class_names=found.image_set.class_names,
        source=found.source,
        digest=hashlib.sha256("".join(found.edition.digests.values()).encode()).hexdigest(),
        note=note(found, n_train, n_test),
    )
    facts = {key: getattr(data, key) for key in ("name", "source", "digest", "note")}
    record("data", facts | {"n_train": len(data.x_train), "n_test": len(data.x_test)})
    return data


def check_count(name: str, count, most: int) -> None:
    """Raise ValueError unless `count` is None or a whole number from 1 to `most`."""
    if count is None:
        return
    try:
        fits = not isinstance(count, bool) and 1 <= operator.index(count) <= most
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(f"{name} is {count!r}; a whole number from 1 to {most:,} or None was expected")


def pick(array: np.ndarray, count: int | None) -> np.ndarray:
    """`count` entries spread evenly over `array`: the i-th is number i·n // count."""
    n = len(array)
    return array if count is None or count >= n else array[np.arange(count) * n // count]


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 (n, 28, 28) → float32 (n, 28, 28, 1) in [0, 1]."""
    return (images[..., None].astype(np.float32)) / np.float32(255)


def note(found: Found, n_train, n_test) -> str:
    """What a reader must know of the images: subset, picked, asked for more, bad files."""
    edition, whole = found.edition, found.image_set.whole
    parts = []
    if edition is not whole:
        sizes = f"{edition.n_train:,} + {edition.n_test:,} of {whole.n_train:,} + {whole.n_test:,}"
        parts.append(f"a subset: {sizes} images")
    for part, count, there in (("training", n_train, edition.n_train), ("test", n_test, edition.n_test)):
        if count and count < there:
            parts.append(f"{count:,} of {there:,} {part} images, evenly spread")
        elif count and count > there:
            parts.append(f"{count:,} {part} images were asked for, {there:,} are there")
    return "; ".join([*parts, *found.problems])
