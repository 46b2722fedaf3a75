"""What the handouts ask for, and which cells of a notebook meet it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.parameters import ConfigError, did_you_mean
from labkit.project import notebooks_dir, own_notebooks, read_toml
from labkit.reports.judged import Judged
from labkit.reports.notebook import anchor, last_heading, numbered, read, tags
from labkit.reports.pins import PIN

TAG = "handout:"
ANSWER = re.compile(r"^\*\*Answer\.\*\*(?P<answer>.+?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
FEWEST_WORDS = 8  # of an answer; less, like "TODO", is none


@dataclass(frozen=True)
class Requirement:
    """One thing a handout asks for: id (``lab1.q2``), text, and the notebooks that meet it."""

    id: str
    text: str
    notebooks: tuple[str, ...]
    handout: str


@dataclass(frozen=True)
class Check:
    """How a run stands to one requirement, and where.

    `state` is "checked" where claims bear on it and all hold, "failed" where a check or a target
    does not, "answered" where cells carry its tag and nobody but a reader can judge them: it asks
    for an answer in words, or a finding came out otherwise, or no claim bears on it. "unanswered"
    is where no cell carries it or its answer is empty, "not run" where such a cell did not run.
    `places` holds, by the heading of the section, the anchors and numbers of its cells; `answer`
    the Markdown of the paragraph that begins with "**Answer.**"; `differs` whether the answering
    text is another than in labkit's own notebook.
    """

    requirement: Requirement
    state: str
    places: dict[str, list[tuple[str, int]]]
    claims: tuple[Judged, ...] = ()
    answer: str = ""
    differs: bool = False

    @property
    def first(self) -> str:
        """Anchor of the first of its cells; empty without one."""
        return next((anchors[0][0] for anchors in self.places.values()), "")


def requirements() -> list[Requirement]:
    """All requirements of ``notebooks/handouts.toml`` in its order; none without the file.

    Raises ConfigError for a file that cannot be read and for an id that comes twice.
    """
    path = notebooks_dir() / "handouts.toml"
    try:
        found = [
            Requirement(row["id"], row["text"], tuple(row["notebooks"]), handout["title"])
            for handout in read_toml(path).get("handout", [])
            for row in handout["requirement"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path.name} is not a readable list of requirements: {error!r}") from error
    ids = [requirement.id for requirement in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ConfigError(f"{path.name} has these ids twice: {', '.join(twice)}")
    return found


def requirement_ids(cell) -> list[str]:
    """The ids in a cell's ``handout:`` tags."""
    return [tag.removeprefix(TAG) for tag in tags(cell) if tag.startswith(TAG)]


def checklist(notebook, lab: str, judged: Iterable[Judged] = ()) -> tuple[list[Check], list[str]]:
    """How an executed and mended notebook stands to its lab's requirements, and warnings."""
    wanted = requirements()
    known = {requirement.id for requirement in wanted}
    tagged: dict[str, list] = {}
    places, warnings, heading = {}, [], ""
    for index, cell in numbered(notebook):
        heading = last_heading(cell) or heading
        for name in requirement_ids(cell):
            tagged.setdefault(name, []).append(cell)
            places.setdefault(name, {}).setdefault(heading, []).append((anchor(cell), index + 1))
            if name not in known:
                hint = did_you_mean(name, known) if known else ""
                warnings.append(f"Cell {index + 1} is tagged {TAG}{name}, which no handout asks for{hint}.")
    mine = [requirement for requirement in wanted if lab in requirement.notebooks]
    original, judged = own_answers(lab), list(judged)
    checks = []
    for requirement in mine:
        cells = tagged.get(requirement.id, [])
        bearing = tuple(claim for claim in judged if requirement.id in claim.claim.answers)
        shown, own = answer_of(cells), original.get(requirement.id, "")
        checks.append(
            Check(
                requirement,
                state(cells, bearing, asked=bool(own)),
                places.get(requirement.id, {}),
                bearing,
                shown,
                differs=bool(own) and plain(shown) != plain(own),
            )
        )
    return checks, warnings


def state(cells: list, bearing: Iterable[Judged], *, asked: bool) -> str:
    """The state of a requirement, see `Check`; `asked` if its original has an answer in words."""
    states = {claim.state for claim in bearing}
    failing = {claim.claim.kind for claim in bearing if claim.state == "fails"}
    ran = [c.metadata.get("labkit", {}).get("status", "ran") == "ran" for c in cells if c.cell_type == "code"]
    if not cells or (asked and len(plain(answer_of(cells)).split()) < FEWEST_WORDS):
        return "unanswered"
    if not all(ran):
        return "not run"
    if failing - {"finding"}:
        return "failed"
    return "checked" if states == {"holds"} and not asked else "answered"


def answer_of(cells: Iterable) -> str:
    """The paragraph that begins with "**Answer.**" in the first Markdown cell that has one."""
    for cell in cells:
        if cell.cell_type == "markdown" and (found := ANSWER.search(cell.source)):
            return found["answer"].strip()
    return ""


def own_answers(lab: str) -> dict[str, str]:
    """Answers in labkit's own notebook of the lab, by requirement; none where it has no such lab."""
    path = own_notebooks() / f"{lab}.ipynb"
    if not path.is_file():
        return {}
    tagged: dict[str, list] = {}
    for cell in read(path).cells:
        for name in requirement_ids(cell):
            tagged.setdefault(name, []).append(cell)
    return {name: answer for name, cells in tagged.items() if (answer := answer_of(cells))}


def plain(answer: str) -> str:
    """An answer without the values of pinned numbers, which may be renewed, and with single spaces."""
    return " ".join(PIN.sub(r"\g<open>\g<close>", answer).split())
