"""Make data/mini/faces/synthetic-faces.mat, the faces that come with the project.

They are rendered (`labkit.data.faces.synthetic`) and show no one. Running it again gives the
same bytes with the same versions of NumPy and SciPy.

    python data/make_synthetic_faces.py
"""

from __future__ import annotations

import io

import numpy as np
import scipy.io

from labkit.data.faces.reader import read_faces
from labkit.data.faces.synthetic import EXPRESSIONS, draw_factors, render_all
from labkit.data.places import MINI
from labkit.project import replacing

SUBJECTS, PER_EXPRESSION, SEED = 60, 3, 5
PATH = MINI / "faces" / "synthetic-faces.mat"
ABOUT = "Rendered faces of no real person, made by labkit: data/make_synthetic_faces.py. CC0."


def content(factors: dict[str, np.ndarray], labels: np.ndarray, subjects: np.ndarray) -> bytes:
    """A MATLAB 7 file: faces (4096, n) uint8 column by column, labels and subjects from 1, factors."""
    images = render_all(factors, labels)
    variables = {
        "about": ABOUT,
        "faces": images.swapaxes(1, 2).reshape(len(images), -1).T,
        "labels": np.array([EXPRESSIONS[label] for label in labels], dtype=object),
        "subjects": (subjects + 1).astype(np.uint8),
        "factors": factors,
    }
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=True)
    header = b"MATLAB 5.0 MAT-file, written by labkit".ljust(116)  # SciPy's own holds the date
    return header + file.getvalue()[116:]


def main() -> None:
    PATH.parent.mkdir(parents=True, exist_ok=True)
    with replacing(PATH) as temporary:
        temporary.write_bytes(content(*draw_factors(SUBJECTS, PER_EXPRESSION, SEED)))
    print(f"{PATH.name} {PATH.stat().st_size:,} bytes, images' SHA-256 {read_faces(PATH).digest}")


if __name__ == "__main__":
    main()
