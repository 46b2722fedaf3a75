"""What the terminal shows while labs run: an updating block, or a line for what is worth it."""

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
REDRAW_SECONDS = 0.2


class Progress:
    """Shows several runs at once. All methods may be called from any thread."""

    def __init__(self, total: int, stream: TextIO | None = None):
        self.total = total
        self.stream = stream or sys.stderr
        self.updating = self.stream.isatty()
        self.runs: dict[str, RunProgress] = {}
        self.started = self.done = self.failed = 0
        self.took: list[float] = []
        self.begun = self.drawn = time.monotonic()
        self.lines = 0  # of the block that is being updated
        self.lock = threading.RLock()

    def start(self, request: Request) -> None:
        """Announce a run."""
        with self.lock:
            if request.folder not in self.runs:  # else it is tried again
                self.started += 1
            run = self.runs[request.folder] = RunProgress(request)
            left = run.left()
            known = f"about {duration(left)} last time" if left else "no run before to tell the time left by"
            cells = f"{request.profile}, {len(request.cells)} cells"
            self.note(f"[{self.started}/{self.total}] {request.folder} ({cells}; {known})")
            if request.plan.kind == "continue" and not request.resume:
                self.note("  an unfinished run's checkpoints are removed; --resume would go on from them")

    def event(self, request: Request, event: dict[str, Any]) -> None:
        """Take one event of a run and show what has changed."""
        with self.lock:
            if (run := self.runs.get(request.folder)) is None:
                return
            worth = run.take(event)
            if self.updating and time.monotonic() - self.drawn > REDRAW_SECONDS:
                self.redraw()
            elif worth and not self.updating:
                self.note(f"  {run}")

    def end(self, request: Request, words: str, *, good: bool = True) -> None:
        """Say how a run ended; of one that has not begun without words, nothing."""
        with self.lock:
            run = self.runs.pop(request.folder, None)
            self.done += 1
            self.failed += not good
            if run:
                self.took.append(time.monotonic() - run.begun)
            if words:
                self.note(f"  {request.folder}: {words}")

    def note(self, line: str) -> None:
        """Write a line that stays, above the block that is updated."""
        with self.lock:
            self.erase()
            self.put(line + "\n")
            if self.updating:
                self.redraw()

    def close(self) -> None:
        """Take the updated block away."""
        with self.lock:
            self.erase()

    def put(self, text: str) -> None:
        """Write to the terminal or log; a full disk or a closed pipe ends no run."""
        with contextlib.suppress(OSError):
            self.stream.write(text)
            self.stream.flush()

    def erase(self) -> None:
        """Go to where the block begins, and clear what is there."""
        if self.lines:
            self.put(f"\x1b[{self.lines}F\x1b[J")
            self.lines = 0

    def redraw(self) -> None:
        """Draw the block: a line for all runs, then one for each that goes on, as far as there is room."""
        columns, rows = shutil.get_terminal_size()
        shown = [str(run) for run in self.runs.values()]
        if (more := len(shown) - max(1, rows - 4)) > 0:
            shown = [*shown[:-more], f"… and {more} more"]
        block = [line[: columns - 1] for line in ([str(self)] if self.total > 1 else []) + shown]
        self.erase()
        self.put("".join(f"{line}\n" for line in block))
        self.lines, self.drawn = len(block), time.monotonic()

    def __str__(self) -> str:
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{len(self.runs)} running", duration(time.monotonic() - self.begun)]
        left = self.left()
        return " · ".join(parts) + (f", about {duration(left)} left" if left is not None else "")

    def left(self) -> float | None:
        """Seconds until all are done, by how long those took that are; None before the first is."""
        if not self.took or not self.runs:
            return None
        mean, now = sum(self.took) / len(self.took), time.monotonic()
        going = [run.left() for run in self.runs.values()]
        rests = [
            max(0.0, mean - (now - run.begun)) if left is None else left
            for run, left in zip(self.runs.values(), going, strict=True)
        ]
        waiting = max(0, self.total - self.done - len(self.runs))
        return max([*rests, (sum(rests) + waiting * mean) / len(self.runs)])


class RunProgress:
    """How far one run has come, and how long the rest took in the last good run."""

    def __init__(self, request: Request):
        self.name = request.folder
        self.cells = {cell.index: cell for cell in request.cells}
        self.begun = self.spoken = time.monotonic()
        self.done: set[int] = set()
        self.current = None
        self.training: dict[str, Any] = {}
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
            self.training = {}
        elif event["event"] == "end":
            self.done.add(event["cell"])
            worth = worth or event["seconds"] > SLOW_CELL_SECONDS
        elif event["event"] == "tick":
            self.training = event.get("training") or {}
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
        if self.training:
            what = f"{what[:40]} · epoch {self.training.get('epoch')}/{self.training.get('epochs')}"
        left = self.left()
        rest = f", about {duration(left)} left" if left is not None else ""
        return f"{self.name} {at} {what[:60]} · {duration(time.monotonic() - self.begun)}{rest}"
