"""Downloading a set: mirrors, resume, time-outs, digests, one downloader at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from labkit.data.errors import DataError, NoConnectionError
from labkit.data.idx import describe_start, read_bytes, sha256

CONNECT_SECONDS, READ_SECONDS, LOCK_SECONDS = 5, 30, 1800
LARGEST_DOWNLOAD = 64 * 2**20  # bytes; the largest official file has 26 MB
CHUNK = 2**14
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


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

    Each mirror gives the address of every file by name; `place` is what the folder's cache is called.
    """

    set_name: str
    folder: Path
    files: dict[str, str]
    mirrors: tuple[dict[str, str], ...]
    place: str = "data/cache"


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
        lock = folder.parent / f".{name}.lock"
        with FileLock(lock, timeout=LOCK_SECONDS, mode=0o666):  # for whoever else shares the folder
            return fetch_locked(spec, progress, failures)
    except Timeout as error:
        raise DataError(f"another process has been downloading {name} for too long") from error
    except OSError as error:
        raise DataError(
            f"{spec.place} cannot be written: {error.strerror or error}; "
            "put the files into a folder of your own and set LABKIT_DATA to it"
        ) from error


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
        content = read_bytes(part)
        if sha256(content) == digest:
            return None
        what = describe_start(content)
        return f"{part.name} is {what}" if "HTML" in what else f"{part.name} has a wrong SHA-256"
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
    except (OSError, ValueError) as error:  # requests' own are of these; a wrong setting gives others
        raise no_answer(error) from error
    try:
        with response:
            receive(response, part, have, progress)
    except requests.RequestException as error:
        raise DataError(f"{path_of(url)} broke off: {type(error).__name__}") from error


def no_answer(error: Exception) -> DataError:
    """Why a mirror gave no answer, and what helps, in one line."""
    import requests

    setting = next((name for name in CERTIFICATES if os.environ.get(name)), None)
    proxy = next((name for name in PROXIES if os.environ.get(name)), None)
    if isinstance(error, requests.exceptions.SSLError):
        return DataError(
            "its certificate is not accepted; pip install --upgrade certifi, set the clock right, or set "
            "REQUESTS_CA_BUNDLE to the certificates of your institution"
        )
    if "CA certificate bundle" in str(error):
        return DataError(
            f"{setting or 'a setting'} names certificates that are not there; correct or unset it"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return NoConnectionError(
            f"the proxy that {proxy or 'the system'} names does not let it through; correct or unset it"
        )
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        behind = f"; is the proxy that {proxy} names right?" if proxy else ""
        return NoConnectionError(f"no connection ({type(error).__name__}){behind}")
    named = f"; is the proxy that {proxy} names right?" if proxy else ""
    return DataError(f"it cannot be asked ({type(error).__name__}){named}")


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
