"""What is to be run, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from labkit.config import Lab, find_lab, resolve
from labkit.parameters import ConfigError
from labkit.reports import notebook as notebooks
from labkit.reports import people
from labkit.reports.files import read_json
from labkit.reports.identity import (
    Identity,
    code_digest,
    data_differences,
    identity_of,
    recorded_identity,
)

# Seconds that a run of one notebook may take, by profile.
TIMEOUTS = {"smoke": 600.0, "quick": 1800.0, "full": 4 * 3600.0}


@dataclass(frozen=True)
class Request:
    """What to run and how. Made by `prepare`, which checks the parameters.

    `given` are the parameters that were asked for, `parameters` all of them as resolved,
    `departures` those that are not the lab's own, name → its own value; `cells` the code
    cells; `out` the folder of all reports and `folder` the run's own name in it; `timeout` in
    seconds; `memory_mb` the most memory that the run may hold, None for no limit; `threads` None
    leaves TensorFlow's thread count alone; `no_faces` leaves images of people out of the report;
    `data` the digests of the image sets as they would be read now; `batch` the id of the batch
    that the run is part of.
    """

    lab: Lab
    profile: str
    given: Mapping[str, Any]
    parameters: Mapping[str, Any]
    departures: Mapping[str, Any]
    cells: tuple[notebooks.CodeCell, ...]
    identity: Identity
    out: Path
    folder: str
    timeout: float
    cell_timeout: float | None = None
    memory_mb: int | None = None
    threads: int | None = None
    resume: bool = False
    no_faces: bool = False
    data: Mapping[str, str] = field(default_factory=dict)
    batch: str = ""

    @property
    def works(self) -> Path:
        """Folder of the working folders of all runs into `folder`, one for each identity."""
        return self.out / ".work" / self.folder

    @property
    def lock(self) -> Path:
        """The file that is locked while a run into `folder` goes on."""
        return self.works.with_name(f"{self.folder}.lock")

    @property
    def holder(self) -> Path:
        """The file that says who holds the lock."""
        return self.works.with_name(f"{self.folder}.holder.json")

    @property
    def work(self) -> Path:
        """The notebook's working folder."""
        return self.works / self.identity.key

    @property
    def unfinished(self) -> Path:
        """The file that marks a working folder whose run has not been completed."""
        return self.work / ".runner" / "unfinished.json"

    @property
    def report_dir(self) -> Path:
        """Where the results are put."""
        return self.out / self.folder

    @cached_property
    def plan(self) -> Plan:
        """What `--resume` makes of earlier runs."""
        return planned(self)


@dataclass(frozen=True)
class Plan:
    """Whether a run is reused ("skip"), goes on ("continue", "longer") or starts afresh ("anew"), and why.

    A run that goes on for more epochs begins with the working folder `of` the completed one.
    """

    kind: str
    why: str
    of: str = ""


def prepare(
    lab: Lab,
    profile: str | None,
    given: Mapping[str, Any],
    out: Path,
    *,
    folder: str | None = None,
    timeout: float | None = None,
    **options,
) -> Request:
    """Check the parameters against the notebook and make the request.

    `folder` None is the lab's name, `timeout` None the profile's; `options` are the request's
    other fields.

    Raises ConfigError for a name that the notebook's parameters cell does not have, a
    value of the wrong kind or out of bounds, and a file that is no notebook.
    """
    if "profile" in given:
        raise ConfigError("the profile is chosen by --profile, not as a parameter")
    config = resolve(lab, profile, given)
    parameters = {name: as_json(value) for name, value in config.values.items()}
    cells, code = read_cells(lab.path)
    return Request(
        lab=lab,
        profile=config.profile,
        given=dict(given),
        parameters=parameters,
        departures=departures(lab, config.profile, parameters),
        cells=cells,
        identity=identity_of(config.profile, parameters, code),
        out=out,
        folder=folder or lab.name,
        timeout=timeout or TIMEOUTS[config.profile],
        **options,
    )


def vary(request: Request, given: Mapping[str, Any], folder: str) -> Request:
    """The same request with other parameters, into another folder; the notebook is not read again.

    Raises ConfigError for parameters that `prepare` would not take either.
    """
    config = resolve(request.lab, request.profile, given)
    parameters = {name: as_json(value) for name, value in config.values.items()}
    return replace(
        request,
        given=dict(given),
        parameters=parameters,
        departures=departures(request.lab, request.profile, parameters),
        identity=replace(request.identity, parameters=parameters),
        folder=folder,
    )


def read_cells(path: Path) -> tuple[tuple[notebooks.CodeCell, ...], str]:
    """The code cells of a notebook and the digest of their code. Raises ConfigError if it is none."""
    try:
        notebook = notebooks.read(path)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ConfigError(f"{path.name} is not a readable Jupyter notebook: {error}") from error
    return tuple(notebooks.outline(notebook)), code_digest(notebook.cells)


def departures(lab: Lab, profile: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that are not the lab's own under this profile, with its own values.

    The lab's own are those of the notebook that it is, or that it is a copy of.
    """
    original = lab if lab.of == lab.name else find_lab(lab.of)
    own = {name: as_json(value) for name, value in resolve(original, profile, {}).values.items()}
    return {name: own[name] for name, value in parameters.items() if name in own and own[name] != value}


def as_json(value: Any) -> Any:
    """`value` as it comes back from JSON: tuples are lists."""
    return [as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def planned(request: Request) -> Plan:
    """What to make of the run in place and of unfinished ones."""
    last = read_json(request.report_dir / "run.json") or {}
    reasons = differences(request, last)
    if not reasons:
        return Plan("skip", "a completed run like this is in place")
    if started := (read_json(request.unfinished) or {}).get("start"):
        return Plan("continue", f"goes on from the checkpoints of the unfinished run of {started}")
    before = recorded_identity(last)
    if request.identity.is_longer_than(before) and (request.works / before.key).is_dir():
        return Plan("longer", f"goes on from the completed run: {'; '.join(reasons)}", before.key)
    if not last:
        return Plan("anew", "trains everything: there is no earlier run here")
    return Plan("anew", f"trains everything anew: {'; '.join(reasons)}")


def differences(request: Request, last: dict[str, Any]) -> list[str]:
    """Why the run in place is not the one that is asked for; empty if it is."""
    found = request.identity.differences(recorded_identity(last)) + data_differences(last, request.data)
    if last.get("status") != "completed":
        found.append("the run in place is not complete")
    if last.get("people") == (people.SHOWN if request.no_faces else people.LEFT_OUT):
        found.append(f"images of people are {last['people']}")
    return found
