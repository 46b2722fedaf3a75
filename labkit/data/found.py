"""What every search for an image set gives back, and what a check of its files says."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Part:
    """Training or test images as found: (n, h, w) uint8 or float32 in [0, 1], labels (n,), and more.

    `subjects` says who is shown, (n,) or None; `factors` what made the image, name → (n,).
    """

    images: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray | None = None
    factors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A set as it was found: its images, where, and what went wrong before.

    `remarks` is what a reader has to know of the images; `people` is "" where they show no
    real person, "open" where they do, "licensed" where they may not be published either.
    `whole` is false for a bundled subset, or for rendered faces that stand in for real ones.
    """

    name: str
    train: Part = field(repr=False)
    test: Part = field(repr=False)
    class_names: tuple[str, ...]
    digest: str
    source: str
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    people: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Refused:
    """A set that cannot be had, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class FileCheck:
    """One file that the search would meet: where it lies, and what is wrong with it, if anything.

    `facts` is what is known of a file with which nothing is wrong.
    """

    set_name: str
    source: str
    file: str
    problem: str | None
    facts: str = "right"
