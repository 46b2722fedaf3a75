"""What is to be run, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat

from labkit import __version__
from labkit.config import Lab, resolve
from labkit.parameters import ConfigError, did_you_mean
from labkit.reports import notebook as notebooks
from labkit.reports import people
from labkit.reports.files import read_json

# Seconds that a run of one notebook may take, by profile.
TIMEOUTS = {"smoke": 600.0, "quick": 1800.0, "full": 4 * 3600.0}


@dataclass(frozen=True)
class Request:
    """What to run and how. Made by `prepare`, which checks the parameters.

    `given` are the parameters that were asked for, `parameters` all of them as resolved,
    `cells` the code cells; `threads` None leaves TensorFlow's thread count alone;
    `no_faces` leaves images of people out of the report.
    """

    lab: Lab
    profile: str
    given: Mapping[str, Any]
    parameters: Mapping[str, Any]
    cells: tuple[notebooks.CodeCell, ...]
    digest: str
    out: Path
    timeout: float
    cell_timeout: float | None = None
    threads: int | None = None
    resume: bool = False
    no_faces: bool = False

    @property
    def work(self) -> Path:
        """The notebook's working folder."""
        return self.out / ".work" / self.lab.name

    @property
    def place(self) -> Path:
        """Where the results are published."""
        return self.out / self.lab.name


def prepare(
    lab: Lab,
    profile: str | None,
    given: Mapping[str, Any],
    out: Path,
    *,
    timeout: float | None = None,
    **options,
) -> Request:
    """Check the parameters against the notebook and make the request.

    `timeout` None is the profile's; `options` are the request's other fields.

    Raises ConfigError for a name that the notebook's parameters cell does not have, a
    value of the wrong kind, and a file that is no notebook.
    """
    if "profile" in given:
        raise ConfigError("the profile is chosen by --profile, not as a parameter")
    config = resolve(lab, profile, given)
    try:
        notebook = notebooks.read(lab.path)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ConfigError(f"{lab.path.name} is not a readable Jupyter notebook: {error}") from error
    return Request(
        lab=lab,
        profile=config.profile,
        given=MappingProxyType(dict(given)),
        parameters=MappingProxyType({name: as_json(value) for name, value in config.values.items()}),
        cells=tuple(notebooks.outline(notebook)),
        digest=notebooks.digest(notebook),
        out=out,
        timeout=timeout or TIMEOUTS[config.profile],
        **options,
    )


def as_json(value: Any) -> Any:
    """`value` as it comes back from JSON: tuples are lists."""
    return [as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def is_done(request: Request) -> bool:
    """Whether a completed run of the very same kind is in place already."""
    last = read_json(request.place / "run.json") or {}
    if last.get("people") == (people.SHOWN if request.no_faces else people.LEFT_OUT):
        return False
    return last.get("status") == "completed" and (
        last.get("profile"),
        last.get("parameters"),
        last.get("notebook_digest"),
        (last.get("versions") or {}).get("labkit"),
    ) == (request.profile, dict(request.parameters), request.digest, __version__)
