"""Sets of IDX files (MNIST, Fashion-MNIST): finding, fetching and verifying them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labkit.data import download, places
from labkit.data.catalogue import FILES, SETS, Edition, ImageSet
from labkit.data.errors import DamagedError, DataError, NotThere
from labkit.data.found import FileCheck, Found, Part
from labkit.data.idx import (
    ZIP,
    is_image_file,
    parse_idx,
    peek,
    read_archive,
    read_bytes,
    sha256,
    to_idx,
)
from labkit.project import set_aside

BUNDLED = "subset bundled in data/mini"


@dataclass(frozen=True)
class Place:
    """A folder that may hold a set; its label is symbolic, so that a report names no machine's paths.

    The folders named in `but` are places of their own.
    """

    label: str
    folder: Path
    but: tuple[str, ...] = ()


def places_of(image_set: ImageSet) -> Iterator[Place]:
    """Each place on this machine, in the order of the search."""
    keras = places.keras_home()
    roots = [*places.own_and_caches(), *(("system", path) for path in places.SYSTEM)]
    for label, root in [*roots, ("Keras cache", keras)] if keras else roots:
        for sub in image_set.folders:
            yield Place(f"{label}/{sub}" if label.startswith("$") else label, root / sub)
        if label != "system":
            yield Place(label, root, tuple(sub for known in SETS.values() for sub in known.folders))


def find(name: str, *, only_look: bool = False) -> Found:
    """Search all sources for a set and return the first that is whole and true.

    Args:
        name: "mnist" or "fashion_mnist".
        only_look: change nothing: no download, and bad files stay where they are.

    Raises:
        DataError: no source has it; the message lists each and why it would not do.
    """
    image_set = SETS[name]
    problems = places.own_problems()
    for place in places_of(image_set):
        if hit := look_in(image_set, place, problems, keep_bad=only_look):
            return found(image_set, *hit, place.label, problems)
    if not (only_look or places.offline()):
        spec = download_spec(image_set)
        try:
            host = download.fetch(spec, failures=download.LOAD_FAILURES)
            label = f"download from {host}" if host else places.download_cache()[0]
            if hit := look_in(image_set, Place(label, spec.folder), problems):
                return found(image_set, *hit, label, problems)
        except DataError as error:
            problems.append(str(error))
    mini = Place(BUNDLED, places.MINI / image_set.folders[0])
    if hit := look_in(image_set, mini, problems, keep_bad=True):
        return found(image_set, *hit, BUNDLED, problems)
    labels = dict.fromkeys([*(place.label for place in places_of(image_set)), BUNDLED])
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
    """The files of the whole set as they can be downloaded, into the cache."""
    files = {f"{name}.gz": image_set.whole.digests[array] for array, name in FILES.items()}
    mirrors = tuple({name: f"{mirror}{name}" for name in files} for mirror in image_set.mirrors)
    label, cache = places.download_cache()
    return download.DownloadSpec(image_set.name, cache / image_set.folders[0], files, mirrors, label)


def fetch(name: str, progress=None, *, failures: download.Failures) -> str:
    """Bring a set into data/cache, whole; say what was done and which bad files were met."""
    image_set, problems = SETS[name], []
    spec, (label, _) = download_spec(image_set), places.download_cache()
    hit = look_in(image_set, Place(label, spec.folder), problems)
    host = None
    if hit is None or hit[0] is not image_set.whole:
        host = download.fetch(spec, progress, failures=failures)
    done = f"downloaded from {host} into {label}, digests right" if host else f"already in {label}"
    return "; ".join([f"{name}: {done}", *problems])


def verify(name: str) -> list[FileCheck]:
    """Check every file of the set that the search would meet; nothing is changed."""
    image_set = SETS[name]
    mini = Place("data/mini", places.MINI / image_set.folders[0])
    return [check for place in (*places_of(image_set), mini) for check in check_place(image_set, place)]


def check_place(image_set: ImageSet, place: Place) -> list[FileCheck]:
    """Check the set's files in one place, whether all four are there or not."""
    try:
        paths = files_in(image_set, place)
    except OSError as error:
        return [FileCheck(image_set.name, place.label, "the folder", f"cannot be read: {error.strerror}")]
    checks = []
    for path in paths:
        content = Content.of(path)
        problem = content.whats_wrong() if is_named(image_set, path) else None
        if problem or content.belongs_to(image_set):
            checks.append(FileCheck(image_set.name, place.label, path.name, problem))
    return checks


@dataclass(frozen=True)
class Content:
    """What a file turned out to be: its arrays by their digests, or the error that reading it gave."""

    path: Path
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    error: Exception | None = None

    @classmethod
    def of(cls, path: Path) -> Content:
        """Read a file."""
        try:
            return cls(path, {sha256(to_idx(array)): array for array in read_file(path)})
        except (DataError, OSError) as error:
            return cls(path, error=error)

    def belongs_to(self, image_set: ImageSet) -> bool:
        """Whether one of the arrays is of the set."""
        return not digests_of(image_set).isdisjoint(self.arrays)

    def whats_wrong(self) -> str | None:
        """Why a file with a set's name is none of any known set, or None."""
        name = self.path.name
        if isinstance(self.error, OSError):
            return f"{name} cannot be read: {self.error.strerror}"
        if self.error:
            return str(self.error)
        if self.arrays.keys() <= {digest for image_set in SETS.values() for digest in digests_of(image_set)}:
            return None
        dims = {array.ndim for array in self.arrays.values()}
        if (named := array_named(self.path)) and dims != {3 if named.startswith("x") else 1}:
            return f"{name} has other things in it than its name says"
        return f"{name} has a wrong SHA-256"


def look_in(image_set: ImageSet, place: Place, problems: list[str], *, keep_bad=False):
    """Edition and arrays as found in one place, or None; what was wrong there is added to `problems`."""
    here: list[str] = []
    try:
        return read_place(image_set, place, here, keep_bad=keep_bad)
    except NotThere:
        return None
    finally:
        problems += [f"{place.label}: {problem}" for problem in here]


def read_place(image_set: ImageSet, place: Place, problems: list[str], *, keep_bad: bool = False):
    """Edition and uint8 arrays of the set in a place, told by their digests and not by names.

    Bad files with the set's names are noted in `problems` and, unless `keep_bad`, set aside.

    Raises NotThere when the place does not hold the set, or not truly.
    """
    try:
        paths = files_in(image_set, place)
    except OSError as error:
        problems.append(f"cannot be read: {error.strerror}")
        raise NotThere from error
    contents, arrays, edition = [], {}, None
    for path in paths:
        if array_named(path) not in names_of(image_set, arrays):  # one true file of a name is enough
            contents.append(content := Content.of(path))
            arrays |= {d: array for d, array in content.arrays.items() if d in digests_of(image_set)}
        edition = next((e for e in image_set.editions if arrays.keys() >= set(e.digests.values())), None)
        if edition:
            break
    problems += dealt_with(image_set, place, contents, keep_bad=keep_bad)
    if edition:
        return edition, {name: arrays[digest] for name, digest in edition.digests.items()}
    problems += what_is_missing(image_set, contents, arrays)
    raise NotThere


def dealt_with(image_set: ImageSet, place: Place, contents: list[Content], *, keep_bad: bool) -> list[str]:
    """What is wrong with files that have the set's names; bad ones are set aside unless `keep_bad`.

    A whole file of no known set is bad where labkit keeps its downloads or where a true file of
    the set lies beside it. Elsewhere it may be a good file of a set with the same file names.
    """
    ours = {cache / sub for _, cache in places.caches() for sub in image_set.folders}
    ours |= {content.path.parent for content in contents if content.belongs_to(image_set)}
    found = []
    for content in contents:
        problem = content.whats_wrong() if is_named(image_set, content.path) else None
        folder, whole = content.path.parent, content.error is None
        if problem is None or (whole and folder not in (*ours, place.folder)):
            continue
        damaged = isinstance(content.error, DamagedError)
        locked = isinstance(content.error, OSError)
        movable = damaged or (folder in ours and not locked)
        found.append(problem + (set_aside(content.path) if movable and not keep_bad else ""))
    return found


def what_is_missing(image_set: ImageSet, contents: list[Content], arrays) -> list[str]:
    """What a folder lacks that has some of the set's files."""
    named = {array for content in contents if (array := array_named(content.path))}
    there = names_of(image_set, arrays) | named
    missing = [name for array, name in FILES.items() if array not in there]
    if there and missing:
        return [f"lacks {', '.join(missing)}"]
    all_true = there and not any(content.whats_wrong() for content in contents)
    return ["holds another set, or files of several"] if all_true else []


def names_of(image_set: ImageSet, digests) -> set[str]:
    """Which of the set's arrays have one of these digests."""
    return {array for e in image_set.editions for array, digest in e.digests.items() if digest in digests}


def files_in(image_set: ImageSet, place: Place) -> list[Path]:
    """The files that may be the set's: first those with its names, and of these those in its folders.

    Raises OSError without permission.
    """
    try:
        files = places.files_below(place.folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    files = [path for path in files if path.relative_to(place.folder).parts[0] not in place.but]

    def elsewhere(path: Path) -> bool:
        return not {part.lower().replace("_", "-") for part in path.parts} & set(image_set.folders)

    named = sorted((path for path in files if is_named(image_set, path)), key=elsewhere)
    return named + [path for path in files if path not in named and is_image_file(path)]


def is_named(image_set: ImageSet, path: Path) -> bool:
    """Whether a file has the name of one of the set's."""
    return array_named(path) is not None or path.name == f"{image_set.name}.npz"


def array_named(path: Path) -> str | None:
    """The array whose official file has that name, in one of the spellings in use."""
    return next((array for array, name in FILES.items() if name == places.official_name(path)), None)


def read_file(path: Path) -> list[np.ndarray]:
    """The arrays that a file holds. Raises DataError or OSError, which name it."""
    if peek(path).startswith(ZIP):
        return read_archive(path)
    return [parse_idx(read_bytes(path), path.name)]


def digests_of(image_set: ImageSet) -> set[str]:
    """The digests of all files of a set."""
    return {digest for edition in image_set.editions for digest in edition.digests.values()}
