"""How many runs this machine can take at once: by its cores and its free memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil

from labkit import project
from labkit.reports.files import read_json
from labkit.reports.request import Request

# What a run is taken to hold, in MB, where no earlier run tells: TensorFlow and a lab's data.
MEMORY_MB = {"smoke": 1200, "quick": 2000, "full": 4000}
SHARE = 0.9  # of the free memory that runs may take together
CGROUP = Path("/sys/fs/cgroup")


def default_jobs(requests: Sequence[Request]) -> int:
    """Runs at once: one a core, as far as memory goes; at least one."""
    needs = sorted(map(memory_needed, requests[:MOST_ASKED]), reverse=True)
    free, jobs, taken = SHARE * free_memory_mb(), 0, 0.0
    while jobs < min(len(requests), cores()):
        taken += needs[min(jobs, len(needs) - 1)]
        if taken > free:
            break
        jobs += 1
    return max(1, jobs)


MOST_ASKED = 100  # of a sweep's runs, which are much alike


def memory_needed(request: Request) -> int:
    """MB that a run will hold: its limit, else as an earlier run of its lab did, else a guess."""
    if request.memory_mb:
        return request.memory_mb
    folders = [request.report_dir, project.PUBLISHED and project.PUBLISHED / request.lab.of]
    for folder in filter(None, folders):
        last = read_json(folder / "run.json") or {}
        if last.get("profile") == request.profile and isinstance(last.get("peak_memory_mb"), int):
            return last["peak_memory_mb"]
    return MEMORY_MB[request.profile]


def cores() -> int:
    """Cores that this process may use; in a container, at most its quota."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
        return max(1, min(project.usable_cores(), round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return project.usable_cores()


def free_memory_mb() -> int:
    """Memory that is free; in a container, at most what is left of its limit."""
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    except (OSError, ValueError):
        pass
    return max(0, free) // 2**20
