"""What `labkit data` does: show, download and verify the image sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.data import download, sources
from labkit.data.catalogue import SETS, ImageSet
from labkit.data.idx import DataError, sha256, to_idx

# In a folder that was given directly the files of one set are met when another is looked for.
OF_ANOTHER_SET = "is a true file of another set"


@dataclass(frozen=True)
class FileCheck:
    """One file that the search would meet: where, and what is wrong with it, if anything."""

    set_name: str
    source: str
    file: str
    problem: str | None


def status() -> list[sources.Found]:
    """What `load` would take now, for each set, if it could not download; nothing is changed."""
    return [sources.find(name, only_look=True) for name in SETS]


def fetch(names: list[str] | None = None, progress=None) -> list[str]:
    """Download the named sets (all, by default) into data/cache unless they are there.

    Args:
        progress: function of (file name, bytes so far, bytes in all or None).

    Returns a sentence a set. Raises DataError when a set cannot be had, or when
    `LABKIT_OFFLINE` forbids it.
    """
    if sources.offline():
        raise DataError("LABKIT_OFFLINE is set, so nothing is downloaded; unset it and try again")
    download.unreachable.clear()  # whoever asks again may have a network now
    return [fetch_set(sources.get_set(name), progress) for name in names or SETS]


def fetch_set(image_set: ImageSet, progress) -> str:
    """Bring one set into data/cache, whole; say what was done and which bad files were met."""
    folder = sources.CACHE / image_set.folders[0]
    problems: list[str] = []
    found = sources.look_in(image_set, "data/cache", folder, problems)
    host = None
    if found is None or found.edition is not image_set.whole:
        host = download.fetch(image_set, folder, progress)
    done = f"downloaded from {host}, digests right" if host else "already in data/cache"
    return "; ".join([f"{image_set.name}: {done}", *problems])


def verify() -> list[FileCheck]:
    """Check every file that the search would meet; nothing is changed or set aside."""
    checks = []
    for image_set in SETS.values():
        mini = sources.MINI / image_set.folders[0]
        for label, folder in [*sources.folders(image_set), ("data/mini", mini)]:
            checks += check_folder(image_set, label, folder)
    return checks


def check_folder(image_set: ImageSet, label: str, folder: Path) -> list[FileCheck]:
    """Check the set's files in one folder, whether all four are there or not."""
    try:
        paths = sources.files_in(image_set, folder)
    except OSError as error:
        return [FileCheck(image_set.name, label, "the folder", f"cannot be read: {error.strerror}")]
    checks = []
    for path in dict.fromkeys(paths.values()):
        problem = problem_of(image_set, path, [array for array in paths if paths[array] == path])
        if problem != OF_ANOTHER_SET:
            checks.append(FileCheck(image_set.name, label, path.name, problem))
    return checks


def problem_of(image_set: ImageSet, path: Path, arrays: list[str]) -> str | None:
    """What is wrong with a file of the set, or None."""
    try:
        content = sources.read_file(path, arrays)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    digests = {array: sha256(to_idx(values)) for array, values in content.items()}
    wrong = [a for a, digest in digests.items() if digest not in {e.digests[a] for e in image_set.editions}]
    if wrong and sources.known_digests().issuperset(digests.values()):
        return OF_ANOTHER_SET
    return f"{', '.join(wrong)} has a wrong SHA-256" if wrong else None
