"""Downloading a set: mirrors, resume, time-outs, digests, one downloader at a time."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from labkit.data.catalogue import FILES, ImageSet
from labkit.data.idx import DataError, read_bytes, sha256

CONNECT_SECONDS, READ_SECONDS, LOCK_SECONDS = 5, 30, 1800
LARGEST_DOWNLOAD = 64 * 2**20  # bytes; the largest official file has 26 MB
CHUNK = 2**14

# Sets that no mirror would give in this process, with the reason: a second call does not
# wait for the same time-outs again.
unreachable: dict[str, str] = {}


def fetch(image_set: ImageSet, folder: Path, progress=None) -> str:
    """Download the files of a set that `folder` lacks; return the mirror's host.

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


def fetch_locked(image_set, folder, progress) -> str:
    """Try mirror after mirror. A file that another process has brought meanwhile is kept."""
    failures = []
    for mirror in image_set.mirrors:
        host = urlsplit(mirror).netloc
        try:
            for array, name in FILES.items():
                path = folder / f"{name}.gz"
                if not path.exists():
                    fetch_file(f"{mirror}{name}.gz", path, image_set.whole.digests[array], progress)
            return host
        except DataError as error:
            failures.append(f"{host}: {error}")
    message = f"no download of {image_set.name} ({'; '.join(failures)})"
    unreachable[image_set.name] = message
    raise DataError(message)


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
    try:
        with requests.get(
            url,
            stream=True,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            headers={"Range": f"bytes={have}-"} if have else {},
        ) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # all of it is there already, or the digest will tell
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                have = 0  # the server sends the whole file again
            length = response.headers.get("Content-Length")
            write(response, part, have, have + int(length) if length else None, progress)
    except (requests.RequestException, ValueError) as error:
        raise DataError(f"{type(error).__name__} for {path_of(url)}") from error


def write(response, part: Path, have: int, total: int | None, progress) -> None:
    """Write the response's bytes to `part` from position `have` on."""
    with open(part, "ab" if have else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            have += len(chunk)
            if have > LARGEST_DOWNLOAD:
                raise DataError(f"{part.name} is larger than any official file")
            file.write(chunk)
            if progress:
                progress(part.name, have, total)


def path_of(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[-1]
