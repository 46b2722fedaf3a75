"""Sets of IDX files (MNIST, Fashion-MNIST): finding, fetching and verifying them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labkit.data import download, places
from labkit.data.catalogue import FILES, SETS, Edition, ImageSet
from labkit.data.errors import DataError, NotThere
from labkit.data.found import FileCheck, Found, Part
from labkit.data.idx import IMAGES, LABELS, parse_idx, read_bytes, read_npz, sha256, to_idx
from labkit.data.places import set_aside

BUNDLED = "subset bundled in data/mini"
# In a folder that was given directly the files of one set are met when another is looked for.
OF_ANOTHER_SET = "is a true file of another set"


def folders(image_set: ImageSet) -> Iterator[tuple[str, Path]]:
    """Label and folder of each place on this machine, in the order of the search.

    Labels are symbolic, so that a report names no machine's paths.
    """
    system = (("system", path) for path in places.SYSTEM)
    roots = [*places.own_and_cache(), *system, ("Keras cache", places.keras_home())]
    for label, root in roots:
        for sub in image_set.folders:
            yield f"{label}/{sub}" if label.startswith("$") else label, root / sub
        if label.startswith(("$", "Keras")):
            yield label, root


def find(name: str, *, only_look: bool = False) -> Found:
    """Search all sources for a set and return the first that is whole and true.

    Args:
        name: "mnist" or "fashion_mnist".
        only_look: change nothing: no download, and bad files stay where they are.

    Raises:
        DataError: no source has it; the message lists each and why it would not do.
    """
    image_set = SETS[name]
    problems = places.missing_root()
    for label, folder in folders(image_set):
        if hit := look_in(image_set, label, folder, problems, keep_bad=only_look):
            return found(image_set, *hit, label, problems)
    if not (only_look or places.offline()):
        cache = places.CACHE / image_set.folders[0]
        try:
            host = download.fetch(download_spec(image_set), failures=download.LOAD_FAILURES)
            label = f"download from {host}" if host else "data/cache"
            if hit := look_in(image_set, label, cache, problems):
                return found(image_set, *hit, label, problems)
        except DataError as error:
            problems.append(str(error))
    mini = places.MINI / image_set.folders[0]
    if hit := look_in(image_set, BUNDLED, mini, problems, keep_bad=True):
        return found(image_set, *hit, BUNDLED, problems)
    labels = dict.fromkeys([*(label for label, _ in folders(image_set)), BUNDLED])
    raise DataError(places.not_found_message(name, labels, problems))


def found(image_set: ImageSet, edition: Edition, arrays, source: str, problems: list[str]) -> Found:
    """What was found, for `load`; the digest is taken over the files' own."""
    whole, remarks = image_set.whole, []
    if edition is not whole:
        sizes = f"{edition.n_train:,} + {edition.n_test:,} of {whole.n_train:,} + {whole.n_test:,}"
        remarks.append(f"a subset: {sizes} images")
    return Found(
        name=image_set.name,
        train=Part(arrays["x_train"], arrays["y_train"]),
        test=Part(arrays["x_test"], arrays["y_test"]),
        class_names=image_set.class_names,
        digest=hashlib.sha256("".join(edition.digests.values()).encode()).hexdigest(),
        source=source,
        remarks=tuple(remarks),
        problems=tuple(problems),
        whole=edition is whole,
    )


def sizes(name: str) -> tuple[int, int]:
    """Training and test images of the whole set."""
    return SETS[name].whole.n_train, SETS[name].whole.n_test


def download_spec(image_set: ImageSet) -> download.DownloadSpec:
    """The files of the whole set as they can be downloaded, into data/cache."""
    files = {f"{name}.gz": image_set.whole.digests[array] for array, name in FILES.items()}
    mirrors = tuple({name: f"{mirror}{name}" for name in files} for mirror in image_set.mirrors)
    return download.DownloadSpec(image_set.name, places.CACHE / image_set.folders[0], files, mirrors)


def fetch(name: str, progress=None, *, failures: download.Failures) -> str:
    """Bring a set into data/cache, whole; say what was done and which bad files were met."""
    image_set, problems = SETS[name], []
    folder = places.CACHE / image_set.folders[0]
    hit = look_in(image_set, "data/cache", folder, problems)
    host = None
    if hit is None or hit[0] is not image_set.whole:
        host = download.fetch(download_spec(image_set), progress, failures=failures)
    done = f"downloaded from {host}, digests right" if host else "already in data/cache"
    return "; ".join([f"{name}: {done}", *problems])


def verify(name: str) -> list[FileCheck]:
    """Check every file of the set that the search would meet; nothing is changed."""
    image_set = SETS[name]
    mini = places.MINI / image_set.folders[0]
    where = [*folders(image_set), ("data/mini", mini)]
    return [check for label, folder in where for check in check_folder(image_set, label, folder)]


def check_folder(image_set: ImageSet, label: str, folder: Path) -> list[FileCheck]:
    """Check the set's files in one folder, whether all four are there or not."""
    try:
        paths = files_in(image_set, folder)
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
        content = read_file(path, arrays)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    digests = {array: sha256(to_idx(values)) for array, values in content.items()}
    wrong = [a for a, digest in digests.items() if digest not in {e.digests[a] for e in image_set.editions}]
    if wrong and known_digests().issuperset(digests.values()):
        return OF_ANOTHER_SET
    return f"{', '.join(wrong)} has a wrong SHA-256" if wrong else None


def look_in(image_set: ImageSet, label: str, folder: Path, problems: list[str], *, keep_bad=False):
    """Edition and arrays as found in one folder, or None, with what was wrong there added to `problems`."""
    here: list[str] = []
    try:
        return read_folder(image_set, folder, here, keep_bad=keep_bad)
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
    edition, wrong = match_edition(image_set, arrays)
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


def match_edition(image_set: ImageSet, arrays) -> tuple[Edition | None, list[str]]:
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
