"""Reading a checkpoint without believing what it says.

Nothing of a file is used before all of it has been checked: that it is an archive of plain
arrays, that these are the model's in shape and type and finite, that epochs and history agree.
No array is allocated because a header asks for it.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_ABOUT, MOST_KEPT = 2**24, 2**30  # bytes of the history and of what callbacks keep
HEADER = 2**14  # bytes that an array's header may have


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, and why."""


class OtherRunError(CheckpointError):
    """A checkpoint with which nothing is wrong but that it is of another run."""


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: epochs done and asked for, history, the model's and callbacks' arrays."""

    epoch: int
    epochs: int
    finished: bool
    history: dict[str, list[float]]
    variables: list[np.ndarray]
    kept: dict[str, np.ndarray]


def read_saved(path: Path, fingerprint: str, variables: list[np.ndarray]) -> Saved:
    """Read a checkpoint of the run with that fingerprint.

    Args:
        variables: arrays with the shapes and types that the checkpoint's have to have.

    Raises:
        OtherRunError: it is of another run.
        CheckpointError: it is damaged, or of something else.
    """
    if not path.is_file():
        raise CheckpointError("it is no regular file")
    try:
        with zipfile.ZipFile(path) as archive:
            about = read_about(archive)
            if about["fingerprint"] != fingerprint:
                raise OtherRunError("it is of a run with other weights, images or settings")
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if {name for name in names if name.startswith("v")} != {f"v{i}" for i in range(len(variables))}:
                raise CheckpointError("it holds other variables than the model has")
            arrays = [read_variable(archive, i, like) for i, like in enumerate(variables)]
            return Saved(variables=arrays, kept=read_kept(archive, names), **about_run(about))
    except CheckpointError:
        raise
    except Exception as error:  # whatever the readers of zip, NumPy and JSON trip over
        raise CheckpointError(f"it cannot be read: {type(error).__name__}: {error}"[:300]) from error


def read_about(archive: zipfile.ZipFile) -> dict:
    """The JSON object about the run. Raises CheckpointError if that is no object."""
    about = json.loads(read_array(archive, "about", MOST_ABOUT).item())
    if not isinstance(about, dict):
        raise CheckpointError("it says nothing of a run")
    return about


def about_run(about: dict) -> dict:
    """Epochs and history, as fields of `Saved`. Raises CheckpointError where they do not agree."""
    epoch, epochs, finished, history = (about[name] for name in ("epoch", "epochs", "finished", "history"))
    if type(epoch) is not int or type(epochs) is not int or not 1 <= epoch <= epochs:
        raise CheckpointError(f"it says that {str(epoch)[:20]} of {str(epochs)[:20]} epochs are done")
    if type(finished) is not bool or not isinstance(history, dict):
        raise CheckpointError("its history is none")
    columns = list(history.values())
    if not all(isinstance(column, list) and len(column) == epoch for column in columns):
        raise CheckpointError(f"its history is not of {epoch} epochs")
    if not all(type(value) in (int, float) for column in columns for value in column):
        raise CheckpointError("its history holds other things than numbers")
    seconds = history.get("seconds", [])
    if history.get("epoch") != list(range(1, epoch + 1)) or not all(0 <= s < math.inf for s in seconds):
        raise CheckpointError("its history does not count the epochs")
    return {"epoch": epoch, "epochs": epochs, "finished": finished, "history": history}


def read_variable(archive: zipfile.ZipFile, number: int, like: np.ndarray) -> np.ndarray:
    """One of the model's arrays. Raises CheckpointError if it is not like the model's, or not finite."""
    array = read_array(archive, f"v{number}", like.nbytes)
    if array.shape != like.shape or array.dtype != like.dtype:
        raise CheckpointError(f"a variable is {array.dtype} {array.shape}, not {like.dtype} {like.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CheckpointError("a variable is not finite")
    return array


def read_kept(archive: zipfile.ZipFile, names: set[str]) -> dict[str, np.ndarray]:
    """What callbacks kept, by name. Raises CheckpointError if it is absurdly much."""
    kept = sorted(name for name in names if name.startswith("callback"))
    if sum(archive.getinfo(f"{name}.npy").file_size for name in kept) > MOST_KEPT:
        raise CheckpointError(f"its callbacks keep more than {MOST_KEPT:,} bytes")
    return {name: read_array(archive, name, MOST_KEPT) for name in kept}


def read_array(archive: zipfile.ZipFile, name: str, most: int) -> np.ndarray:
    """An array of an archive, of at most `most` bytes. Raises CheckpointError for any other thing."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most + HEADER:
        raise CheckpointError(f"{name} is compressed, or larger than it can be")
    file = io.BytesIO(archive.read(entry))  # which compares check sums
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = read_header[np.lib.format.read_magic(file)](file)
    data = file.getvalue()[file.tell() :]
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data):
        raise CheckpointError(f"{name} is no plain array, or is cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").copy()
