"""Jobs on a Dask cluster: the same executor as on this machine, whose processes are elsewhere.

A job whose worker dies is run again on another one, by the scheduler. Results go into the folder
of reports where workers share it, else they come back as files (`labkit.batch.wire`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.batch import wire
from labkit.batch.jobs import Outcome
from labkit.batch.local import Slot, WorkerLost
from labkit.batch.machine import cores
from labkit.parameters import ConfigError
from labkit.reports.identity import labkit_digest
from labkit.reports.request import Request

SECONDS_TO_CONNECT = 30
SECONDS_TO_RECONNECT = 120  # how long a network that was there may be gone
SECONDS_TO_LOOK = 2  # between looks at which workers there are
TICK_SECONDS = 2  # between events of a run that only say that it goes on
SILENCE = "120s"  # a connection may be silent for so long before it counts as lost
SLURM_JOBS = 8  # where --jobs does not say how many
INSTALL = "a cluster needs Dask: pip install 'labkit[batch]'"
LEAVING = ("closing", "closing_gracefully", "closed", "failed")  # of a worker's states
STOPPED: set[str] = set()  # batches that their command has ended; on a worker


class DaskPool:
    """Hands requests to a cluster's workers; what happens in them goes to `on_event(folder, event)`.

    Raises ConfigError where there is no scheduler, no Dask, or no worker with what a run needs.
    """

    def __init__(self, scheduler: str, jobs: int | None, needs, requests: Sequence[Request], on_event):
        try:
            import dask
            from distributed import KilledWorker
            from distributed.client import ClosedClientError
        except ImportError as error:
            raise ConfigError(INSTALL) from error
        dask.config.set({"distributed.comm.timeouts.tcp": SILENCE})
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the command says what it means
        self.lost = (KilledWorker, WorkerLost)
        self.unreachable = (ClosedClientError, OSError)
        self.needs, self.on_event = needs, on_event
        self.resources = resources_for(needs, requests)
        self.cluster = slurm_cluster(jobs or min(len(requests), SLURM_JOBS)) if scheduler == "slurm" else None
        self.address = scheduler
        self.client = connect(self.cluster or scheduler, scheduler)
        self.executor = self.client.get_executor(pure=False, resources=self.resources or None)
        self.topic = f"labkit-{uuid.uuid4().hex}"
        self.most, self.looked, self.slots = jobs, 0.0, 0
        self.token = wire.Token(requests[0].out) if requests else None
        try:
            self.listen()
            self.check_workers()
        except BaseException:
            self.close()
            raise

    def listen(self) -> None:
        """Hear of the events of jobs."""

        def take(event: tuple[float, dict[str, Any]]) -> None:
            self.on_event(event[1]["folder"], event[1])

        self.client.subscribe_topic(self.topic, take)

    def check_workers(self) -> None:
        """Raise ConfigError where the workers that there are cannot run a job."""
        there = self.client.scheduler_info()["workers"]
        for name in self.resources if there else ():
            if not any(worker["resources"].get(name) for worker in there.values()):
                wanted = " ".join(f"{key}={value:g}" for key, value in self.resources.items())
                what = f"no worker at {self.address} offers {name}"
                raise ConfigError(f"{what}; start workers with --resources '{wanted}' or more")
        try:
            found = self.client.run(labkit_digest)
        except Exception as error:
            raise ConfigError(
                f"labkit cannot be imported on the workers of {self.address}: {error}"
            ) from error
        if others := [address for address, digest in found.items() if digest != labkit_digest()]:
            raise ConfigError(
                f"labkit's code on the worker {others[0]} is not this one; install the same there"
            )

    def submit(self, request: Request) -> Future:
        """Run one request on some worker."""
        job = wire.make_job(replace(request, threads=self.needs.cores), self.topic, self.token)
        try:
            return self.executor.submit(run_on_worker, job)
        except self.unreachable:
            future: Future = Future()  # as those that were submitted when the connection broke
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    def delivered(self, future: Future, request: Request) -> Outcome:
        """The outcome of a future that is done; results that came as files are put in place."""
        outcome, files = future.result()
        return wire.put_in_place(outcome, files, request) if files else outcome

    def broken(self) -> str:
        """Why no job can run any more; empty if the scheduler answers, if need be after a while."""
        end = time.monotonic() + SECONDS_TO_RECONNECT
        while self.client.status == "connecting" and time.monotonic() < end:
            time.sleep(0.2)
        if self.client.status == "running":
            self.listen()
            return ""
        return f"the scheduler at {self.address} is lost; labkit run --resume goes on from what is complete"

    def room(self) -> int:
        """How many jobs can run at once, by the workers that there are now."""
        now = time.monotonic()
        if now - self.looked > SECONDS_TO_LOOK and self.client.status == "running":
            self.looked = now
            workers = self.client.scheduler_info()["workers"].values()
            self.slots = sum(slots_of(worker, self.resources) for worker in workers)
        return min(self.slots, self.most or self.slots)

    def stop(self) -> None:
        """End what is running, in good order."""
        if self.client.status == "running":
            self.client.run(stop_batch, self.topic)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self.token:
            self.token.remove()
        with contextlib.suppress(OSError, TimeoutError):  # whatever is gone already need not be closed
            self.client.close()
            if self.cluster is not None:
                self.cluster.close()


def connect(target, address: str):
    """A client of the scheduler. Raises ConfigError where none answers."""
    from distributed import Client

    try:
        # A client waits as long for its first connection as for every later one.
        Client(target, timeout=SECONDS_TO_CONNECT, set_as_default=False).close()
        return Client(target, timeout=SECONDS_TO_RECONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"no Dask scheduler answers at {address}: {error}") from error


def slurm_cluster(jobs: int):
    """Workers as SLURM jobs, as the configuration of dask-jobqueue says. Raises ConfigError without one."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ConfigError(INSTALL) from error
    try:
        cluster = SLURMCluster()
        cluster.scale(jobs=jobs)
    except (ValueError, OSError, RuntimeError) as error:
        raise ConfigError(f"SLURM workers could not be started: {error}. See docs/batch.md") from error
    return cluster


def resources_for(needs, requests: Sequence[Request]) -> dict[str, float]:
    """What a job takes of a worker, in Dask's terms: CPU in cores, MEMORY in bytes, GPU in devices."""
    memory = requests[0].memory_mb if requests else None
    asked = {"CPU": needs.cores, "MEMORY": memory and memory * 1_000_000, "GPU": needs.gpus}
    return {name: amount for name, amount in asked.items() if amount}


def slots_of(worker: dict[str, Any], resources: dict[str, float]) -> int:
    """How many jobs a worker can run at once."""
    offered = worker.get("resources") or {}
    return min([worker["nthreads"], *(int(offered.get(n, 0) // amount) for n, amount in resources.items())])


def stop_batch(topic: str) -> None:
    """End the jobs of a batch on this worker, those that begin later too."""
    STOPPED.add(topic)


def run_on_worker(job: wire.Job) -> tuple[Outcome, dict[str, bytes] | None]:
    """Run a job in a process beside this worker; with the results as files where no folder is shared."""
    from distributed import Reschedule, get_worker

    worker = get_worker()
    if labkit_digest() != job.request.identity.labkit:
        return Outcome("failed", f"labkit's code on the worker {worker.address} is not the command's"), None
    threads = job.request.threads or max(1, cores() // worker.state.nthreads)
    watch = WorkerWatch(worker, job.topic)
    with wire.workplace(job, Path(worker.local_directory)) as (request, env):
        slot = own_slot(env)
        slot.begin(replace(request, threads=threads))
        with watch.over(slot):
            outcome = slot.outcome(teller(worker, job))
        if watch.leaving:
            raise Reschedule  # not the command's wish: another worker shall do it
        return outcome, wire.collect(request, job)


OWN = threading.local()


def own_slot(env: dict[str, str]) -> Slot:
    """The process that this thread of the worker runs jobs in; a new one for another environment."""
    slot = getattr(OWN, "slot", None)
    if slot is None or not slot.alive or slot.env != env:
        if slot is not None:
            slot.close()
        slot = OWN.slot = Slot(env)
    return slot


def teller(worker, job: wire.Job) -> Callable[[dict[str, Any]], None]:
    """A function that sends events to the command; of those that only say "still here" a few."""
    last = -TICK_SECONDS

    def tell(event: dict[str, Any]) -> None:
        nonlocal last
        now = time.monotonic()
        if event["event"] != "tick" or now - last >= TICK_SECONDS:
            last = now
            worker.log_event(job.topic, {"folder": job.request.folder, **event})

    return tell


class WorkerWatch:
    """Ends a job that its command has ended, that no one waits for any more, or whose worker leaves."""

    def __init__(self, worker, topic: str):
        self.worker, self.topic = worker, topic
        self.key = worker.get_current_task()
        self.leaving = False

    def reason(self) -> str:
        """Why to end the job now; empty while it is wanted."""
        if self.topic in STOPPED:
            return "stopped"
        if self.worker.status.name in LEAVING:
            return "leaving"
        task = self.worker.state.tasks.get(self.key)
        return "" if task is not None and task.state in ("executing", "long-running") else "unwanted"

    @contextmanager
    def over(self, slot: Slot):
        """Watch while the context lasts."""
        done = threading.Event()
        watcher = threading.Thread(target=functools.partial(self.look, slot, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()

    def look(self, slot: Slot, done: threading.Event) -> None:
        """Look twice a second; ask the process to end the job once there is a reason."""
        while not done.wait(0.5):
            if reason := self.reason():
                self.leaving = reason == "leaving"
                slot.stop()
                return
