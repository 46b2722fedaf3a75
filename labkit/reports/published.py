"""The published set: whole runs under `full`, on the full data, of a clean commit.

It lies in ``reports/`` of a checkout and is committed. Only this module writes there.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from labkit import project
from labkit.parameters import ConfigError
from labkit.reports import index, people
from labkit.reports.record import RunRecord, git_state
from labkit.reports.render import read_left
from labkit.reports.request import Request


def published_dir() -> Path:
    """Folder of the published set. Raises ConfigError where labkit is installed and has none."""
    if project.PUBLISHED is None:
        raise ConfigError("reports are published in a checkout of the project; this labkit is installed")
    return project.PUBLISHED


def check_before(requests: list[Request]) -> None:
    """Raise ConfigError, before anything runs, for runs that could not be published anyway."""
    published_dir()
    for request in requests:
        if request.profile != "full":
            raise ConfigError(f"--publish takes runs under the profile full, not {request.profile}")
        if request.departures or request.lab.path.parent != project.own_notebooks():
            raise ConfigError(
                f"--publish takes the labs as they are; {request.lab.name} departs from its lab"
            )
    git = git_state()
    if git is None or git["dirty"]:
        raise ConfigError("--publish takes runs of a clean commit; commit or stash the changes first")


def refusals(record: RunRecord) -> list[str]:
    """Why a run is not one to publish; empty if it is."""
    found = []
    if record.status != "completed":
        found.append(f"it {record.ending()}")
    if record.profile != "full":
        found.append(f"it ran under the profile {record.profile}, not full")
    if record.departures:
        found.append(f"it departs from the lab's parameters: {', '.join(record.departures)}")
    if not record.git or record.git.get("dirty"):
        found.append("it is not of a clean commit")
    if not record.data:
        found.append("it recorded no data")
    for fact in record.data:
        if not fact.get("whole"):
            found.append(
                f"it did not have all images of {fact.get('name')}: {fact.get('note') or 'some left out'}"
            )
        if fact.get("people") == "licensed" and record.people == people.SHOWN:
            found.append(f"{fact.get('name')} shows people whose images are licensed; run with --no-faces")
    return found


def publish(report_dir: Path) -> list[str]:
    """Put the run in `report_dir` into the published set, or return why it is refused.

    Raises OSError where it cannot be written; the published run is then untouched.
    """
    record = read_left(report_dir).record
    if reasons := refusals(record):
        return reasons
    out = published_dir()
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as staging:
        new, old = Path(staging) / "new", Path(staging) / "old"
        shutil.copytree(report_dir, new, ignore=shutil.ignore_patterns("failed", ".*"))
        target = out / record.lab
        if target.exists():
            target.rename(old)
        new.rename(target)
    index.rebuild(out)
    return []
