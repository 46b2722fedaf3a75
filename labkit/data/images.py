"""Image sets in memory, ready for a model."""

from __future__ import annotations

import html
import operator
import warnings
from dataclasses import dataclass, field

import numpy as np

from labkit.data import registry
from labkit.data.found import Found, Part
from labkit.project import record


@dataclass(frozen=True, eq=False)  # arrays have no one truth value
class ImageData:
    """Images as float32 in [0, 1], shape (n, height, width, 1), and labels as int64, shape (n,).

    `source` says where the files were found, `note` what a reader of the results must
    know: a subset, a bad file set aside, how a file of one's own was read. `digest` is of
    all that was found, before images were picked from it: of MNIST and Fashion-MNIST the
    SHA-256 over the four files' hexadecimal SHA-256 (training images, training labels, test
    images, test labels); of faces that of all images as bytes, row by row, in the file's order.

    Faces have `subjects_train`, `subjects_test`: who is shown, int64 (n,), or None if not
    known; and `factors_train`, `factors_test`: what is known of how an image was made, name →
    float32 (n,). `people` is "" where no real person is shown, "open" where people are, and
    "licensed" where their images may not be published.
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
    subjects_train: np.ndarray | None = None
    subjects_test: np.ndarray | None = None
    factors_train: dict[str, np.ndarray] = field(default_factory=dict)
    factors_test: dict[str, np.ndarray] = field(default_factory=dict)
    people: str = ""

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


def load(name: str, n_train: int | None = None, n_test: int | None = None, **mat_options) -> ImageData:
    """Load an image set from the first source that truly has it.

    The search for MNIST and Fashion-MNIST goes through `$LABKIT_DATA`, data/cache, the
    system's folders, the Keras cache, a download (not with `LABKIT_OFFLINE=1`) and the subset
    bundled in data/mini. Faces are a .mat file of one's own, of any name, in
    `$LABKIT_DATA/faces` or data/cache/faces; else the Olivetti faces, from there, from
    scikit-learn's folder or a download; else rendered ones. What was wrong with a source that
    was passed over is warned of and stands in the note.

    Args:
        name: "mnist", "fashion_mnist", "faces", or "rendered_faces" for the bundled ones
            with their known factors, whatever other faces there are.
        n_train, n_test: how many images, spread evenly over the official order; None
            means all there are. Where the source has fewer, all are taken and the note
            says so.
        mat_options: for faces, how a file of one's own is to be read where it leaves a doubt:
            `file`, `variable`, `axis`, `shape`, `order`, `transpose`, `labels`, `subjects`;
            see `labkit.data.faces.layouts.MatOptions`.

    Raises:
        DataError: unknown name, no source has the set, or a file of one's own cannot be used.
        ValueError: a count that is not a whole number from 1 to the size of the set.
        TypeError: an argument that the set does not take.
    """
    source = registry.source_module(name)
    for part, count, most in zip(("n_train", "n_test"), (n_train, n_test), source.sizes(name), strict=True):
        check_count(part, count, most)
    found = source.find(name, **mat_options)
    for problem in found.problems:
        warnings.warn(f"{name}: {problem}", stacklevel=2)
    train, test = pick(found.train, n_train), pick(found.test, n_test)
    data = ImageData(
        name=name,
        x_train=to_unit(train.images),
        y_train=train.labels.astype(np.int64),
        x_test=to_unit(test.images),
        y_test=test.labels.astype(np.int64),
        class_names=found.class_names,
        source=found.source,
        digest=found.digest,
        note=note(found, n_train, n_test),
        subjects_train=train.subjects,
        subjects_test=test.subjects,
        factors_train=train.factors,
        factors_test=test.factors,
        people=found.people,
    )
    facts = {key: getattr(data, key) for key in ("name", "source", "digest", "note", "people")}
    sizes = {"n_train": len(data.x_train), "n_test": len(data.x_test)}
    whole = found.whole and sizes == {"n_train": len(found.train.images), "n_test": len(found.test.images)}
    record("data", facts | sizes | {"whole": whole})
    return data


def check_count(name: str, count, most: int | None) -> None:
    """Raise ValueError unless `count` is None or a whole number from 1 to `most` (None: no limit)."""
    if count is None:
        return
    try:
        fits = not isinstance(count, bool) and 1 <= operator.index(count) <= (most or count)
    except TypeError:
        fits = False
    if not fits:
        expected = "a whole number from 1" + (f" to {most:,}" if most else "")
        raise ValueError(f"{name} is {count!r}; {expected} or None was expected")


def pick(part: Part, count: int | None) -> Part:
    """`count` images spread evenly over those found: the i-th is number i·n // count."""
    n = len(part.images)
    if count is None or count >= n:
        return part
    chosen = np.arange(count) * n // count
    subjects = None if part.subjects is None else part.subjects[chosen]
    factors = {name: values[chosen] for name, values in part.factors.items()}
    return Part(part.images[chosen], part.labels[chosen], subjects, factors)


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8, or float32 in [0, 1], (n, h, w) → float32 (n, h, w, 1) in [0, 1]."""
    scale = np.float32(255 if images.dtype == np.uint8 else 1)
    return images[..., None].astype(np.float32) / scale


def note(found: Found, n_train, n_test) -> str:
    """What a reader must know of the images: what they are, picked, asked for more, bad files."""
    parts = list(found.remarks)
    counts = (n_train, len(found.train.images)), (n_test, len(found.test.images))
    for part, (count, there) in zip(("training", "test"), counts, strict=True):
        if count and count < there:
            parts.append(f"{count:,} of {there:,} {part} images, evenly spread")
        elif count and count > there:
            parts.append(f"{count:,} {part} images were asked for, {there:,} are there")
    return "; ".join([*parts, *found.problems])
