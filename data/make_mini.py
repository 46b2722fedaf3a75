"""Make the bundled subsets in data/mini/ from the whole sets.

The first 1,000 training and the first 200 test images of each class, kept in the official
order. Running it again gives the same bytes.

    LABKIT_DATA=<folder with the whole sets> python data/make_mini.py
"""

from __future__ import annotations

import zlib

import numpy as np

from labkit.data import places
from labkit.data.catalogue import FILES, SETS
from labkit.data.idx import sha256, to_idx
from labkit.data.sources import find
from labkit.project import replacing

PER_CLASS = {"train": 1000, "test": 200}


def balanced(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of the first `per_class` images of each class, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in range(10)]))


def main() -> None:
    for image_set in SETS.values():
        found = find(image_set.name)
        if len(found.train.images) != image_set.whole.n_train:
            raise SystemExit(f"{image_set.name}: the whole set is needed, found {found.source}")
        images = {"train": found.train, "test": found.test}
        folder = places.MINI / image_set.folders[0]
        folder.mkdir(parents=True, exist_ok=True)
        for array, name in FILES.items():
            kind, part = array.split("_")
            there = images[part]
            values = there.images if kind == "x" else there.labels
            content = to_idx(values[balanced(there.labels, PER_CLASS[part])])
            with replacing(folder / f"{name}.gz") as temporary:
                # gzip.compress would write another header under another version of Python
                temporary.write_bytes(zlib.compress(content, level=9, wbits=31))
            print(f"{image_set.name:14} {array:8} {sha256(content)}")


if __name__ == "__main__":
    main()
