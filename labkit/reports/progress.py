"""What the terminal shows while labs run: one updating line, or a line for what is worth it."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from typing import Any, TextIO

from labkit.reports.files import read_json
from labkit.reports.request import Request
from labkit.reports.tables import duration

SLOW_CELL_SECONDS = 5  # a finished cell that took less is not worth a line of a log
HEARTBEAT_SECONDS = 60


class Progress:
    """Shows several runs at once. All methods may be called from any thread."""

    def __init__(self, total: int, stream: TextIO | None = None):
        self.total = total
        self.stream = stream or sys.stderr
        self.updating = self.stream.isatty()
        self.runs: dict[str, RunProgress] = {}
        self.started = 0
        self.lock = threading.Lock()

    def start(self, request: Request) -> None:
        """Announce a run."""
        with self.lock:
            self.started += 1
            run = RunProgress(request)
            self.runs[request.lab.name] = run
            left = run.left()
            known = f"about {duration(left)} last time" if left else "no run before to tell the time left by"
            cells = f"{request.profile}, {len(request.cells)} cells"
            self.write(f"[{self.started}/{self.total}] {request.lab.name} ({cells}; {known})")
            if request.plan.kind == "continue" and not request.resume:
                self.write("  an unfinished run's checkpoints are removed; --resume would go on from them")

    def event(self, request: Request, event: dict[str, Any]) -> None:
        """Take one event of a run and show what has changed."""
        with self.lock:
            run = self.runs[request.lab.name]
            worth = run.take(event)
            if self.updating:
                self.stream.write("\r" + " | ".join(map(str, self.runs.values()))[: self.width()] + "\x1b[K")
                self.stream.flush()
            elif worth:
                self.write(f"  {run}")

    def end(self, request: Request, words: str) -> None:
        """Say how a run ended."""
        with self.lock:
            self.runs.pop(request.lab.name, None)
            self.write(f"  {request.lab.name}: {words}")

    def write(self, line: str) -> None:
        """Write a line that stays, over the one that is updated."""
        with contextlib.suppress(OSError):  # a full disk or a closed pipe ends no run
            self.stream.write(("\r\x1b[K" if self.updating else "") + line + "\n")
            self.stream.flush()

    def width(self) -> int:
        """Columns of the terminal, less one so that the line never wraps."""
        return shutil.get_terminal_size().columns - 1


class RunProgress:
    """How far one run has come, and how long the rest took in the last good run."""

    def __init__(self, request: Request):
        self.name = request.lab.name
        self.cells = {cell.index: cell for cell in request.cells}
        self.begun = self.spoken = time.monotonic()
        self.done: set[int] = set()
        self.current = None
        self.current_begun = self.begun
        last = read_json(request.report_dir / "run.json") or {}
        usable = last.get("status") == "completed" and last.get("profile") == request.profile
        self.total = last.get("seconds") if usable and isinstance(last.get("seconds"), int | float) else None
        cells = last.get("cells") if usable and isinstance(last.get("cells"), list) else []
        timed = [c for c in cells if isinstance(c, dict) and isinstance(c.get("seconds"), int | float)]
        self.last = {str(c.get("id")): c["seconds"] for c in timed}

    def take(self, event: dict[str, Any]) -> bool:
        """Note an event; whether it is worth a line in a log."""
        now = time.monotonic()
        worth = now - self.spoken > HEARTBEAT_SECONDS
        if event["event"] == "start":
            self.current, self.current_begun = self.cells.get(event["cell"]), now
        elif event["event"] == "end":
            self.done.add(event["cell"])
            worth = worth or event["seconds"] > SLOW_CELL_SECONDS
        if worth:
            self.spoken = now
        return worth

    def left(self) -> float | None:
        """Seconds left if this run is like the last good one; None without one."""
        if not self.last or self.current is None:
            return self.total
        rest = sum(self.last.get(c.id, 0) for index, c in self.cells.items() if index not in self.done)
        if self.current and self.current.index not in self.done:
            rest -= min(time.monotonic() - self.current_begun, self.last.get(self.current.id, 0))
        return max(rest, 0)

    def __str__(self) -> str:
        at = f"cell {min(len(self.done) + 1, len(self.cells))}/{len(self.cells)}"
        what = (self.current.heading or self.current.line) if self.current else "starting"
        left = self.left()
        rest = f", about {duration(left)} left" if left is not None else ""
        return f"{self.name} {at} {what[:50]} · {duration(time.monotonic() - self.begun)}{rest}"
