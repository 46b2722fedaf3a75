"""What goes between the command and a worker that shares no folder with it: notebooks there, results back."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from labkit import project
from labkit.batch.jobs import Outcome
from labkit.reports.files import read_json, to_json, write_atomically
from labkit.reports.request import Request

TABLES = ("profiles.toml", "handouts.toml", "claims.toml", "labs.toml")
SETTINGS = ("LABKIT_OFFLINE", "LABKIT_PRECISION")  # that go with a job
PLACES = ("LABKIT_NOTEBOOKS", "LABKIT_DATA")  # the same, of folders: where a worker has them
FAILED = "failed"


class Token:
    """A file in the folder of reports: a worker that sees it shares the folder."""

    def __init__(self, out: Path):
        self.file = out.resolve() / ".work" / f"token-{uuid.uuid4().hex}"
        self.text = uuid.uuid4().hex
        write_atomically(self.file, self.text)

    def is_seen(self) -> bool:
        """Whether this process sees it."""
        try:
            return self.file.read_text(encoding="utf-8") == self.text
        except OSError:
            return False

    def remove(self) -> None:
        """Take it away."""
        self.file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Job:
    """A request as a worker gets it.

    `topic` is where its events go; `settings` what the command was told by its environment;
    `files` the notebook and the tables beside it, by name; `kept` whether a completed run lies in
    place, which a failed one may not replace.
    """

    request: Request
    topic: str
    token: Token
    settings: dict[str, str]
    files: dict[str, bytes]
    kept: bool


def make_job(request: Request, topic: str, token: Token) -> Job:
    """The job of a request, with absolute paths."""
    path = request.lab.path.resolve()
    request = replace(request, lab=replace(request.lab, path=path), out=request.out.resolve())
    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    settings |= {name: str(Path(os.environ[name]).resolve()) for name in PLACES if os.environ.get(name)}
    kept = (read_json(request.report_dir / "run.json") or {}).get("status") == "completed"
    return Job(request, topic, token, settings, bundle(path), kept)


@functools.lru_cache(maxsize=64)
def bundle(notebook: Path) -> dict[str, bytes]:
    """The notebook and the tables of its lab, by name."""
    tables = [project.notebooks_dir() / name for name in TABLES]
    return {path.name: path.read_bytes() for path in [notebook, *tables] if path.is_file()}


@contextmanager
def workplace(job: Job, scratch: Path) -> Iterator[tuple[Request, dict[str, str]]]:
    """The request as it runs here, and the environment of its process.

    In the shared folder it is as it came. Else notebook and results lie in a folder of the worker's,
    which is removed afterwards.
    """
    settings = {n: v for n, v in job.settings.items() if n not in PLACES or Path(v).is_dir()}
    if job.token.is_seen():
        yield job.request, settings
        return
    scratch.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=scratch, prefix="labkit-"))
    try:
        notebooks = place / "notebooks"
        notebooks.mkdir()
        for name, content in job.files.items():
            (notebooks / name).write_bytes(content)
        request = job.request
        lab = replace(request.lab, path=notebooks / request.lab.path.name)
        request = replace(request, lab=lab, out=place / "reports")
        if job.kept:
            write_atomically(request.report_dir / "run.json", to_json({"status": "completed"}))
        yield request, settings | {"LABKIT_NOTEBOOKS": str(notebooks)}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def collect(request: Request, job: Job) -> dict[str, bytes] | None:
    """The results by their paths in the run's folder; None where they lie in place already."""
    if job.token.is_seen():
        return None
    folder = request.report_dir
    if job.kept and (folder / FAILED).is_dir():
        folder = folder / FAILED
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(request.report_dir).as_posix(): path.read_bytes() for path in found}


def put_in_place(outcome: Outcome, files: dict[str, bytes], request: Request) -> Outcome:
    """Put results that came as files into the run's folder; run.json last, for it vouches for the others."""
    from labkit.reports.results import write_report  # here, for it imports nbconvert

    failed = any(name.startswith(f"{FAILED}/") for name in files)
    target = request.report_dir / FAILED if failed else request.report_dir
    own = {name.removeprefix(f"{FAILED}/"): content for name, content in files.items()}
    pictures = {Path(name).name: content for name, content in own.items() if name.startswith("figures/")}
    pages = {
        name: own[name] for name in sorted(own, key="run.json".__eq__) if not name.startswith("figures/")
    }
    try:
        write_report(pages, pictures, target)
        if outcome.status == "completed":
            shutil.rmtree(request.report_dir / FAILED, ignore_errors=True)
    except OSError as error:
        return replace(outcome, status="failed", message=f"the results could not be written: {error}")
    return outcome
