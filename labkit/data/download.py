"""Downloading a set: mirrors, resume, time-outs, digests, one downloader at a time."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from labkit.data.catalogue import FILES, SETS, ImageSet
from labkit.data.idx import DataError, read_bytes, sha256

CONNECT_SECONDS, READ_SECONDS, LOCK_SECONDS = 5, 30, 1800
LARGEST_DOWNLOAD = 64 * 2**20  # bytes; the largest official file has 26 MB
CHUNK = 2**14

# Sets that no mirror would give in this process, with the reason: a second call does not
# wait for the same time-outs again.
unreachable: dict[str, str] = {}


class NoConnectionError(DataError):
    """The mirror was not reached, so that other sets are hardly to be had either."""


def fetch(image_set: ImageSet, folder: Path, progress=None) -> str | None:
    """Download the files of a set that `folder` lacks, or has wrong ones of.

    Returns the mirror's host, or None when another process has brought them meanwhile.

    Args:
        progress: function of (file name, bytes so far, bytes in all or None).

    Raises:
        DataError: no mirror gave the files, or the folder cannot be written.
    """
    if image_set.name in unreachable:
        raise DataError(unreachable[image_set.name])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{image_set.name}.lock", timeout=LOCK_SECONDS):
            return fetch_locked(image_set, folder, progress)
    except Timeout as error:
        raise DataError(f"another process has been downloading {image_set.name} for too long") from error
    except OSError as error:
        raise DataError(f"data/cache cannot be written: {error.strerror or error}") from error


def fetch_locked(image_set, folder, progress) -> str | None:
    """Try mirror after mirror for the files that are not there, or not right."""
    digests = {folder / f"{name}.gz": image_set.whole.digests[array] for array, name in FILES.items()}
    wanted = [path for path, digest in digests.items() if not path.exists() or problem_of(path, digest)]
    if not wanted:
        return None
    failures = {}
    for mirror in image_set.mirrors:
        host = urlsplit(mirror).netloc
        try:
            while wanted:
                fetch_file(f"{mirror}{wanted[0].name}", wanted[0], digests[wanted[0]], progress)
                del wanted[0]
            return host
        except DataError as error:
            failures[host] = error
    raise DataError(remember(image_set, failures))


def remember(image_set: ImageSet, failures: dict[str, DataError]) -> str:
    """Note that the set, or with no network every set, cannot be had; return why."""
    reasons = "; ".join(f"{host}: {error}" for host, error in failures.items())
    message = f"no download of {image_set.name} ({reasons})"
    unreachable[image_set.name] = message
    if failures and all(isinstance(error, NoConnectionError) for error in failures.values()):
        for name in SETS:
            unreachable.setdefault(name, f"no download of {name} (there was no network for {image_set.name})")
    return message


def fetch_file(url: str, path: Path, digest: str, progress=None) -> None:
    """Download one .gz file to `path`, going on from an earlier attempt at the same mirror.

    Raises DataError when it does not come or is not the file it should be.
    """
    part = path.with_name(f"{path.stem}.{urlsplit(url).hostname}.part.gz")
    resumed = part.exists()
    transfer(url, part, progress)
    problem = problem_of(part, digest)
    if problem and resumed:  # the earlier part was bad, or of an older file
        part.unlink()
        transfer(url, part, progress)
        problem = problem_of(part, digest)
    if problem:
        part.unlink()
        raise DataError(problem)
    part.replace(path)


def problem_of(part: Path, digest: str) -> str | None:
    """Why the downloaded file is not the one with that digest, or None."""
    try:
        return None if sha256(read_bytes(part)) == digest else f"{part.name} has a wrong SHA-256"
    except DataError as error:
        return str(error)


def transfer(url: str, part: Path, progress) -> None:
    """Append to `part` what is missing of `url`. Raises DataError if that breaks off."""
    import requests  # heavy, and needed only when something is downloaded

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # the .gz as it is, not unpacked on the way
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), headers=headers)
    except requests.RequestException as error:
        unreached = isinstance(error, (requests.ConnectionError, requests.Timeout))
        kind = NoConnectionError if unreached else DataError
        raise kind(f"{type(error).__name__} for {path_of(url)}") from error
    try:
        with response:
            receive(response, part, have, progress)
    except requests.RequestException as error:
        raise DataError(f"{path_of(url)} broke off: {type(error).__name__}") from error


def receive(response, part: Path, have: int, progress) -> None:
    """Write the response's bytes to `part`, after the first `have` if the server goes on there."""
    name = path_of(response.url)
    if response.status_code == 416:  # range not satisfiable: all is there, or the digest will tell
        return
    if not response.ok:
        raise DataError(f"HTTP status {response.status_code} for {name}")
    if response.status_code != 206:  # not a partial answer: the server sends the whole file again
        have = 0
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else None
    with open(part, "ab" if have else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            have += len(chunk)
            if have > LARGEST_DOWNLOAD:
                break
            file.write(chunk)
            if progress:
                progress(name, have, total)
    if have > LARGEST_DOWNLOAD:
        part.unlink()
        raise DataError(f"{name} is larger than any official file")


def path_of(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[-1]
