"""Many runs: one after another or several at once on this machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from labkit.project import usable_cores
from labkit.reports import runner
from labkit.reports.progress import Progress
from labkit.reports.record import RunRecord
from labkit.reports.request import Request
from labkit.reports.tables import duration


@dataclass(frozen=True)
class Result:
    """What came of one request: "completed", "skipped", "not started" or how it failed."""

    request: Request
    outcome: str
    message: str = ""

    @property
    def good(self) -> bool:
        """Whether a completed run of the request is in place."""
        return self.outcome in ("completed", "skipped")

    @property
    def report(self) -> Path:
        """The page that tells of this run."""
        failed = self.request.report_dir / "failed" / "report.html"
        return failed if not self.good and failed.exists() else self.request.report_dir / "report.html"


def run_all(requests: Sequence[Request], jobs: int = 1, progress: Progress | None = None) -> list[Result]:
    """Run the requests, `jobs` at once, each in processes of its own.

    Ctrl-C and SIGTERM end the runs that are going on, in good order and with a record;
    those that wait are not started. Results come in the order of the requests.
    """
    progress = progress or Progress(len(requests))
    if jobs > 1:
        threads = max(1, usable_cores() // jobs)
        requests = [replace(request, threads=threads) for request in requests]
    stop = threading.Event()
    with stop_on_signals(stop), ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_one, request, stop, progress) for request in requests]
        waiting = set(futures)
        while waiting:  # with a limit, so that the main thread gets to handle signals
            _, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
    return [future.result() for future in futures]


def run_one(request: Request, stop: threading.Event, progress: Progress) -> Result:
    """Run one request unless there is no need to; never raises."""
    name = request.lab.name
    if stop.is_set():
        return Result(request, "not started")
    if request.resume and request.plan.kind == "skip":
        progress.end(request, f"skipped, {request.plan.why}")
        return Result(request, "skipped")
    progress.start(request)
    try:
        record = runner.run(request, stop, lambda event: progress.event(request, event))
    except filelock.Timeout:
        message = (
            f"another labkit run of {name} is writing to {request.out}; wait for it or choose another --out"
        )
    except OSError as error:
        message = f"the results could not be written: {error}"
    except Exception as error:
        message = f"the report could not be made: {type(error).__name__}: {error}"
    else:
        progress.end(request, f"{outcome(record)} in {duration(record.seconds)}")
        return Result(request, record.status, "" if record.status == "completed" else outcome(record))
    progress.end(request, message)
    return Result(request, "failed", message)


def outcome(record: RunRecord) -> str:
    """How a run ended, in words."""
    if record.status == "completed":
        return "completed"
    error = record.error or {}
    evalue = (error.get("evalue") or "").partition("\n")[0]  # the rest stands in the report
    return f"{record.ending()}: {error.get('ename')}: {evalue}"


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on Ctrl-C, SIGTERM and a closed terminal while the context lasts."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; a caller's own thread has its own ways
        return
    ending = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in ending}
    for number in before:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
