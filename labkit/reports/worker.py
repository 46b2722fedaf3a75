"""The process that executes one notebook: ``python -m labkit.reports.worker``.

It reads its job as one line of JSON from standard input and tells what happens as JSON
lines on standard output. A second line on standard input, or its end (the parent is
gone), means: end the kernel now. So no kernel outlives the command that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from typing import Any

import papermill
import psutil
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from labkit.reports.bounds import Bounds, bounded_error
from labkit.reports.notebook import is_run, numbered

SECONDS_TO_END = 8
PR_SET_CHILD_SUBREAPER = 36  # from <linux/prctl.h>


def take_standard_output():
    """Keep standard output for events; what the kernel's process prints goes to the log."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return events


class Emitter:
    """Writes events to the parent; stays quiet when the parent is gone."""

    def __init__(self, stream):
        self.stream = stream

    def __call__(self, event: str, **facts: Any) -> None:
        with contextlib.suppress(OSError):
            self.stream.write(json.dumps({"event": event, **facts}) + "\n")


class KernelOfThisPython(AsyncKernelManager):
    """Starts the kernel with this very Python, whatever "python3" kernel a user has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir="", **get_kernel_dict())


class Client(PapermillNotebookClient):
    """Papermill's client that tells of each cell's start and end as it truly was."""

    def __init__(self, manager, emit: Emitter, **options):
        super().__init__(manager, kernel_manager_class=KernelOfThisPython, **options)
        self.emit = emit
        self.bounds = Bounds()
        self.places = {id(cell): index for index, cell in numbered(self.nb)}

    async def async_execute_cell(self, cell, cell_index, *arguments, **options):
        if not is_run(cell):
            return await super().async_execute_cell(cell, cell_index, *arguments, **options)
        place, begun = self.places[id(cell)], time.monotonic()
        self.emit("start", cell=place)
        self.bounds.new_cell()
        error = None
        try:
            return await super().async_execute_cell(cell, cell_index, *arguments, **options)
        except Exception as caught:
            error = describe(caught, cell, self.km)
            raise
        finally:
            self.emit("end", cell=place, seconds=round(time.monotonic() - begun, 3), error=error)

    execute_cell = run_sync(async_execute_cell)

    def process_message(self, msg, cell, cell_index):
        """Take a message of the kernel, as far as there is room for what it shows."""
        name = (msg["content"].get("transient") or {}).get("display_id")
        copies = sum(map(len, self._display_id_map.get(name, {}).values()))
        if self.bounds.takes(msg, copies):
            return super().process_message(msg, cell, cell_index)
        if msg["msg_type"] in ("display_data", "execute_result") and (note := self.bounds.note()):
            cell.outputs.append(new_output("display_data", data=note))
        return None

    def output(self, outs, msg, display_id, cell_index):
        """Add an output; what is printed goes on where the cell has printed before."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if msg["msg_type"] != "stream" or hooked or self.clear_before_next_output:
            return super().output(outs, msg, display_id, cell_index)
        name, text = str(msg["content"].get("name")), msg["content"]["text"]
        stream = next((out for out in outs if out.output_type == "stream" and out.name == name), None)
        if stream is None:
            stream = new_output("stream", name=name, text="")
            outs.append(stream)
        stream.text = self.bounds.longer(stream.text, text)
        return stream

    def clear_output(self, outs, msg, cell_index):
        """Remove the cell's outputs so far, or note that the next one does."""
        super().clear_output(outs, msg, cell_index)
        self.bounds.clear()


def describe(error: Exception, cell=None, kernel=None) -> dict[str, Any]:
    """The error as it stands in the record, with the status it gives the run."""
    if isinstance(error, CellTimeoutError):
        evalue = str(error).partition("\n")[0]  # the rest repeats the cell
        return {"status": "timed_out", "ename": "CellTimeoutError", "evalue": evalue, "traceback": []}
    if isinstance(error, DeadKernelError):
        return describe_dead_kernel(kernel)
    errors = [o for o in cell.outputs if o.output_type == "error"] if cell is not None else []
    if isinstance(error, CellExecutionError) and errors:
        return {"status": "failed", **bounded_error(errors[-1])}
    return {"status": "failed", **bounded_error({"ename": type(error).__name__, "evalue": error})}


def describe_dead_kernel(kernel) -> dict[str, Any]:
    """Say how the kernel's process ended: by a signal (killed) or of itself (failed)."""
    process = getattr(getattr(kernel, "provisioner", None), "process", None)
    code = process.poll() if process is not None else None
    if code is not None and code >= 0:
        status, evalue = "failed", f"the cell ended the kernel's process with exit status {code}"
    else:
        by = f"signal {-code}" if code else "a signal"
        hint = "; the system does so when memory runs out" if code == -9 else ""
        status, evalue = "killed", f"the kernel's process was ended by {by}{hint}"
    return {"status": status, "ename": "DeadKernelError", "evalue": evalue, "traceback": []}


def engine_for(emit: Emitter) -> type[Engine]:
    """A papermill engine whose client reports each cell to `emit`."""

    class ReportingEngine(Engine):
        @classmethod
        def execute_managed_notebook(
            cls, nb_man, kernel_name, cell_timeout=None, start_timeout=60, **options
        ):
            client = Client(
                nb_man,
                emit,
                kernel_name=kernel_name,
                timeout=cell_timeout,
                startup_timeout=start_timeout,
                iopub_timeout=60,
                coalesce_streams=True,
            )
            return client.execute()

    return ReportingEngine


def execute(job: dict[str, Any], emit: Emitter) -> dict[str, Any] | None:
    """Execute the job's notebook; return the error that no cell reported, if there was one."""
    papermill_engines.register("labkit", engine_for(emit))
    try:
        papermill.execute_notebook(
            job["notebook"],
            job["output"],
            parameters=job["parameters"],
            cwd=job["cwd"],
            engine_name="labkit",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            autosave_cell_every=10,
            cell_timeout=job["cell_timeout"],
        )
    except PapermillExecutionError:
        return None  # the cell's own event reported it, or its tag allows it to raise
    except Exception as error:  # whatever it is, the parent has to hear of it
        return describe(error)
    return None


def end_on_request() -> None:
    """Wait for a second line or the end of standard input, then end the kernel, then this process.

    The kernel goes first and several times over, since one may just be starting; papermill
    then saves the notebook as far as it came.
    """
    sys.stdin.readline()
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline:
        kill_descendants()
        time.sleep(0.2)
    os._exit(1)


def kill_descendants() -> None:
    """End every process that this one started, directly or not."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def adopt_orphans() -> None:
    """Become the parent of what a dead kernel leaves behind, so that it can be ended (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Read the job, execute it and report how it ended."""
    emit = Emitter(take_standard_output())
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_on_request, daemon=True).start()
    adopt_orphans()
    error = execute(job, emit)
    kill_descendants()
    emit("finished", error=error)


if __name__ == "__main__":
    main()
