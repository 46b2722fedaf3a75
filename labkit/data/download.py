"""Downloading a set: mirrors, resume, time-outs, digests, one downloader at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from labkit.data.errors import DataError, NoConnectionError
from labkit.data.idx import read_bytes, sha256

CONNECT_SECONDS, READ_SECONDS, LOCK_SECONDS = 5, 30, 1800
LARGEST_DOWNLOAD = 64 * 2**20  # bytes; the largest official file has 26 MB
CHUNK = 2**14


@dataclass
class Failures:
    """Downloads that failed, so that a second try does not wait for the same time-outs again.

    `reasons` has a sentence for each set; `no_network_for` names the first set of which no
    mirror was reached: with no network, no other set is tried.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    no_network_for: str | None = None

    def reason(self, set_name: str) -> str | None:
        """Why the set is not to be tried again, or None."""
        if set_name not in self.reasons and self.no_network_for:
            return f"no download of {set_name} (there was no network for {self.no_network_for})"
        return self.reasons.get(set_name)

    def note(self, set_name: str, errors: dict[str, DataError]) -> str:
        """Note what each mirror answered, host → error; return the reason in one sentence."""
        answers = "; ".join(f"{host}: {error}" for host, error in errors.items())
        self.reasons[set_name] = f"no download of {set_name} ({answers})"
        if errors and all(isinstance(error, NoConnectionError) for error in errors.values()):
            self.no_network_for = self.no_network_for or set_name
        return self.reasons[set_name]


LOAD_FAILURES = Failures()  # of every `load` in this process


@dataclass(frozen=True)
class DownloadSpec:
    """Files of a set to be downloaded: name → SHA-256 of the bytes, unpacked if the name ends in .gz.

    Each mirror gives the address of every file by name.
    """

    set_name: str
    folder: Path
    files: dict[str, str]
    mirrors: tuple[dict[str, str], ...]


def fetch(spec: DownloadSpec, progress=None, *, failures: Failures) -> str | None:
    """Download the files that the folder lacks, or has wrong ones of.

    Returns the mirror's host, or None when another process has brought them meanwhile.

    Args:
        progress: function of (file name, bytes so far, bytes in all or None).
        failures: of earlier calls; what failed there is not tried again. A failure is added.

    Raises:
        DataError: no mirror gave the files, or the folder cannot be written.
    """
    name, folder = spec.set_name, spec.folder
    if reason := failures.reason(name):
        raise DataError(reason)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{name}.lock", timeout=LOCK_SECONDS):
            return fetch_locked(spec, progress, failures)
    except Timeout as error:
        raise DataError(f"another process has been downloading {name} for too long") from error
    except OSError as error:
        raise DataError(f"data/cache cannot be written: {error.strerror or error}") from error


def fetch_locked(spec: DownloadSpec, progress, failures: Failures) -> str | None:
    """Try mirror after mirror for the files that are not there, or not right."""
    paths = {name: spec.folder / name for name in spec.files}
    left = [n for n, path in paths.items() if not path.exists() or problem_of(path, spec.files[n])]
    if not left:
        return None
    errors = {}
    for mirror in spec.mirrors:
        host = urlsplit(mirror[left[0]]).netloc
        try:
            while left:
                fetch_file(mirror[left[0]], paths[left[0]], spec.files[left[0]], progress)
                del left[0]
            return host
        except DataError as error:
            errors[host] = error
    raise DataError(failures.note(spec.set_name, errors))


def fetch_file(url: str, path: Path, digest: str, progress=None) -> None:
    """Download one file to `path`, going on from an earlier attempt at the same mirror.

    Raises DataError when it does not come or is not the file it should be.
    """
    part = path.with_name(f"{path.stem}.{urlsplit(url).hostname}.part{path.suffix}")
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
