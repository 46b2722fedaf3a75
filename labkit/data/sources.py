"""Where the files of an image set may lie, in the order of the search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labkit.config import ROOT, did_you_mean
from labkit.data import download
from labkit.data.catalogue import FILES, SETS, Edition, ImageSet
from labkit.data.idx import IMAGES, LABELS, DataError, parse_idx, read_bytes, read_npz, sha256, to_idx

CACHE = ROOT / "data" / "cache"
MINI = ROOT / "data" / "mini"
BUNDLED = "subset bundled in data/mini"
SYSTEM = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


class NotThere(Exception):  # noqa: N818 - no error: the search goes on
    """A source that does not have the set."""


@dataclass(frozen=True)
class Found:
    """A set as it was found: uint8 arrays, which edition, where, and what went wrong before."""

    image_set: ImageSet
    edition: Edition
    arrays: dict[str, np.ndarray] = field(repr=False)
    source: str
    problems: tuple[str, ...] = ()


def get_set(name: str) -> ImageSet:
    """The catalogue's entry. Raises DataError, with the nearest name, if there is none."""
    if name not in SETS:
        raise DataError(f"no image set {name!r}{did_you_mean(str(name).lower(), SETS)}")
    return SETS[name]


def folders(image_set: ImageSet) -> Iterator[tuple[str, Path]]:
    """Label and folder of each place on this machine, in the order of the search.

    Labels are symbolic, so that a report names no machine's paths.
    """
    roots = [("data/cache", CACHE), *(("system", path) for path in SYSTEM), ("Keras cache", keras_home())]
    if own := own_root():
        roots.insert(0, ("$LABKIT_DATA", own))
    for label, root in roots:
        for sub in image_set.folders:
            yield f"{label}/{sub}" if label.startswith("$") else label, root / sub
        if label.startswith(("$", "Keras")):
            yield label, root


def own_root() -> Path | None:
    """The folder that `$LABKIT_DATA` names, from the current folder or else the project's.

    The second is for a kernel, whose current folder is its notebook's.
    """
    name = os.environ.get("LABKIT_DATA")
    if not name:
        return None
    path = Path(name).expanduser()
    return next(filter(is_folder, (path, ROOT / path)), path)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, as far as this process may know."""
    try:
        return path.is_dir()
    except OSError:
        return False


def offline() -> bool:
    """Whether `$LABKIT_OFFLINE` forbids downloads."""
    return os.environ.get("LABKIT_OFFLINE", "0") not in ("", "0")


def keras_home() -> Path:
    """Folder in which Keras keeps its data sets."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def find(name: str, *, only_look: bool = False) -> Found:
    """Search all sources for a set and return the first that is whole and true.

    Args:
        name: "mnist" or "fashion_mnist".
        only_look: change nothing: no download, and bad files stay where they are.

    Raises:
        DataError: no source has it; the message lists each and why it would not do.
    """
    image_set = get_set(name)
    problems = missing_root()
    for label, folder in folders(image_set):
        if found := look_in(image_set, label, folder, problems, keep_bad=only_look):
            return found
    if not (only_look or offline()):
        cache = CACHE / image_set.folders[0]
        try:
            host = download.fetch(image_set, cache)
            label = f"download from {host}" if host else "data/cache"
            if found := look_in(image_set, label, cache, problems):
                return found
        except DataError as error:
            problems.append(str(error))
    mini = MINI / image_set.folders[0]
    if found := look_in(image_set, BUNDLED, mini, problems, keep_bad=True):
        return found
    raise DataError(f"{name} was found nowhere:\n  " + "\n  ".join(why_nowhere(image_set, problems)))


def why_nowhere(image_set: ImageSet, problems: list[str]) -> list[str]:
    """A line for each source tried: what was wrong there, or that the set is not there."""
    labels = dict.fromkeys([*(label for label, _ in folders(image_set)), BUNDLED])
    silent = [label for label in labels if not any(p.startswith(f"{label}: ") for p in problems)]
    off = ["download: switched off by LABKIT_OFFLINE"] if offline() else []
    return [*(f"{label}: not there" for label in silent), *off, *problems]


def missing_root() -> list[str]:
    """A warning when `$LABKIT_DATA` is set but is no folder."""
    own = own_root()
    missing = own is not None and not is_folder(own)
    return ["$LABKIT_DATA is set, but is no folder that can be opened"] if missing else []


def look_in(image_set: ImageSet, label: str, folder: Path, problems: list[str], *, keep_bad=False):
    """The set as found in one folder, or None, with what was wrong there added to `problems`."""
    here: list[str] = []
    try:
        found = read_folder(image_set, folder, here, keep_bad=keep_bad)
        return Found(image_set, *found, label, tuple(problems))
    except NotThere:
        problems += [f"{label}: {problem}" for problem in here]
        return None


def read_folder(image_set: ImageSet, folder: Path, problems: list[str], *, keep_bad: bool = False):
    """Edition and uint8 arrays of the set in `folder`.

    Bad files are noted in `problems` and, unless `keep_bad`, set aside.

    Raises NotThere when the folder does not hold the set, or not truly.
    """
    paths = locate(image_set, folder, problems)
    arrays = {}
    for path in dict.fromkeys(paths.values()):
        try:
            arrays |= read_file(path, [array for array in FILES if paths[array] == path])
        except DataError as error:
            problems.append(f"{error}{'' if keep_bad else set_aside(path)}")
            raise NotThere from error
        except OSError as error:
            problems.append(f"{path.name} cannot be read: {error.strerror}")
            raise NotThere from error
    edition, wrong = judge(image_set, arrays)
    for path in dict.fromkeys(paths[array] for array in wrong):
        problems.append(f"{path.name} has a wrong SHA-256{'' if keep_bad else set_aside(path)}")
    if edition is None:
        if not wrong:
            problems.append("holds another set, or files of several")
        raise NotThere
    return edition, arrays


def locate(image_set: ImageSet, folder: Path, problems: list[str]) -> dict[str, Path]:
    """Path of each array's file: four IDX files, or Keras's npz for all. Else NotThere."""
    try:
        paths = files_in(image_set, folder)
    except OSError as error:
        problems.append(f"cannot be read: {error.strerror}")
        raise NotThere from error
    missing = [name for array, name in FILES.items() if array not in paths]
    if paths and missing:
        problems.append(f"lacks {', '.join(missing)}")
    if missing:
        raise NotThere
    return paths


def files_in(image_set: ImageSet, folder: Path) -> dict[str, Path]:
    """Path of each array's file, of those that are there. Raises OSError without permission."""
    paths = {array: path for array, name in FILES.items() if (path := find_file(folder, name))}
    npz = folder / f"{image_set.name}.npz"
    return dict.fromkeys(FILES, npz) if not paths and npz.is_file() else paths


def find_file(folder: Path, name: str) -> Path | None:
    """The file `name` in one of the spellings in use, gzipped or not."""
    dotted = name.replace("-idx", ".idx")
    spellings = (f"{name}.gz", name, f"{dotted}.gz", dotted)
    return next((folder / spelling for spelling in spellings if (folder / spelling).is_file()), None)


def read_file(path: Path, arrays: list[str]) -> dict[str, np.ndarray]:
    """The arrays that the file holds. Raises DataError or OSError, which name it."""
    if path.suffix == ".npz":
        return read_npz(path)
    (array,) = arrays
    return {array: parse_idx(read_bytes(path), path.name, IMAGES if array.startswith("x") else LABELS)}


def judge(image_set: ImageSet, arrays) -> tuple[Edition | None, list[str]]:
    """The edition that the arrays are, if any, and which arrays are of no known set.

    True files of another set, or of two editions, are not wrong: they lie in a folder
    that was given directly, and are not to be touched.
    """
    digests = {array: sha256(to_idx(values)) for array, values in arrays.items()}
    edition = next((e for e in image_set.editions if e.digests == digests), None)
    known = known_digests()
    return edition, [array for array, digest in digests.items() if digest not in known]


def known_digests() -> set[str]:
    """The digests of all files of all sets."""
    return {d for image_set in SETS.values() for e in image_set.editions for d in e.digests.values()}


def set_aside(path: Path) -> str:
    """Rename a bad file to *.corrupt, so that the next search does not meet it again."""
    try:
        path.rename(path.with_name(path.name + ".corrupt"))
        return f"; set aside as {path.name}.corrupt"
    except OSError as error:
        return f"; left where it is ({error.strerror})"
