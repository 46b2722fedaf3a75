"""Supervising a worker process and all that it starts: events, memory, time, the end."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from labkit.reports.bounds import bounded_error
from labkit.reports.files import parse_json

SAMPLE_SECONDS = 0.5
MOST_LINE = 1_000_000  # bytes of an event
MOST_LOG = 2_000_000  # bytes of the worker's log
EVENTS = ("start", "end", "finished", "tick")
SECONDS_TO_SAVE = 10  # how long a worker that is told to end may take to save the notebook


class ProcessTree:
    """A process and its descendants, remembered even after their parents are gone."""

    def __init__(self, pid: int, most_memory: float = math.inf):
        self.root = psutil.Process(pid)
        self.known = {self.root}
        self.most_memory = most_memory  # bytes, above which the tree is to be ended
        self.peak = 0  # bytes held at most
        self.measured = (0, 0)  # resident bytes, and how many processes, when pages were last divided

    def sample(self) -> bool:
        """Note the processes there are now and the memory that they hold; say if it is too much.

        Linux walks a process's pages to divide the shared ones, and the process waits meanwhile. No
        share is above what is resident, so pages are divided only where that could be a new peak and
        one percent or a process has come or gone since.
        """
        # When the root is gone, what is known of the tree stays known.
        with contextlib.suppress(psutil.NoSuchProcess):
            self.known |= set(self.root.children(recursive=True))
        resident = [held for process in self.known if (held := memory_of(process))]
        now, before = (sum(resident), len(resident)), self.measured
        known_to_share = now[1] == before[1] and abs(now[0] - before[0]) <= 0.01 * before[0]
        if now[0] <= self.most_memory and (now[0] <= self.peak or known_to_share):
            return False
        self.measured = now
        held = sum(memory_of(process, shared=True) for process in self.known)
        self.peak = max(self.peak, held)
        return held > self.most_memory

    def kill(self) -> None:
        """End every process of the tree and wait until they are gone."""
        self.sample()  # kernels live in sessions of their own: no process group holds them all
        for process in self.known:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # The root's exit status is for the one who started it: to wait for it here would take it.
        psutil.wait_procs(self.known - {self.root}, timeout=10)


def memory_of(process: psutil.Process, *, shared: bool = False) -> int:
    """Resident bytes of the process, 0 if it is gone or not ours to look at.

    With `shared`, pages of several processes are divided among them, where the system tells (Linux).
    """
    try:
        if shared and sys.platform == "linux":
            return process.memory_full_info().pss
        return process.memory_info().rss
    except psutil.Error:
        return 0


@dataclass(frozen=True)
class Ending:
    """How a worker ended: stopped for a reason ("timed_out", "memory", "killed") or of itself (None)."""

    stopped_for: str | None
    returncode: int
    peak_memory_mb: int
    seconds: float


def supervise(
    job: dict[str, Any],
    env: dict[str, str],
    log: Path,
    *,
    timeout: float,
    memory_mb: int | None,
    stop: threading.Event,
    on_event: Callable[[dict[str, Any]], None],
) -> Ending:
    """Run a worker on `job` until it ends, time or memory is over, or `stop` is set.

    Every event of the worker goes to `on_event`, and {"event": "tick"} twice a second.
    Afterwards no process of the worker's is left.
    """
    begun = time.monotonic()
    worker = subprocess.Popen(
        # -P keeps a caller's own queue.py or random.py from being taken for Python's
        [sys.executable, "-P", "-m", "labkit.reports.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in good order
    )
    threading.Thread(target=keep_log, args=(worker.stderr, log), daemon=True).start()
    tree = ProcessTree(worker.pid, (memory_mb or math.inf) * 2**20)
    try:
        tell(worker, json.dumps(job))
        reason = relay_events(worker, tree, Limits(begun + timeout, stop), on_event)
    finally:
        tree.kill()
        returncode = worker.wait()
        worker.stdin.close()
        worker.stdout.close()
    return Ending(reason, returncode, round(tree.peak / 2**20), round(time.monotonic() - begun, 1))


@dataclass(frozen=True)
class Limits:
    """When to end a worker besides for its memory: a moment of the monotonic clock, a wish from outside."""

    deadline: float
    stop: threading.Event

    def reached(self, too_much_memory: bool) -> str | None:
        """The reason to end a worker now."""
        if self.stop.is_set():
            return "killed"
        if too_much_memory:
            return "memory"
        return "timed_out" if time.monotonic() > self.deadline else None


def relay_events(worker, tree, limits: Limits, on_event) -> str | None:
    """Hand on the worker's events until it ends; return the reason to stop it, if there was one."""
    lines = lines_of(worker.stdout)
    reason, last_call = None, float("inf")
    while True:
        try:
            line = lines.get(timeout=SAMPLE_SECONDS)
        except queue.Empty:
            line = '{"event": "tick"}'
        if line is None:
            return reason
        if (event := event_in(line)) is not None:
            on_event(event)
        too_much = tree.sample()
        if reason is None and (reason := limits.reached(too_much)):
            last_call = time.monotonic() + SECONDS_TO_SAVE
            tell(worker, "end")
        if time.monotonic() > last_call:
            tree.kill()


def event_in(line: str | bytes) -> dict[str, Any] | None:
    """The event in a line; None for what a worker never says, as a cell may that finds the pipe."""
    try:
        event = parse_json(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("event") not in EVENTS:
        return None
    error = event.get("error")
    is_error = isinstance(error, dict) and isinstance(error.get("status"), str)
    sound = [error is None or is_error, isinstance(event.get("cell", 0), int)]
    sound += [
        isinstance(event.get("seconds", 0), int | float),
        event["event"] == "finished" or "cell" in event,
    ]
    if event["event"] == "tick":
        return event
    return (
        {"seconds": 0.0, **event, "error": error and {**bounded_error(error), "status": error["status"]}}
        if all(sound)
        else None
    )


def keep_log(stream, log: Path) -> None:
    """Write what the worker and its kernel print past the notebook, MOST_LOG bytes of it; read all of it."""
    with contextlib.suppress(OSError, ValueError), open(log, "wb", buffering=0) as file:
        left = MOST_LOG
        while block := stream.read1(65_536):
            file.write(block[:left])
            left -= min(left, len(block))


def lines_of(stream) -> queue.Queue:
    """A queue of the stream's lines, then None, so that they can be waited for with a limit."""
    lines: queue.Queue = queue.Queue()

    def read() -> None:
        while line := stream.readline(MOST_LINE):
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def tell(worker, line: str) -> None:
    """Write one line to the worker, unless it is gone."""
    with contextlib.suppress(OSError):  # its end is seen on its standard output
        worker.stdin.write(line.encode() + b"\n")
        worker.stdin.flush()
