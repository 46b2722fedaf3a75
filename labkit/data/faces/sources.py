"""Faces: one's own CK file first, else the Olivetti faces, else the rendered ones of the project.

The Cohn-Kanade set is licensed, so that nothing can download it. A user's file is never
renamed, and one that cannot be used stops the search: it is there to be used. The Olivetti
faces (F. Samaria & A. Harter, 1994; AT&T Laboratories Cambridge) and the rendered faces are
known by the digest of their images, whatever file they come in.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from labkit.data import download, places
from labkit.data.errors import DataError
from labkit.data.faces import olivetti
from labkit.data.faces.apart import read_apart
from labkit.data.faces.layouts import MatOptions
from labkit.data.faces.reader import Faces, read_faces
from labkit.data.found import FileCheck, Found, Part
from labkit.parameters import did_you_mean
from labkit.project import is_file, is_there, set_aside

NAME, RENDERED = "faces", "rendered_faces"
SYNTHETIC = (
    "3b3f208ef1f00b6e358629ffe324ca5173391eb4025c5062101628f91a2c0748"  # of the images in data/mini/faces
)
BUNDLED = "rendered faces bundled in data/mini"
STAND_IN = "in place of CK, which is licensed: put your own .mat file into data/cache/faces/"


def find(name: str = NAME, *, only_look: bool = False, **options) -> Found:
    """Search for faces: a file of one's own, Olivetti, the rendered ones.

    Args:
        name: "faces", or "rendered_faces" for the last of these whatever else is there.
        only_look: change nothing: no download, and bad files stay where they are.
        options: how a file of one's own is to be read, see `labkit.data.faces.layouts.MatOptions`.

    Raises:
        DataError: a file of one's own cannot be used, or nothing was found at all.
        TypeError, ValueError: an option that does not exist or fit.
    """
    wanted = mat_options(options)
    if name == RENDERED:
        if options:
            raise TypeError(f"load({RENDERED!r}) takes no {next(iter(options))!r}: these files are known")
        return bundled([], name)
    problems = places.own_problems()
    met: list[tuple[str, Faces]] = []  # the Olivetti faces, where they were met
    for label, folder in own_folders():
        own = look_in(label, folder, wanted, problems, met, keep_bad=only_look)
        if own:
            return own_found(*own, problems)
    problems += misplaced()
    if wanted.file:
        raise DataError(f"there is no {wanted.file} in {' or '.join(label for label, _ in own_folders())}")
    if options:
        problems.append(f"{', '.join(options)}: not used, for there is no .mat file of your own")
    met += elsewhere(problems) if not met else []
    if not met and not (only_look or places.offline()):
        met += downloaded(problems)
    if met:
        return olivetti_found(*met[0], problems)
    return bundled(problems)


def mat_options(options: dict) -> MatOptions:
    """The arguments as MatOptions. Raises TypeError, with the nearest name, for one that these have not."""
    names = {field.name for field in fields(MatOptions)}
    for option in options:
        if option not in names:
            raise TypeError(f"load('faces') takes no {option!r}{did_you_mean(option, names)}")
    return MatOptions(**options)


def sizes(name: str = NAME) -> tuple[None, None]:
    """Training and test images of the whole set: not known before a file is found."""
    return None, None


def own_folders() -> list[tuple[str, Path]]:
    """Label and folder of the places for files of one's own."""
    return [
        (f"{label}/{NAME}" if label.startswith("$") else label, root / NAME)
        for label, root in places.own_and_caches()
    ]


def mat_files(folder: Path) -> list[Path]:
    """The .mat files of a folder, or else of the folders in it, known by name or content.

    What macOS leaves beside a file (._ck.mat) is none.

    Raises DataError if the folder cannot be opened.
    """
    try:
        files = [path for path in places.files_below(folder, 1) if places.is_mat_file(path)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from error
    return [path for path in files if path.parent == folder] or files


def misplaced() -> list[str]:
    """A warning of .mat files that lie in `$LABKIT_DATA` itself, where none are looked for."""
    own = places.own_root()
    try:
        names = [path.name for path in places.files_below(own, 0) if places.is_mat_file(path)] if own else []
    except (OSError, ValueError):
        return []
    there = (
        f"{', '.join(names[:5])} in $LABKIT_DATA is not used; .mat files are looked for in its folder {NAME}/"
    )
    return [there] if names else []


def no_files(folder: Path) -> list[str]:
    """What is named like a .mat file in a folder and is no file: a link to nothing, a folder, a device."""
    try:
        entries = [path for path in places.entries_of(folder, strict=True) if path.suffix.lower() == ".mat"]
    except OSError:
        return []
    odd = [path for path in entries if not is_file(path) and not (places.is_folder(path) and mat_files(path))]
    return [f"{path.name} is {what_it_is(path)}; a .mat file was expected" for path in odd]


def what_it_is(path: Path) -> str:
    """A thing that is no file, in words."""
    if path.is_symlink() and not is_there(path):
        return "a link that leads to no file"
    return "a folder" if places.is_folder(path) else "no regular file"


def look_in(label, folder, wanted: MatOptions, problems, met, *, keep_bad) -> tuple[str, Path, Faces] | None:
    """A user's own file in the folder, or None; Olivetti's, met on the way, goes into `met`.

    Raises DataError when the user's file cannot be read, when there are two, or when what has
    its name is no file.
    """
    try:
        paths = mat_files(folder)
    except DataError as error:
        problems.append(f"{label}: {error}")
        return None
    own = []
    for path in paths:
        if wanted.file not in (None, path.name):
            continue
        faces = read_known(path) if wanted.file is None else None
        faces = faces or read_own(label, path, wanted, problems, keep_bad=keep_bad)
        if faces and faces.digest == olivetti.DIGEST:
            met.append((label, faces))
        elif faces:
            own.append((label, path, faces))
    if len(own) > 1:
        names = ", ".join(path.name for _, path, _ in own)
        raise DataError(f"{label} has several files of faces: {names}; say file={own[0][1].name!r}")
    odd = [f"{label}: {problem}" for problem in no_files(folder)]
    if odd and not own:
        raise DataError("; ".join(odd))
    problems += odd
    return own[0] if own else None


def read_known(path: Path) -> Faces | None:
    """The faces of a file that is known by the digest of its bytes, and so needs no care; else None."""
    try:
        return olivetti.read_true(path)
    except OSError:
        return None


def read_own(label, path: Path, wanted: MatOptions, problems: list[str], *, keep_bad: bool) -> Faces | None:
    """A user's file, or None for a bad copy of the Olivetti faces, which is set aside.

    Raises DataError, which says where the file lies and what to do.
    """
    try:
        faces = read_apart(path, wanted)
        problem = f"{path.name} has images with a wrong SHA-256"
    except DataError as error:
        faces, problem = None, str(error)
    except OSError as error:
        raise DataError(f"{label}: {path.name} cannot be read: {error.strerror}") from error
    ours = path.name == olivetti.FILE and wanted.file is None
    if ours and (faces is None or (label != "$LABKIT_DATA/faces" and faces.digest != olivetti.DIGEST)):
        problems.append(f"{label}: {problem}{'' if keep_bad else set_aside(path)}")
        return None
    if faces is None:
        raise DataError(f"{label}: {problem}")
    return faces


def true_olivetti(label: str, path: Path, problems: list[str], *, keep_bad: bool) -> Faces | None:
    """The Olivetti faces in a file of that name; if it has other images it is set aside, and None."""
    try:
        problem, faces = olivetti.problem_of(path)
    except OSError as error:
        problems.append(f"{label}: {path.name} cannot be read: {error.strerror}")
        return None
    if problem:
        problems.append(f"{label}: {problem}{'' if keep_bad else set_aside(path)}")
    return faces


def elsewhere(problems: list[str]) -> list[tuple[str, Faces]]:
    """The Olivetti faces among other libraries' files; these are never renamed."""
    for label, path in olivetti.library_files():
        if is_file(path) and (faces := true_olivetti(label, path, problems, keep_bad=True)):
            return [(label, faces)]
    return []


def downloaded(problems: list[str]) -> list[tuple[str, Faces]]:
    """The Olivetti faces from scikit-learn's source, kept in data/cache."""
    try:
        host = download.fetch(olivetti.download_spec(NAME), failures=download.LOAD_FAILURES)
    except DataError as error:
        problems.append(str(error))
        return []
    label = f"download from {host}" if host else places.download_cache()[0]
    faces = true_olivetti(label, places.download_cache()[1] / NAME / olivetti.FILE, problems, keep_bad=False)
    return [(label, faces)] if faces else []


def own_found(label: str, path: Path, faces: Faces, problems: list[str]) -> Found:
    """A user's own faces, taken to be licensed unless they are the rendered ones."""
    rendered = faces.digest == SYNTHETIC
    remark = "rendered faces of no real person" if rendered else (
        "images of people from a file of your own, taken as licensed: do not publish them "
        "(labkit run --no-faces makes a page without them)"
    )  # fmt: skip
    source = f"{label}, {path.name}"
    people = "" if rendered else "licensed"
    return split(faces, source, people, [remark, *faces.remarks], [*problems, *faces.unused])


def olivetti_found(label: str, faces: Faces, problems: list[str]) -> Found:
    """The Olivetti faces: 40 people with ten images each, in a row; who it is is the label."""
    people = np.repeat(np.arange(40), 10)
    names = tuple(f"person {i + 1}" for i in range(40))
    faces = replace(faces, labels=people, class_names=names, subjects=people)
    return split(faces, label, "open", [f"Olivetti faces, {STAND_IN}"], problems)


def bundled(problems: list[str], name: str = NAME) -> Found:
    """The rendered faces. Raises DataError, with every place that was searched, if they are not there."""
    remark = "rendered faces of no real person" + (f", {STAND_IN}" if name == NAME else "")
    for path in mat_files(places.MINI / NAME):
        try:
            faces = read_faces(path)
        except DataError as error:
            problems.append(f"{BUNDLED}: {error}")
            continue
        if faces.digest == SYNTHETIC:
            return replace(split(faces, BUNDLED, "", [remark], problems), name=name, whole=name != NAME)
        problems.append(f"{BUNDLED}: {path.name} has images with a wrong SHA-256")
    other = (*own_folders(), *olivetti.library_files()) if name == NAME else ()
    labels = dict.fromkeys([*(label for label, _ in other), BUNDLED])
    raise DataError(places.not_found_message(name, labels, problems))


def split(faces: Faces, source: str, people: str, remarks: list[str], problems: list[str]) -> Found:
    """Faces divided into training and test images; without labels the subjects are the classes."""
    n = len(faces.images)
    labels, names = faces.labels, faces.class_names
    if labels is None:
        labels = np.zeros(n, np.int64) if faces.subjects is None else faces.subjects
        names = tuple(f"person {i + 1}" for i in range(int(labels.max()) + 1)) if labels.any() else ("face",)
    test, remark = held_out(n, faces.subjects)

    def part(chosen: np.ndarray) -> Part:
        subjects = None if faces.subjects is None else faces.subjects[chosen]
        factors = {name: values[chosen] for name, values in faces.factors.items()}
        return Part(faces.images[chosen], labels[chosen], subjects, factors)

    return Found(
        name=NAME,
        train=part(~test),
        test=part(test),
        class_names=names,
        digest=faces.digest,
        source=source,
        remarks=(*remarks, remark),
        problems=tuple(problems),
        people=people,
    )


def held_out(n: int, subjects: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Which images are for the test, (n,) bool, and how that was decided.

    With subjects known, every fifth person is in the test set with all images, and no person
    is in both. Otherwise the last fifth of the file is, since a person's images stand in a row.
    """
    if subjects is not None and len(people := np.unique(subjects)) > 1:
        chosen = people[4::5] if len(people) >= 5 else people[-1:]
        return np.isin(subjects, chosen), f"{len(chosen)} of {len(people)} people are in the test set only"
    remark = "who is on which image is not known: the last fifth is the test set, and a person may be in both"
    return np.arange(n) >= n - max(1, n // 5), remark


def fetch(name: str = NAME, progress=None, *, failures: download.Failures) -> str:
    """Bring the Olivetti faces into data/cache unless they are there; say what was done."""
    problems: list[str] = []
    label, cache = places.download_cache()
    path = cache / NAME / olivetti.FILE
    if is_file(path) and true_olivetti(label, path, problems, keep_bad=False):
        return f"{NAME}: Olivetti already in {label}"
    host = download.fetch(olivetti.download_spec(NAME), progress, failures=failures)
    done = f"downloaded from {host} into {label}, digest right" if host else f"already in {label}"
    return "; ".join([f"{NAME}: Olivetti {done}", *problems])


def verify(name: str = NAME) -> list[FileCheck]:
    """Check every file of faces that the search would meet; nothing is changed."""
    checks = []
    for label, folder in [*own_folders(), ("data/mini", places.MINI / NAME)]:
        try:
            checks += [check(label, path) for path in mat_files(folder)]
        except DataError as error:
            checks.append(FileCheck(NAME, label, "the folder", str(error)))
    return checks + [check(label, path) for label, path in olivetti.library_files() if path.is_file()]


def check(label: str, path: Path) -> FileCheck:
    """Check one file: the known ones by digest, a user's own by reading it."""
    try:
        if path.name in (olivetti.FILE, olivetti.PACKED):
            return FileCheck(NAME, label, path.name, olivetti.problem_of(path)[0])
        faces = read_faces(path) if label == "data/mini" else read_known(path) or read_apart(path)
    except DataError as error:
        return FileCheck(NAME, label, path.name, str(error))
    except OSError as error:
        return FileCheck(NAME, label, path.name, f"cannot be read: {error.strerror}")
    if label == "data/mini" and faces.digest != SYNTHETIC:
        return FileCheck(NAME, label, path.name, "has images with a wrong SHA-256")
    if faces.digest in (olivetti.DIGEST, SYNTHETIC):
        return FileCheck(NAME, label, path.name, None)
    facts = f"readable, {len(faces.images):,} faces of your own; there is no digest to check"
    return FileCheck(NAME, label, path.name, None, facts)
