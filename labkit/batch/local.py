"""Jobs on this machine: an executor whose threads each have a process that runs one job after another."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from labkit.batch.jobs import Outcome
from labkit.reports.request import Request

SECONDS_TO_END = 30  # the worker has ten to save its notebook, then the page is made


class WorkerLost(RuntimeError):  # noqa: N818
    """The process that ran a job is gone."""


class LocalPool(ThreadPoolExecutor):
    """A `concurrent.futures` executor of requests; what happens in them goes to `on_event(folder, event)`."""

    lost = (WorkerLost,)

    def __init__(self, jobs: int, threads: int | None, on_event: Callable[[str, dict[str, Any]], None]):
        super().__init__(jobs, thread_name_prefix="labkit-job")
        self.jobs, self.threads, self.on_event = jobs, threads, on_event
        self.own = threading.local()
        self.slots: list[Slot] = []
        self.stopping, self.starting = False, threading.Lock()

    def submit(self, request: Request) -> Future[Outcome]:
        """Run one request; the future raises WorkerLost if its process dies."""
        return super().submit(self.run, replace(request, threads=self.threads))

    def run(self, request: Request) -> Outcome:
        """Run one request in this thread's process, which is started again if it died."""
        with self.starting:  # so that a wish to stop meets each job before or after its start
            if self.stopping:
                return Outcome("not started", "interrupted before it began")
            slot = getattr(self.own, "slot", None)
            if slot is None or not slot.alive:
                slot = self.own.slot = Slot()
                self.slots.append(slot)
            slot.begin(request)
        return slot.outcome(lambda event: self.on_event(request.folder, event))

    def delivered(self, future: Future[Outcome], request: Request) -> Outcome:
        """The outcome of a future that is done; results lie where they belong already."""
        return future.result()

    def broken(self) -> str:
        """Why no job can run any more; empty, for this machine is still there."""
        return ""

    def room(self) -> int:
        """How many jobs can run at once."""
        return self.jobs

    def stop(self) -> None:
        """End what is running, in good order."""
        with self.starting:
            self.stopping = True
            for slot in self.slots:
                slot.stop()

    def close(self) -> None:
        """Let the processes go."""
        for slot in self.slots:
            slot.close()
        self.shutdown()


class Slot:
    """A process of its own: ``python -m labkit.batch.slot``. It ends when this one is gone.

    `env` is what its environment has besides this one's.
    """

    def __init__(self, env: Mapping[str, str] = MappingProxyType({})):
        self.env = dict(env)
        self.process = subprocess.Popen(
            # -P keeps a caller's own queue.py or random.py from being taken for Python's
            [sys.executable, "-P", "-m", "labkit.batch.slot"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **self.env},
            start_new_session=True,  # Ctrl-C is for the command, which ends its runs in good order
        )

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def begin(self, request: Request) -> None:
        """Begin a request there."""
        with contextlib.suppress(OSError):  # that the process is gone is seen in its answer
            self.tell(request)

    def outcome(self, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        """Wait for the outcome of the request. Raises WorkerLost if the process dies."""
        try:
            while True:
                kind, value = pickle.load(self.process.stdout)  # noqa: S301 -- from our own process
                if kind == "outcome":
                    return value
                on_event(value)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            code = self.process.wait()
            how = f"signal {-code}" if code < 0 else f"exit status {code}"
            raise WorkerLost(f"the process that ran the job ended by {how}") from error

    def tell(self, message: Any) -> None:
        """Send one message."""
        self.process.stdin.write(pickle.dumps(message))
        self.process.stdin.flush()

    def stop(self) -> None:
        """Ask it to end its job."""
        with contextlib.suppress(OSError):
            self.tell("stop")

    def close(self) -> None:
        """Let it go, and see it gone."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
