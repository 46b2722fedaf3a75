"""What happened in a run, as its runner saw it: ``run.json``."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from labkit import __version__
from labkit.project import ROOT, usable_cores
from labkit.reports.files import MOST_JSON, parse_json, read_bytes
from labkit.reports.texts import clean_texts, shortened, without_colours

PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib", "papermill", "nbconvert")
MOST_FACTS = 5_000  # of a run
MOST_OF_A_KIND = 300  # claims are the most, a hundred of them
MOST_WORDS = 2_000  # characters of a text in a fact
MOST_ITEMS = 200  # of a list or mapping in a fact
ENDINGS = {"failed": "failed", "timed_out": "ran out of time", "killed": "was ended from outside"}


@dataclass(frozen=True)
class RunRecord:
    """One run of one lab. `status` is completed, failed, timed_out or killed.

    `lab` is the lab that the notebook is, or is a copy of; `notebook` its file's name. `cells`
    has an entry for each code cell: index among all cells of the notebook, id, status (ran,
    failed, interrupted, not run) and seconds. `parameters` are the runner's; `departures` those
    that are not the lab's own, with its own values; `parameters_in_notebook` stands only where
    the notebook's own were others. `claims` holds what the notebook's claims came to, `training`
    how its models were trained. `people` is "shown" or "left out" where the data are images of
    people, else empty. `resumed` is None, or what came from checkpoints of an earlier run: how
    many trainings, and the seconds of their epochs, which are not among the run's own.
    """

    lab: str
    title: str
    profile: str
    parameters: dict[str, Any]
    status: str
    cells_run: int
    cells_total: int
    start: str
    seconds: float
    cells: list[dict[str, Any]]
    notebook: str = ""
    code_digest: str = ""
    labkit_digest: str = ""
    departures: dict[str, Any] = field(default_factory=dict)
    claims: list[dict[str, Any]] = field(default_factory=list)
    training: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    failing_cell: dict[str, Any] | None = None
    parameters_in_notebook: dict[str, Any] | None = None
    resumed: dict[str, Any] | None = None
    peak_memory_mb: int | None = None
    seed: int | None = None
    data: list[dict[str, Any]] = field(default_factory=list)
    people: str = ""
    accelerator: str = "none recorded"
    processor: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)
    git: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)

    def cleaned(self, clean: Callable[[str], str]) -> RunRecord:
        """The record with its texts free of colours and, by `clean`, of this machine's paths."""
        return RunRecord(**clean_texts(asdict(self), lambda text: clean(without_colours(text))))

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> RunRecord:
        """The record in a run.json, of this or an earlier edition.

        Raises ValueError, naming the entry, where one is missing or of another kind.
        """
        entries = {entry.name: entry for entry in fields(cls)}
        for name, kind in KINDS.items():
            optional = (entries[name].default, entries[name].default_factory) != (MISSING, MISSING)
            value = stored.get(name, kind() if optional else None)
            if not isinstance(value, kind):
                raise ValueError(f"run.json: {name!r} is {value!r}; a {kind.__name__} was expected")
        return cls(**{name: value for name, value in stored.items() if name in entries})

    def ending(self) -> str:
        """How a run that is not complete ended, to stand after "the run"."""
        words = ENDINGS.get(self.status, self.status)
        if self.failing_cell:
            words += f" in cell {self.failing_cell['index'] + 1}, “{self.failing_cell['line']}”"
        return words


# The kinds of a record's entries that a page is made from.
KINDS: dict[str, type] = {
    **dict.fromkeys(["lab", "title", "profile", "status", "start", "notebook", "people", "accelerator"], str),
    **dict.fromkeys(["parameters", "departures", "processor", "versions"], dict),
    **dict.fromkeys(["cells", "data", "claims", "training", "warnings"], list),
    **dict.fromkeys(["cells_run", "cells_total"], int),
}


def read_facts(path: Path) -> tuple[list[dict[str, Any]], str]:
    """What the kernel noted by `labkit.project.record`, and a sentence where some of it is left out."""
    try:
        lines = read_bytes(path, MOST_JSON).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f"What the kernel noted ({path.name}) cannot be read: {error.strerror}."
    facts = [fact for line in lines if line.strip() and (fact := fact_in(line)) is not None]
    left_out = sum(bool(line.strip()) for line in lines) - len(facts)
    kept = facts[:MOST_FACTS]
    problems = [f"{left_out:,} lines are no facts"] if left_out else []
    problems += [f"{len(facts) - len(kept):,} facts are too many"] if len(kept) < len(facts) else []
    return kept, f"Of what the kernel noted ({path.name}), {' and '.join(problems)}." if problems else ""


def fact_in(line: str) -> dict[str, Any] | None:
    """The fact in a line, its texts and lists cut to what a record takes; None where it is none."""
    try:
        fact = parse_json(line)
    except ValueError:
        return None
    return bounded(fact) if isinstance(fact, dict) and isinstance(fact.get("kind"), str) else None


def bounded(value: Any) -> Any:
    """A fact's value with texts and lists of a length that someone reads."""
    if isinstance(value, str):
        return shortened(value, MOST_WORDS)
    if isinstance(value, list):
        return [bounded(item) for item in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {shortened(name, MOST_WORDS): bounded(item) for name, item in list(value.items())[:MOST_ITEMS]}
    return value


def facts_of(facts: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The facts of one kind, without the kind, each once; MOST_OF_A_KIND at most."""
    found = []
    for fact in facts:
        rest = {name: value for name, value in fact.items() if name != "kind"}
        if fact["kind"] == kind and rest not in found and len(found) < MOST_OF_A_KIND:
            found.append(rest)
    return found


def resumed(facts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How many trainings went on from a checkpoint, and the seconds that lay before it."""
    before = [fact.get("seconds") for fact in facts_of(facts, "resumed")]
    before = [seconds for seconds in before if isinstance(seconds, int | float) and 0 <= seconds < 1e9]
    return {"trainings": len(before), "seconds": round(sum(before), 1)} if before else None


def accelerator(facts: list[dict[str, Any]]) -> str:
    """The devices that the kernel saw, such as "CPU" or "CPU, GPU"."""
    lists = [fact.get("devices") for fact in facts_of(facts, "device")]
    devices = {str(device)[:40] for listed in lists if isinstance(listed, list) for device in listed[:16]}
    return ", ".join(sorted(devices)) or "none recorded"


def versions() -> dict[str, str | None]:
    """Versions of Python, labkit and the packages a result depends on; None if not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "labkit": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor() -> dict[str, Any]:
    """The processor's model name and how many cores this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), model)
    return {"model": model, "cores": usable_cores()}


def git_state() -> dict[str, Any] | None:
    """The project's commit and whether files differ from it; None without git or repository.

    The reports' own folder does not count: a run would else find the tree dirty because
    of the run before it.
    """
    commit = git("rev-parse", "HEAD")
    changes = git("status", "--porcelain", "--", ".", ":(exclude)reports")
    return None if commit is None or changes is None else {"commit": commit, "dirty": bool(changes)}


def git(*arguments: str) -> str | None:
    """What git prints for the project's folder, or None if it cannot."""
    if (program := shutil.which("git")) is None:
        return None
    command = [program, "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
