"""What the handouts ask for, and which cells of a notebook meet it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from labkit.parameters import ConfigError, did_you_mean
from labkit.project import notebooks_dir
from labkit.reports.notebook import anchor, last_heading, numbered, tags

TAG = "handout:"


@dataclass(frozen=True)
class Requirement:
    """One thing a handout asks for: id (``lab1.q2``), text, and the notebooks that meet it."""

    id: str
    text: str
    notebooks: tuple[str, ...]
    handout: str


@dataclass(frozen=True)
class Check:
    """How a run met one requirement: "met", "not run" or "not met", and where.

    `places` holds, by the heading of the section, the anchors and numbers of its cells.
    """

    requirement: Requirement
    state: str
    places: dict[str, list[tuple[str, int]]]


def requirements() -> list[Requirement]:
    """All requirements of ``notebooks/handouts.toml`` in its order; none without the file.

    Raises ConfigError for a file that cannot be read and for an id that comes twice.
    """
    path = notebooks_dir() / "handouts.toml"
    if not path.exists():
        return []
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found = [
            Requirement(row["id"], row["text"], tuple(row["notebooks"]), handout["title"])
            for handout in table["handout"]
            for row in handout["requirement"]
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} is not a readable list of requirements: {error!r}") from error
    ids = [requirement.id for requirement in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ConfigError(f"{path.name} has these ids twice: {', '.join(twice)}")
    return found


def requirement_ids(cell) -> list[str]:
    """The ids in a cell's ``handout:`` tags."""
    return [tag.removeprefix(TAG) for tag in tags(cell) if tag.startswith(TAG)]


def checklist(notebook, lab: str) -> tuple[list[Check], list[str]]:
    """How an executed and mended notebook meets its lab's requirements, and warnings."""
    wanted = requirements()
    known = {requirement.id for requirement in wanted}
    meeting: dict[str, list] = {}
    places, warnings, heading = {}, [], ""
    for index, cell in numbered(notebook):
        heading = last_heading(cell) or heading
        for name in requirement_ids(cell):
            meeting.setdefault(name, []).append(cell)
            places.setdefault(name, {}).setdefault(heading, []).append((anchor(cell), index + 1))
            if name not in known:
                hint = did_you_mean(name, known) if known else ""
                warnings.append(f"Cell {index + 1} is tagged {TAG}{name}, which no handout asks for{hint}.")
    mine = [requirement for requirement in wanted if lab in requirement.notebooks]
    checks = [Check(r, state(meeting.get(r.id, [])), places.get(r.id, {})) for r in mine]
    return checks, warnings


def state(cells: list) -> str:
    """Say "met" if every code cell among them ran, "not run" if one did not, "not met" without cells."""
    if not cells:
        return "not met"
    ran = [c.metadata.get("labkit", {}).get("status", "ran") == "ran" for c in cells if c.cell_type == "code"]
    return "met" if all(ran) else "not run"
