"""The process in which a local job runs: ``python -m labkit.batch.slot``.

It reads requests from standard input and writes events and outcomes to standard output, all
pickled by and for the command that started it. "stop", or the end of standard input while a job
runs (the command is gone), ends the job; its record says so.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from typing import Any

from labkit.batch.jobs import run_job


def main() -> None:
    """Run requests until there are no more."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints goes to the log
    stop, requests = threading.Event(), queue.SimpleQueue()
    threading.Thread(target=listen, args=(source, stop, requests), daemon=True).start()
    speaking = threading.Lock()

    def say(kind: str, value: Any) -> None:
        with speaking:
            try:
                pickle.dump((kind, value), sink)
                sink.flush()
            except OSError:  # the command is gone; the job's record is still to be written
                stop.set()

    while (request := requests.get()) is not None:
        say("outcome", run_job(request, stop, lambda event: say("event", event)))


def listen(source, stop: threading.Event, requests: queue.SimpleQueue) -> None:
    """Take in messages, while a job runs too."""
    while True:
        try:
            message = pickle.load(source)  # noqa: S301 -- from the command that started this process
        except (EOFError, OSError, pickle.UnpicklingError):
            stop.set()
            requests.put(None)
            return
        if message == "stop":
            stop.set()
        else:
            stop.clear()
            requests.put(message)


if __name__ == "__main__":
    main()
