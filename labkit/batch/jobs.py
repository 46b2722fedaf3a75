"""One job, run where the work is done: in a process of this machine or on a cluster's worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.reports.record import RunRecord
from labkit.reports.request import Request

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the record's status, what went wrong in words, and the run's seconds."""

    status: str
    message: str = ""
    seconds: float | None = None


def run_job(request: Request, stop: threading.Event, on_event: OnEvent) -> Outcome:
    """Run the request and put its results in place; never raises.

    The first event is "begin": a job that begins again was on a worker that died.
    """
    from labkit.reports import runner  # here, for the command itself need not wait for nbconvert

    on_event({"event": "begin"})
    try:
        record = runner.run(request, stop, on_event)
    except (runner.InUse, runner.NotWrittenError) as error:
        message = str(error)
    except OSError as error:
        message = f"the results could not be written: {error}"
    except Exception as error:
        message = f"the report could not be made: {type(error).__name__}: {error}"
    else:
        return Outcome(record.status, "" if record.status == "completed" else problem(record), record.seconds)
    return Outcome("failed", message)


def problem(record: RunRecord) -> str:
    """Why a run is not complete, in a line."""
    error = record.error or {}
    evalue = (error.get("evalue") or "").partition("\n")[0]  # the rest stands in the report
    return f"{record.ending()}: {error.get('ename')}: {evalue}"
