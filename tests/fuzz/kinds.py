"""The kinds of files that are damaged: good ones to begin with, and what reading may come to.

`read` either refuses a file with its own kind of error or finds what is right; anything else,
and a wrong array above all, is an AssertionError or an error of another kind.
"""

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from labkit.data import idx
from labkit.data.errors import DataError
from tests.fuzz import matlab


@dataclass(frozen=True)
class Kind:
    """Good files as bytes, and a function of a damaged one's path and the good bytes."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[Path, bytes], None]


def pictures(n=5, side=64):
    y, x = np.mgrid[0 : 3 : side * 1j, 0 : 3 : side * 1j]
    made = np.stack([np.sin(2 * y + i) + np.cos(3 * x * (1 + i / 9)) for i in range(n)])
    return np.round(255 * (made - made.min()) / np.ptp(made)).astype(np.uint8)


def mat_seeds() -> list[bytes]:
    """Files of every version, with texts, cells, structs and objects beside small images."""
    faces = pictures(5, 16)
    labels = np.array(["joy", "fear", "joy", "fear", "joy"], object)[:, None]
    plain = {"faces": faces, "labels": labels, "s": {"note": "hello", "x": np.arange(5.0)}}
    seeds = []
    for options in ({}, {"do_compression": True}):
        file = io.BytesIO()
        savemat(file, plain, **options)
        seeds.append(file.getvalue())
    file = io.BytesIO()
    savemat(file, {"faces": faces.reshape(5, -1), "labels": np.arange(5.0)}, format="4")
    seeds.append(file.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.mat"
        stack = faces.transpose(1, 2, 0)
        matlab.write(
            path,
            matlab.numbers("faces", stack),
            matlab.structure("s", note=matlab.text("", "😀"), y=matlab.numbers("", np.arange(5.0))),
            matlab.cell("c", [matlab.text("", "a", 2, (1, 1)), matlab.thing("", "string")]),
            matlab.thing("labels", "categorical"),
        )
        seeds.append(path.read_bytes())
        matlab.write_h5(path, faces=stack, labels=["joy", "fear", "", "fear", "joy"], s={"note": "hello"})
        seeds.append(path.read_bytes())
    return seeds


def read_mat(path: Path, good: bytes) -> None:
    """Faces are plausible in shape and range, or the file is refused."""
    from labkit.data.faces.reader import read_faces

    try:
        faces = read_faces(path)
    except (DataError, MemoryError) as error:
        assert isinstance(error, MemoryError) or path.name in str(error), error
        return
    assert faces.images.dtype == np.float32 and faces.images.shape[1:] == (64, 64)
    assert np.isfinite(faces.images).all() and faces.images.min() >= 0 and faces.images.max() <= 1
    for vector in (faces.labels, faces.subjects):
        assert vector is None or len(vector) == len(faces.images)


def idx_seeds() -> list[bytes]:
    """Images and labels, gzipped and not."""
    made = [idx.to_idx(pictures(6, 28)), idx.to_idx(np.arange(40, dtype=np.uint8) % 10)]
    return [*made, *(gzip.compress(content, mtime=0) for content in made)]


def read_idx(path: Path, good: bytes) -> None:
    """What has the digest of the good file is it; all else is refused, or known by another digest."""
    try:
        found = idx.parse_idx(idx.read_bytes(path), path.name)
    except DataError as error:
        assert path.name in str(error)
        return
    assert found.dtype == np.uint8 and found.shape[1:] in ((), (28, 28))
    right = gzip.decompress(good) if good[:2] == idx.GZIP else good
    if idx.sha256(idx.to_idx(found)) == idx.sha256(right):
        assert idx.to_idx(found) == right


def npz_seeds() -> list[bytes]:
    """Keras's archive, stored and compressed."""
    arrays = {"x_train": pictures(4, 28), "y_train": np.arange(4, dtype=np.uint8)}
    arrays |= {"x_test": pictures(2, 28), "y_test": np.arange(2, dtype=np.uint8)}
    seeds = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **arrays)
        seeds.append(file.getvalue())
    return seeds


def read_npz(path: Path, good: bytes) -> None:
    """Four arrays of bytes, or the file is refused."""
    try:
        found = idx.read_npz(path)
    except DataError as error:
        assert path.name in str(error)
        return
    assert all(array.dtype == np.uint8 and array.shape[1:] in ((), (28, 28)) for array in found.values())


CHECKPOINT = {"v0": np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10), "v1": np.int64(3)}
HISTORY = {"epoch": [1, 2], "seconds": [1.5, 1.25], "loss": [3.0, 2.0]}


def checkpoint_seeds() -> list[bytes]:
    """A checkpoint of a small model, with what a callback kept."""
    about = {"fingerprint": "f", "epoch": 2, "epochs": 3, "finished": False, "history": HISTORY}
    file = io.BytesIO()
    np.savez(file, about=json.dumps(about), **CHECKPOINT, **{"callback0/1": np.arange(12.0)})
    return [file.getvalue()]


def read_checkpoint(path: Path, good: bytes) -> None:
    """What is read is what was written; all else is refused."""
    from labkit.training.saved import CheckpointError, read_saved

    try:
        saved = read_saved(path, "f", list(CHECKPOINT.values()))
    except CheckpointError:
        return
    np.testing.assert_array_equal(saved.variables[0], CHECKPOINT["v0"])
    assert (saved.variables[1], saved.epoch, saved.epochs, saved.history) == (3, 2, 3, HISTORY)
    for array in saved.kept.values():
        np.testing.assert_array_equal(array, np.arange(12.0))


def png_seeds() -> list[bytes]:
    """Pictures in grey, in colour and with a palette."""
    seeds = []
    for mode in ("L", "RGB", "P"):
        file = io.BytesIO()
        Image.fromarray(pictures(1, 40)[0]).convert(mode).save(file, "PNG")
        seeds.append(file.getvalue())
    return seeds


def read_png(path: Path, good: bytes) -> None:
    """A thumbnail for the overview of reports, or none."""
    from labkit.reports.thumbnails import thumbnail

    with tempfile.TemporaryDirectory() as folder:
        (report_dir := Path(folder) / "01_lab").mkdir()
        (report_dir / "figures").mkdir()
        (report_dir / "figures" / "figure.png").write_bytes(path.read_bytes())
        made = thumbnail(report_dir, Path(folder), "figure", "card")
    assert made is None or made.startswith("data:image/")


KINDS = {
    "mat": Kind(mat_seeds, read_mat),
    "idx": Kind(idx_seeds, read_idx),
    "png": Kind(png_seeds, read_png),
    "npz": Kind(npz_seeds, read_npz),
    "checkpoint": Kind(checkpoint_seeds, read_checkpoint),
}
