"""Where the files of an image set may lie, in the order of the search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit.config import ROOT, did_you_mean
from labkit.data import download
from labkit.data.catalogue import FILES, SETS, Edition, ImageSet
from labkit.data.idx import IMAGES, LABELS, DataError, parse_idx, read_bytes, read_npz, sha256, to_idx

CACHE = ROOT / "data" / "cache"
MINI = ROOT / "data" / "mini"
SYSTEM = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


class NotThere(Exception):  # noqa: N818 - no error: the search goes on
    """A source that does not have the set."""


@dataclass(frozen=True)
class Found:
    """A set as it was found: uint8 arrays, which edition, where, and what went wrong before."""

    image_set: ImageSet
    edition: Edition
    arrays: dict[str, np.ndarray]
    source: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileCheck:
    """One file that the search would meet: where, and what is wrong with it, if anything."""

    set_name: str
    source: str
    file: str
    problem: str | None


def get_set(name: str) -> ImageSet:
    """The catalogue's entry. Raises DataError, with the nearest name, if there is none."""
    if name not in SETS:
        raise DataError(f"no image set {name!r}{did_you_mean(str(name), SETS)}")
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
    return next((path for path in (Path(name), ROOT / name) if path.is_dir()), Path(name))


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
        try:
            found = read_folder(image_set, folder, problems, keep_bad=only_look)
            return Found(image_set, *found, label, tuple(problems))
        except NotThere:
            continue
    cache = CACHE / image_set.folders[0]
    try:
        if not (only_look or os.environ.get("LABKIT_OFFLINE")):
            host = download.fetch(image_set, cache)
            found = read_folder(image_set, cache, problems)
            return Found(image_set, *found, f"download from {host}", tuple(problems))
    except (DataError, NotThere) as error:
        problems.append(str(error))
    try:
        found = read_folder(image_set, MINI / image_set.folders[0], problems, keep_bad=True)
        return Found(image_set, *found, "subset bundled in data/mini", tuple(problems))
    except NotThere as error:
        places = dict.fromkeys(label for label, _ in folders(image_set))
        tried = "\n  ".join([*(f"{place}: not there" for place in places), *problems])
        raise DataError(f"{name} was found nowhere:\n  {tried}") from error


def missing_root() -> list[str]:
    """A warning when `$LABKIT_DATA` is set but is no folder."""
    own = own_root()
    return ["$LABKIT_DATA is set, but is no folder"] if own and not own.is_dir() else []


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
        raise NotThere
    return edition, arrays


def locate(image_set: ImageSet, folder: Path, problems: list[str]) -> dict[str, Path]:
    """Path of each array's file: four IDX files, or Keras's npz for all. Else NotThere."""
    try:
        paths = {array: find_file(folder, name) for array, name in FILES.items()}
        npz = folder / f"{image_set.name}.npz"
        if not any(paths.values()) and npz.is_file():
            return dict.fromkeys(FILES, npz)
    except OSError as error:
        problems.append(f"a folder {folder.name} cannot be read: {error.strerror}")
        raise NotThere from error
    missing = [FILES[array] for array, path in paths.items() if path is None]
    if 0 < len(missing) < len(FILES):
        problems.append(f"a folder {folder.name} lacks {', '.join(missing)}")
    if missing:
        raise NotThere
    return paths


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
    known = {d for other in SETS.values() for e in other.editions for d in e.digests.values()}
    return edition, [array for array in FILES if digests[array] not in known]


def set_aside(path: Path) -> str:
    """Rename a bad file to *.corrupt, so that the next search does not meet it again."""
    try:
        path.rename(path.with_name(path.name + ".corrupt"))
        return f"; set aside as {path.name}.corrupt"
    except OSError as error:
        return f"; left where it is ({error.strerror})"


def status() -> list[Found]:
    """What `load` would take now, for each set, if it could not download; nothing is changed."""
    return [find(name, only_look=True) for name in SETS]


def fetch(names=None, progress=None) -> list[str]:
    """Download the named sets (all, by default) into data/cache unless they are there.

    Returns a sentence a set. Raises DataError when a set cannot be had.
    """
    done = []
    for image_set in [get_set(name) for name in names or SETS]:
        cache = CACHE / image_set.folders[0]
        try:
            read_folder(image_set, cache, [])
            done.append(f"{image_set.name}: already in data/cache")
        except NotThere:
            host = download.fetch(image_set, cache, progress)
            done.append(f"{image_set.name}: downloaded from {host}, digests right")
    return done


def verify() -> list[FileCheck]:
    """Check every file that the search would meet; nothing is changed or set aside."""
    checks = []
    for image_set in SETS.values():
        places = [*folders(image_set), ("data/mini", MINI / image_set.folders[0])]
        for label, folder in places:
            try:
                paths = locate(image_set, folder, [])
            except NotThere:
                continue
            for path in dict.fromkeys(paths.values()):
                arrays = [array for array in FILES if paths[array] == path]
                checks.append(
                    FileCheck(image_set.name, label, path.name, problem_of(image_set, path, arrays))
                )
    return checks


def problem_of(image_set: ImageSet, path: Path, arrays: list[str]) -> str | None:
    """What is wrong with a file of the set, or None."""
    try:
        content = read_file(path, arrays)
    except (DataError, OSError) as error:
        return str(error)
    for array in arrays:
        if sha256(to_idx(content[array])) not in {e.digests[array] for e in image_set.editions}:
            return f"{array} has a wrong SHA-256"
    return None
