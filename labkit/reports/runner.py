"""Running one lab: checked before it starts, supervised, judged by what was seen, published.

The working folder ``<out>/.work/<lab>/<key>/`` is the notebook's (``$LABKIT_RUN_DIR``); what the
runner needs for itself lies in its subfolder ``.runner``. Each identity of a run has a folder of
its own, so that no run meets another's checkpoints.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import nbformat

from labkit.parameters import ConfigError
from labkit.reports import notebook as notebooks
from labkit.reports import thumbnails
from labkit.reports.about import About, about_labs
from labkit.reports.files import read_json, to_json, write_atomically
from labkit.reports.process import Ending, supervise
from labkit.reports.record import RunRecord, git_state
from labkit.reports.request import Request, as_json
from labkit.reports.results import is_good, put_bare, put_results
from labkit.reports.verdict import Watch, build_record, failure

WAIT_FOR_DYING = 60  # seconds; a run whose supervisor was killed is gone after about ten
# TensorFlow's, OpenMP's and the linear algebra's threads: jobs that share a machine must not fight.
THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(
    request: Request,
    stop: threading.Event | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> RunRecord:
    """Run the lab and put what came of it in place. Never raises for what a notebook does.

    Setting `stop` ends the run, with the status "killed". Raises NotWrittenError if the results
    cannot be written, InUse if another run goes into the same folder already.
    """
    with held(request) as start:
        git, going_on = git_state(), clear(request, start)
        keep = is_good(request.report_dir)  # as it was before a cell could write there
        watch = Watch()
        ending = supervise(
            job(request),
            environment(request, going_on),
            runner_folder(request) / "worker.log",
            timeout=request.timeout,
            memory_mb=request.memory_mb,
            stop=stop or threading.Event(),
            on_event=lambda event: (watch(event), on_event(with_epoch(request, event))),
        )
        record, metrics = build_record(request, watch, ending, start, git)
        record = put_or_note(request, record, metrics, keep)
        shutil.rmtree(request.work / "tmp", ignore_errors=True)
        if record.status == "completed":
            request.unfinished.unlink(missing_ok=True)
            remove_replaced(request)
        return record


def give_up(request: Request, why: str) -> RunRecord:
    """Put the record of a run in place whose supervising process is gone, killed from outside."""
    with held(request) as now:
        start = (read_json(request.unfinished) or {}).get("start") or now
        ending = Ending("lost", -9, 0, 0.0)
        record, metrics = build_record(request, Watch(), ending, start, git_state(), why)
        return put_or_note(request, record, metrics, is_good(request.report_dir))


def put_or_note(request: Request, record: RunRecord, metrics: dict[str, Any], keep: bool) -> RunRecord:
    """Put the results in place; where they do not fit, at least the record, with the reason.

    Raises NotWrittenError, with the reason, in either case: what was in place is then untouched.
    """
    place = request.report_dir
    try:
        source = request.lab.path.parent
        put = put_results(record, metrics, executed(request), place, request.out, keep=keep, folder=source)
        with contextlib.suppress(OSError, ConfigError):  # else the overview makes it
            thumbnails.keep(place, request.out, about_labs().get(record.lab, About()).thumbnail)
        return put
    except OSError as error:
        noted = replace(
            record, status="failed", failing_cell=None, error=failure("OSError", not_written(error))
        )
        with contextlib.suppress(OSError):  # there may be room for a record where there was none for a page
            put_bare(noted, place, request.out, keep=keep)
        raise NotWrittenError(not_written(error)) from error


def not_written(error: OSError) -> str:
    """Why results are not in place, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = ". Make room there, then labkit run --resume" if full else ""
    return f"the results could not be written: {error.strerror or error}{hint}"


class NotWrittenError(OSError):
    """The results could not be put in place."""


class InUse(RuntimeError):  # noqa: N818
    """Another run goes into the same folder."""


@contextlib.contextmanager
def held(request: Request) -> Iterator[str]:
    """Hold the run's folder while the context lasts; gives the moment it began. Raises InUse.

    A run that takes the place of one whose process was killed waits until that one is gone.
    """
    request.works.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(request.lock, timeout=WAIT_FOR_DYING if is_next_try(request) else 0):
            start = datetime.now(UTC).isoformat(timespec="seconds")
            who = {"process": os.getpid(), "machine": platform.node(), "start": start}
            write_atomically(request.holder, to_json(who))
            try:
                yield start
            finally:
                request.holder.unlink(missing_ok=True)
    except filelock.Timeout:
        who = read_json(request.holder) or {}
        by = (
            f" (process {who.get('process')} on {who.get('machine')}, since {who.get('start')})"
            if who
            else ""
        )
        raise InUse(
            f"another labkit run of {request.folder}{by} is writing to {request.out}; "
            "wait for it or choose another --out"
        ) from None


def with_epoch(request: Request, event: dict[str, Any]) -> dict[str, Any]:
    """A tick with the epoch that the kernel trains in this cell; see labkit.project.tell_epoch."""
    file = request.work / "epoch.json"
    if event["event"] == "start":
        file.unlink(missing_ok=True)
    return event | {"training": read_json(file)} if event["event"] == "tick" else event


def runner_folder(request: Request) -> Path:
    """The runner's own folder inside the working folder."""
    return request.work / ".runner"


def clear(request: Request, start: str) -> bool:
    """Empty the working folder, but for the checkpoints that a run goes on from; whether it does."""
    if request.works.is_symlink() or request.work.is_symlink():
        raise OSError(f"the working folder {request.work} is a link; labkit empties folders of its own only")
    going_on = goes_on(request)
    if not going_on:
        shutil.rmtree(request.work, ignore_errors=True)
    if request.plan.kind == "longer" and request.resume:
        shutil.copytree(request.works / request.plan.of, request.work, symlinks=True)
    shutil.rmtree(runner_folder(request), ignore_errors=True)
    for name in ("facts.jsonl", "metrics.json", "epoch.json"):
        (request.work / name).unlink(missing_ok=True)
    (request.work / "tmp").mkdir(parents=True, exist_ok=True)
    runner_folder(request).mkdir()
    write_atomically(request.unfinished, to_json({"start": start, "batch": request.batch}))
    return going_on


def goes_on(request: Request) -> bool:
    """Whether to keep checkpoints: asked for, or left by this very batch on a worker that died."""
    return (request.plan.kind == "continue" and request.resume) or is_next_try(request)


def is_next_try(request: Request) -> bool:
    """Whether this batch has begun the run before, in a process that was killed."""
    return bool(request.batch) and (read_json(request.unfinished) or {}).get("batch") == request.batch


def remove_replaced(request: Request) -> None:
    """Remove the working folders of completed runs whose report this run has replaced."""
    for other in request.works.iterdir():
        if (
            other != request.work
            and not other.is_symlink()
            and not (other / ".runner/unfinished.json").exists()
        ):
            shutil.rmtree(other, ignore_errors=True)


def job(request: Request) -> dict[str, Any]:
    """What the worker is told. The profile is always injected where the notebook has one."""
    profile = {"profile": request.profile} if "profile" in request.lab.parameters else {}
    return {
        "notebook": str(request.lab.path.resolve()),
        "output": str((runner_folder(request) / "executed.ipynb").resolve()),
        "cwd": str(request.lab.path.parent.resolve()),
        "parameters": profile | {name: as_json(value) for name, value in request.given.items()},
        "cell_timeout": request.cell_timeout,
    }


def environment(request: Request, going_on: bool = False) -> dict[str, str]:
    """The environment of the worker and, by inheritance, of its kernel."""
    env = dict(os.environ)
    env.pop("LABKIT_RESUME", None)
    work = request.work.resolve()
    env |= {"LABKIT_PROFILE": request.profile, "LABKIT_RUN_DIR": str(work)}
    # What a kernel that is ended leaves there goes with the folder.
    env |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work / "tmp"))
    env["JUPYTER_RUNTIME_DIR"] = str(work / "tmp")
    for name in ("LABKIT_DATA", "LABKIT_NOTEBOOKS", "KERAS_HOME"):
        if env.get(name):  # the kernel's current folder is the notebook's, not the caller's
            env[name] = str(Path(env[name]).resolve())
    env.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else ipykernel warns in every log
    if request.resume or going_on:
        env["LABKIT_RESUME"] = "1"
    if request.threads:
        env |= dict.fromkeys(THREADS, str(request.threads))
    return env


def executed(request: Request):
    """The executed notebook as far as it was saved, else the notebook without outputs."""
    for path in (runner_folder(request) / "executed.ipynb", request.lab.path):
        try:
            return notebooks.read(path)
        except (OSError, ValueError, AttributeError, nbformat.ValidationError):
            continue
    return nbformat.v4.new_notebook()
