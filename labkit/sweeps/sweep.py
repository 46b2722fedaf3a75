"""A sweep in its folder ``sweeps/<name>``: ``sweep.json`` says which runs it has, each in a folder below."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import project
from labkit.config import Lab
from labkit.parameters import ConfigError
from labkit.reports.files import read_json, to_json, write_atomically
from labkit.reports.request import Request, prepare, vary
from labkit.sweeps.grid import folder_name

SEED = "seed"  # the parameter whose values are repetitions of one experiment
MOST_TIMES = 200  # earlier runs that are looked at to tell how long a run takes


@dataclass
class Sweep:
    """What `sweep.json` holds: the lab, the profile, the swept parameters, and the runs.

    `fixed` are parameters that are the same in all runs; `runs` go from a run's folder to its
    values of the swept parameters.
    """

    folder: Path
    lab: str
    title: str
    profile: str
    parameters: list[str]
    fixed: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.folder.name

    def add(self, grid: Iterable[Mapping[str, Any]]) -> list[str]:
        """Add combinations; return the folders of those asked for, the new and the known."""
        known = {repr(given): name for name, given in self.runs.items()}
        asked = []
        for given in grid:
            ordered = {name: given[name] for name in self.parameters}
            name = known.setdefault(repr(ordered), folder_name(ordered))
            self.runs.setdefault(name, ordered)
            asked.append(name)
        return asked

    def write(self, counts: Mapping[str, int]) -> None:
        """Write ``sweep.json``, with how many runs ended how."""
        facts = {name: getattr(self, name) for name in ("lab", "title", "profile", "parameters", "fixed")}
        write_atomically(self.folder / "sweep.json", to_json({**facts, "counts": counts, "runs": self.runs}))


def default_name(lab: Lab, profile: str, parameters: Sequence[str], fixed: Mapping[str, Any]) -> str:
    """A sweep's name by what it is of: ``01_vae_mnist-quick-beta-latent_dim``, values of others behind."""
    parts = [lab.name, profile, *sorted(parameters)]
    return "-".join(parts) + (f"-{folder_name(fixed)}" if fixed else "")


def open_sweep(
    folder: Path, lab: Lab, profile: str, parameters: Sequence[str], fixed: Mapping[str, Any]
) -> Sweep:
    """The sweep in `folder`, or a new one.

    Raises ConfigError where another sweep lies there, or something that is none.
    """
    fixed = dict(fixed)
    if not folder.exists() or not any(folder.iterdir()):
        return Sweep(folder, lab.of, lab.title, profile, list(parameters), fixed)
    found = read_folder(folder)
    asked = (lab.of, profile, sorted(parameters), fixed)
    there = (found.lab, found.profile, sorted(found.parameters), found.fixed)
    words = ("lab", "profile", "parameters", "fixed parameters")
    for what, wanted, is_there in zip(words, asked, there, strict=True):
        if wanted != is_there:
            there = f"the sweep {folder.name} is of another {what}: {is_there}, not {wanted}"
            raise ConfigError(f"{there}; choose another --name")
    return found


def read_folder(folder: Path) -> Sweep:
    """The sweep in `folder`, by its ``sweep.json``. Raises ConfigError where that is not there and whole."""
    stored = read_json(folder / "sweep.json")
    if stored is None:
        raise ConfigError(f"{folder} is not empty and holds no sweep.json; choose another --name")
    try:
        runs = {str(name): dict(given) for name, given in stored["runs"].items()}
        entries = [stored[name] for name in ("lab", "title", "profile")]
        return Sweep(folder, *entries, list(stored["parameters"]), dict(stored["fixed"]), runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{folder.name}/sweep.json is not whole: {error!r}"
        raise ConfigError(f"{what}; choose another --name") from error


def requests_for(sweep: Sweep, lab: Lab, names: Sequence[str], **options) -> list[Request]:
    """The requests of some of its runs. Raises ConfigError for values that do not fit the parameters.

    Runs that are complete are always kept: `resume` is on.
    """
    options = {**options, "resume": True, "folder": names[0]}
    first = prepare(lab, sweep.profile, sweep.fixed | sweep.runs[names[0]], sweep.folder, **options)
    return [vary(first, sweep.fixed | sweep.runs[name], name) for name in names]


def stale(sweep: Sweep, request: Request) -> dict[str, str]:
    """Runs whose results are of other code, data or versions than a run of now, and why."""
    found = {}
    for name, given in sweep.runs.items():
        record = read_json(sweep.folder / name / "run.json")
        if record and record.get("status") == "completed":
            plan = vary(request, sweep.fixed | given, name).plan
            if plan.kind != "skip":
                found[name] = plan.why
    return found


def seconds_each(sweep: Sweep, lab: Lab, out: Path) -> float | None:
    """How long a run takes: as the sweep's runs did, else the lab's last run under this profile."""
    folders = [sweep.folder / name for name in list(sweep.runs)[:MOST_TIMES]]
    took = [seconds for folder in folders if (seconds := seconds_of(folder, sweep.profile))]
    if not took:
        lasts = [out / lab.name, *([project.PUBLISHED / lab.of] if project.PUBLISHED else [])]
        took = [seconds for folder in lasts if (seconds := seconds_of(folder, sweep.profile))][:1]
    return statistics.median(took) if took else None


def seconds_of(folder: Path, profile: str) -> float | None:
    """Seconds that the completed run in `folder` took under `profile`; None where there is none."""
    record = read_json(folder / "run.json") or {}
    fits = record.get("status") == "completed" and record.get("profile") == profile
    return record.get("seconds") if fits else None


def counts(statuses: Iterable[str]) -> dict[str, int]:
    """How many runs ended how, the most frequent first."""
    return dict(Counter(statuses).most_common())
