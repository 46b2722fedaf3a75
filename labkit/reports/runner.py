"""Running one lab: checked before it starts, supervised, judged by what was seen, published.

The working folder ``<out>/.work/<lab>/`` is the notebook's (``$LABKIT_RUN_DIR``); what the
runner needs for itself lies in its subfolder ``.runner``.
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
from labkit.reports.files import write_atomically
from labkit.reports.process import supervise
from labkit.reports.publish import is_good, publish
from labkit.reports.record import RunRecord, git_state
from labkit.reports.request import Request, as_json
from labkit.reports.verdict import Watch, judge


def run(
    request: Request,
    stop: threading.Event | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> RunRecord:
    """Run the lab and publish what came of it. Never raises for what a notebook does.

    Setting `stop` ends the run, with the status "killed". Raises OSError if the results
    cannot be written, filelock.Timeout if the same lab runs into the same folder already.
    """
    request.work.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(request.work.parent / f"{request.lab.name}.lock", timeout=0):
        clear(request)
        keep = is_good(request.place)  # as it was before a cell could write there
        start, git = datetime.now(UTC), git_state()
        watch = Watch()
        ending = supervise(
            job(request),
            environment(request),
            runner_folder(request) / "worker.log",
            timeout=request.timeout,
            stop=stop or threading.Event(),
            on_event=lambda event: (watch(event), on_event(event)),
        )
        record, metrics = judge(request, watch, ending, start.isoformat(timespec="seconds"), git)
        record = publish(record, metrics, executed(request), request.place, request.out, keep=keep)
        if record.status == "completed":
            (runner_folder(request) / "unfinished").unlink(missing_ok=True)
        return record


def runner_folder(request: Request) -> Path:
    """The runner's own folder inside the working folder."""
    return request.work / ".runner"


def clear(request: Request) -> None:
    """Empty the working folder; when resuming, keep the checkpoints of the same notebook."""
    unfinished = runner_folder(request) / "unfinished"
    keep = request.resume and unfinished.is_file() and unfinished.read_text() == request.digest
    for path in request.work.iterdir():
        ours = path.name in (".runner", "facts.jsonl", "metrics.json")
        if path.is_dir() and not path.is_symlink() and (ours or not keep):
            shutil.rmtree(path)
        elif ours or not keep:
            path.unlink()
    runner_folder(request).mkdir()
    write_atomically(unfinished, request.digest)


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
    env |= {"LABKIT_PROFILE": request.profile, "LABKIT_RUN_DIR": str(request.work.resolve())}
    for name in ("LABKIT_DATA", "LABKIT_NOTEBOOKS", "KERAS_HOME"):
        if env.get(name):  # the kernel's current folder is the notebook's, not the caller's
            env[name] = str(Path(env[name]).resolve())
    env.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
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
