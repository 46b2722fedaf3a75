"""Running one lab: checked before it starts, supervised, judged by what was seen, published.

The working folder ``<out>/.work/<lab>/<key>/`` is the notebook's (``$LABKIT_RUN_DIR``); what the
runner needs for itself lies in its subfolder ``.runner``. Each identity of a run has a folder of
its own, so that no run meets another's checkpoints.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import nbformat

from labkit.reports import notebook as notebooks
from labkit.reports.files import to_json, write_atomically
from labkit.reports.process import supervise
from labkit.reports.results import is_good, put_results
from labkit.reports.record import RunRecord, git_state
from labkit.reports.request import Request, as_json
from labkit.reports.verdict import Watch, build_record


def run(
    request: Request,
    stop: threading.Event | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> RunRecord:
    """Run the lab and publish what came of it. Never raises for what a notebook does.

    Setting `stop` ends the run, with the status "killed". Raises OSError if the results
    cannot be written, filelock.Timeout if the same lab runs into the same folder already.
    """
    request.works.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(request.works.with_suffix(".lock"), timeout=0):
        start, git = datetime.now(UTC).isoformat(timespec="seconds"), git_state()
        clear(request, start)
        keep = is_good(request.report_dir)  # as it was before a cell could write there
        watch = Watch()
        ending = supervise(
            job(request),
            environment(request),
            runner_folder(request) / "worker.log",
            timeout=request.timeout,
            stop=stop or threading.Event(),
            on_event=lambda event: (watch(event), on_event(event)),
        )
        record, metrics = build_record(request, watch, ending, start, git)
        source = request.lab.path.parent
        places = (request.report_dir, request.out)
        record = put_results(record, metrics, executed(request), *places, keep=keep, folder=source)
        shutil.rmtree(request.work / "tmp", ignore_errors=True)
        if record.status == "completed":
            request.unfinished.unlink(missing_ok=True)
            remove_replaced(request)
        return record


def runner_folder(request: Request) -> Path:
    """The runner's own folder inside the working folder."""
    return request.work / ".runner"


def clear(request: Request, start: str) -> None:
    """Empty the working folder, but for the checkpoints that a resumed run goes on from."""
    if request.works.is_symlink() or request.work.is_symlink():
        raise OSError(f"the working folder {request.work} is a link; labkit empties folders of its own only")
    if request.plan.kind != "continue" or not request.resume:
        shutil.rmtree(request.work, ignore_errors=True)
    shutil.rmtree(runner_folder(request), ignore_errors=True)
    for name in ("facts.jsonl", "metrics.json"):
        (request.work / name).unlink(missing_ok=True)
    (request.work / "tmp").mkdir(parents=True, exist_ok=True)
    runner_folder(request).mkdir()
    write_atomically(request.unfinished, to_json({"start": start}))


def remove_replaced(request: Request) -> None:
    """Remove the working folders of completed runs whose report this run has replaced."""
    for other in request.works.iterdir():
        if other != request.work and not other.is_symlink() and not (other / ".runner/unfinished.json").exists():
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


def environment(request: Request) -> dict[str, str]:
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
    if request.resume:
        env["LABKIT_RESUME"] = "1"
    if request.threads:
        env |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(request.threads))
    return env


def executed(request: Request):
    """The executed notebook as far as it was saved, else the notebook without outputs."""
    for path in (runner_folder(request) / "executed.ipynb", request.lab.path):
        try:
            return notebooks.read(path)
        except (OSError, ValueError, AttributeError, nbformat.ValidationError):
            continue
    return nbformat.v4.new_notebook()
