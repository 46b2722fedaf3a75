"""Many runs at once, on this machine or on a cluster.

jobs       one job where it is run
local      an executor of processes on this machine      (slot, machine)
cluster    an executor on a Dask cluster                 (wire)
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.batch.local import LocalPool
from labkit.batch.machine import cores, default_jobs
from labkit.reports.progress import Progress
from labkit.reports.request import Request
from labkit.reports.tables import duration

MOST_TRIES = 3  # a job whose worker dies is run again, and reported as failed after this many


@dataclass(frozen=True)
class Result:
    """What came of one request: "completed", "skipped", "not started" or how it failed."""

    request: Request
    outcome: str
    message: str = ""
    seconds: float | None = None

    @property
    def good(self) -> bool:
        """Whether a completed run of the request is in place."""
        return self.outcome in ("completed", "skipped")

    @property
    def report(self) -> Path:
        """The page that tells of this run."""
        failed = self.request.report_dir / "failed" / "report.html"
        return failed if not self.good and failed.exists() else self.request.report_dir / "report.html"


@dataclass(frozen=True)
class Needs:
    """What each run gets: processor cores and GPUs, both None for an even share of the machine."""

    cores: int | None = None
    gpus: int | None = None


def run_all(
    requests: Sequence[Request],
    jobs: int | None = None,
    *,
    scheduler: str | None = None,
    needs: Needs = Needs(),
    progress: Progress | None = None,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Run the requests, `jobs` at once, each in processes of its own; results in their order.

    `jobs` None is as many as cores and memory allow. With a `scheduler`, the address of a Dask
    scheduler or "slurm", they run on its workers. `on_result` hears of each result as it comes,
    in this thread. Ctrl-C and SIGTERM end the runs that are going on, in good order and with a
    record; those that wait are not started.

    Raises ConfigError where the scheduler cannot be reached or does not have what runs need.
    """
    batch = Batch(requests, progress or Progress(len(requests)), on_result)
    with stop_on_signals(batch.stop), open_pool(requests, jobs, scheduler, needs, batch.take) as pool:
        return batch.run(pool)


@contextmanager
def open_pool(requests, jobs: int | None, scheduler: str | None, needs: Needs, on_event) -> Iterator[Any]:
    """The executor: on this machine, or on a cluster. Both are used in the same way."""
    if scheduler:
        from labkit.batch.cluster import DaskPool  # here, for Dask is an extra

        pool = DaskPool(scheduler, jobs, needs, requests, on_event)
    else:
        jobs = min(jobs or default_jobs(requests), max(len(requests), 1))
        share = cores() // jobs if jobs > 1 else None
        pool = LocalPool(jobs, needs.cores or (share and max(1, share)), on_event)
    try:
        yield pool
    finally:
        pool.close()


class Batch:
    """The loop that hands requests to an executor, few at a time, and collects what comes of them."""

    def __init__(self, requests: Sequence[Request], progress: Progress, on_result: Callable[[Result], None]):
        self.id = uuid.uuid4().hex
        self.progress, self.on_result = progress, on_result
        self.stop = threading.Event()
        self.waiting = deque(enumerate(requests))
        self.results: list[Result | None] = [None] * len(requests)
        self.running: dict[Future, tuple[int, Request]] = {}
        self.folders: dict[str, Request] = {}
        self.tries: Counter[str] = Counter()  # begun, by folder
        self.losses: Counter[str] = Counter()  # workers that died, by folder

    def run(self, pool) -> list[Result]:
        """Run everything."""
        stopping = False
        while self.waiting or self.running:
            if self.stop.is_set() and not stopping:
                stopping = True
                self.progress.note(f"Ending {len(self.running)} runs in good order …")
                pool.stop()
            self.submit(pool)
            for future in self.wait():
                self.collect(future, pool)
            self.abandon()
        self.progress.close()
        return self.results

    def wait(self) -> set[Future]:
        """Futures that are done. With a limit, so that the main thread gets to handle signals."""
        if not self.running and self.waiting:  # no worker yet
            self.stop.wait(0.5)
        return wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED).done

    def submit(self, pool) -> None:
        """Hand over as many requests as there is room for."""
        while self.waiting and (self.stop.is_set() or len(self.running) < pool.room()):
            index, request = self.waiting.popleft()
            if self.stop.is_set():
                self.finish(index, Result(request, "not started"), "")
            elif request.resume and request.plan.kind == "skip":
                self.finish(index, Result(request, "skipped"), f"skipped, {request.plan.why}")
            else:
                request = replace(request, batch=self.id)
                self.folders[request.folder] = request
                self.running[pool.submit(request)] = index, request

    def take(self, folder: str, event: dict[str, Any]) -> None:
        """Take an event of the run into `folder`; called from any thread."""
        if (request := self.folders.get(folder)) is None:
            return  # it has ended already
        if event["event"] == "begin":
            self.tries[folder] += 1
            self.progress.start(request)
        else:
            self.progress.event(request, event)

    def collect(self, future: Future, pool) -> None:
        """Take a job's outcome, or run it again if its worker died."""
        index, request = self.running.pop(future)
        self.folders.pop(request.folder, None)
        try:
            outcome = pool.delivered(future, request)
        except (CancelledError, *pool.lost) as error:
            self.try_again(index, request, pool, str(error) or "the connection to its worker was lost")
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            self.finish(index, Result(request, "failed", message), message)
        else:
            words = outcome.message or f"completed in {duration(outcome.seconds or 0)}"
            self.finish(index, Result(request, outcome.status, outcome.message, outcome.seconds), words)

    def try_again(self, index: int, request: Request, pool, why: str) -> None:
        """Run a job again whose worker died, unless that has been tried often enough or cannot be."""
        self.losses[request.folder] += 1
        tries = max(self.tries[request.folder], self.losses[request.folder])
        if problem := pool.broken():
            why = problem
        elif tries >= MOST_TRIES:
            why = f"it was tried {MOST_TRIES} times, and each time its worker died: {why}"
        elif not self.stop.is_set():
            self.progress.note(f"{request.folder}: {why}; it is run again")
            self.waiting.appendleft((index, request))
            return
        self.finish(index, Result(request, "killed", why), why, lost=True)

    def abandon(self) -> None:
        """Take back jobs that a scheduler would go on trying after they killed their workers."""
        for future, (_, request) in list(self.running.items()):
            if self.tries[request.folder] > MOST_TRIES:
                future.cancel()

    def finish(self, index: int, result: Result, words: str, *, lost: bool = False) -> None:
        """Note a result and tell of it."""
        if lost:
            note_lost(result)
        self.results[index] = result
        for counter in (self.tries, self.losses):
            counter.pop(result.request.folder, None)
        self.progress.end(result.request, words, good=result.good)
        self.on_result(result)


def note_lost(result: Result) -> None:
    """Leave a record of a run whose supervising process was killed, where one can be left."""
    from labkit.reports import runner  # here, for it imports nbconvert

    try:
        runner.give_up(result.request, result.message)
    except (OSError, RuntimeError):
        return  # the disk is full, or the run goes on elsewhere: the command's last lines say it


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
