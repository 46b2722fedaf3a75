"""What a run is known by: code cells, parameters, profile, versions, labkit's code, and its data.

Two runs of one identity compute the same. Wording is not part of it: Markdown, comments and
layout of a cell, tags and templates may change, and the run stays the same.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from labkit.project import PACKAGE
from labkit.reports.notebook import EXECUTION_TAGS, is_run, tags
from labkit.reports.record import versions

RESULTS_DEPEND_ON = ("python", "tensorflow", "keras", "numpy", "matplotlib")
# What runs notebooks and writes pages; a notebook computes nothing with it.
RUNS_ONLY = (
    *("reports", "bundled", "cli", "batch", "sweeps"),
    *("config.py", "parameters.py", "quiet.py", "__main__.py"),
)


@dataclass(frozen=True)
class Identity:
    """What two runs have to share to be the same, but for their data."""

    profile: str
    parameters: dict[str, Any]
    code: str
    labkit: str
    versions: dict[str, str | None]

    @property
    def key(self) -> str:
        """Twelve hex digits, for a folder's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def is_longer_than(self, other: Identity) -> bool:
        """Whether this run is an `other` one for more epochs: no epoch depends on how many there are."""
        names = [name for name in self.parameters if name.startswith("epochs")]
        pairs = [(self.parameters[name], other.parameters.get(name)) for name in names]
        if not all(type(now) is type(before) is int and now >= before for now, before in pairs):
            return False
        same = replace(other, parameters=other.parameters | {name: self.parameters[name] for name in names})
        return same == self != other

    def differences(self, other: Identity) -> list[str]:
        """How this run differs from an `other`, earlier one, in words; empty if it does not."""
        found = (
            [f"the profile is {self.profile}, was {other.profile}"] if self.profile != other.profile else []
        )
        names = dict.fromkeys([*self.parameters, *other.parameters])
        for name in names:
            now, before = self.parameters.get(name), other.parameters.get(name)
            if now != before:
                found.append(f"{name} is {now}, was {before}")
        if self.code != other.code:
            found.append("the notebook's code has changed")
        if self.labkit != other.labkit:
            found.append("labkit's code has changed")
        for name, version in self.versions.items():
            if version != other.versions.get(name):
                found.append(f"{name} is {version}, was {other.versions.get(name)}")
        return found


def identity_of(profile: str, parameters: Mapping[str, Any], code: str) -> Identity:
    """The identity of a run that would start now."""
    now = versions()
    return Identity(
        profile, dict(parameters), code, labkit_digest(), {name: now.get(name) for name in RESULTS_DEPEND_ON}
    )


def recorded_identity(record: Mapping[str, Any]) -> Identity:
    """The identity in a run.json; what an older record does not hold is empty, and so differs."""
    stored = record.get("versions") if isinstance(record.get("versions"), dict) else {}
    parameters = record.get("parameters") if isinstance(record.get("parameters"), dict) else {}
    return Identity(
        str(record.get("profile")),
        parameters,
        str(record.get("code_digest", "")),
        str(record.get("labkit_digest", "")),
        {name: stored.get(name) for name in RESULTS_DEPEND_ON},
    )


def data_differences(record: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """Sets of a recorded run that would be read with other content now (`now`: name → digest)."""
    facts = [fact for fact in record.get("data") or [] if isinstance(fact, dict)]
    changed = [f["name"] for f in facts if f.get("name") in now and now[f["name"]] != f.get("digest")]
    return [f"the images of {name} are others" for name in dict.fromkeys(changed)]


def code_digest(cells: Iterable) -> str:
    """SHA-256 of what code cells do: their syntax without comments, and tags that change the run."""
    executed = [[meaning(c.source), sorted(EXECUTION_TAGS & set(tags(c)))] for c in cells if is_run(c)]
    return hashlib.sha256(json.dumps(executed).encode()).hexdigest()


def meaning(source: str) -> str:
    """The syntax tree of a cell, with a last ";" that hides its value; magics as they are written."""
    try:
        tree = ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    return tree + (";" if source.rstrip().endswith(";") else "")


@cache
def labkit_digest() -> str:
    """SHA-256 of labkit's code and data that a notebook may compute with."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE)
        if path.is_file() and path.suffix in (".py", ".npz", ".json") and name.parts[0] not in RUNS_ONLY:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
