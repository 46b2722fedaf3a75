"""Claims: what a notebook asserts about its results, and whether it holds in this run.

The sentences stand in ``notebooks/claims.toml``, one table a claim; the notebook has the
numbers. Nothing here imports more than the standard library, `labkit.config` and `labkit.project`.
"""

from __future__ import annotations

import html
import math
import operator
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit.config import PROFILES
from labkit.parameters import ConfigError, did_you_mean
from labkit.project import notebooks_dir, read_toml, record

KINDS = ("finding", "target", "check")
MOST_NUMBERS = 32  # entries of a list that a claim may carry
MARKS = {"holds": "✓ holds", "fails": "✗ does not hold", "too short": "– this profile is too short to say"}
# What `compare` records.
COMPARED = {"ahead", "seeds", "better_median", "better_range", "worse_median", "worse_range"}
RED = "#B3261E"  # behind white text 6.5 : 1, legible on light and dark pages
LEFT = "text-align:left"  # JupyterLab puts a table's cells to the right


@dataclass(frozen=True)
class Claim:
    """One table of ``claims.toml``.

    `answers` holds ids of handout requirements. `kind` is "finding" (a result), "target" (a bar
    that the course sets; `target` says it in words) or "check" (a calculation that must come out
    the same by two ways). `needs` is the shortest profile that is long enough to judge it.
    """

    id: str
    sentence: str
    answers: tuple[str, ...] = ()
    kind: str = "finding"
    target: str = ""
    needs: str = "full"


def known_claims() -> dict[str, Claim]:
    """All claims of ``claims.toml`` by id, in its order; none without the file.

    Raises ConfigError, naming the claim, for a file or an entry that cannot be read.
    """
    path = notebooks_dir() / "claims.toml"
    try:
        return claims_in(path, path.stat().st_mtime_ns if path.exists() else 0)
    except (OSError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path.name} is not a readable list of claims: {error}") from error


@lru_cache(maxsize=4)
def claims_in(path: Path, changed: int) -> dict[str, Claim]:
    """The claims, made once for each time that the file was `changed`: an overview asks for every run."""
    table = read_toml(path).get("claims", {})
    return {name: read_claim(name, dict(entry)) for name, entry in table.items()}


def read_claim(name: str, entry: dict[str, Any]) -> Claim:
    """The claim of one table. Raises ConfigError for fields that are missing, unknown or wrong."""
    fields = set(Claim.__dataclass_fields__) - {"id"}
    for field in entry:
        if field not in fields:
            raise ConfigError(f"claims.toml: {name!r} has a field {field!r}{did_you_mean(field, fields)}")
    claim = Claim(name, **(entry | {"answers": tuple(entry.get("answers", ()))}))
    if not isinstance(claim.sentence, str) or not claim.sentence.strip():
        raise ConfigError(f"claims.toml: {name!r} has an empty sentence")
    for field, value, allowed in (("kind", claim.kind, KINDS), ("needs", claim.needs, PROFILES)):
        if value not in allowed:
            raise ConfigError(f"claims.toml: {name!r} has {field} = {value!r}{did_you_mean(value, allowed)}")
    return claim


def find_claim(name: str) -> Claim:
    """The claim of that id. Raises ConfigError with the nearest id when there is none."""
    known = known_claims()
    if name not in known:
        raise ConfigError(f"claims.toml has no claim {name!r}{did_you_mean(name, known)}")
    return known[name]


def state(made: dict[str, Any], profile: str) -> str:
    """Judge a claim as it was recorded under `profile`: "holds", "fails" or "too short".

    Args:
        made: {"id": …, "holds": …}, further entries are not looked at.
        profile: smoke, quick or full.

    Raises:
        ConfigError: an id that ``claims.toml`` does not have.
    """
    needs = find_claim(made["id"]).needs
    if PROFILES.index(profile) < PROFILES.index(needs):
        return "too short"
    return "holds" if made["holds"] else "fails"


class Ledger:
    """The claims of one notebook session, in the tables in which they were shown."""

    def __init__(self):
        self.made: dict[str, dict[str, Any]] = {}
        self.pending: list[str] = []
        self.tables: list[list[str]] = []

    def add(self, made: dict[str, Any]) -> None:
        """Keep a claim for the next table; one of the same id is replaced."""
        self.made[made["id"]] = made
        if made["id"] not in self.pending:
            self.pending.append(made["id"])

    def next_table(self) -> list[dict[str, Any]]:
        """The claims since the last table.

        A cell that is run again shows its whole table again: claims that all come from one
        earlier table bring that table back, and where nothing is new the last one comes back.
        """
        new, self.pending = self.pending, []
        again = [ids for ids in self.tables if set(new) <= set(ids)]
        if not again:
            self.tables = [[name for name in ids if name not in new] for ids in self.tables]
            self.tables.append(new)
        return [self.made[name] for name in (again or self.tables)[-1]]


LEDGER = Ledger()


def check(name: str, holds: bool, **numbers: float | Sequence[float]) -> None:
    """Record whether the claim `name` holds in this run, with the numbers that it rests on.

    Args:
        name: the claim's id in ``claims.toml``, such as "01.collapse".
        holds: whether it holds, a truth value of Python, NumPy or TensorFlow.
        numbers: the numbers by name, finite, or short lists of them; of a mapping the entry "seeds".

    Raises:
        ConfigError: an id that is not in ``claims.toml``.
        ValueError: `holds` is no truth value, or a number is not finite.

    Example:
        claims.check("01.collapse", active == 0, active_units=active, kl=kl)
    """
    find_claim(name)
    made = {
        "id": name,
        "holds": truth(name, holds),
        "numbers": {key: plain_number(value, f"{name}: {key}") for key, value in numbers.items()},
    }
    record("claim", made)
    LEDGER.add(made)


def compare(name: str, better: Iterable[float], worse: Iterable[float], lower_is_better: bool = True) -> None:
    """Record a claim that one thing is better than another, over seeds.

    It holds only if `better` is strictly ahead in every seed. What is recorded: in how many
    seeds it is (`ahead`), of how many (`seeds`), and the median, least and greatest of both.

    Args:
        name: the claim's id in ``claims.toml``.
        better, worse: one value a seed, in the same order of seeds; or a mapping that has them
            under "seeds", as `metrics.Spread` does.
        lower_is_better: whether the smaller value wins, as of a loss.

    Raises:
        ConfigError: an unknown id.
        ValueError: no values, or not equally many.
    """
    better, worse = [float(value) for value in seeds_of(better)], [float(value) for value in seeds_of(worse)]
    if len(better) != len(worse) or not better:
        raise ValueError(
            f"{name}: {len(better)} and {len(worse)} values to compare; one of each a seed was expected"
        )
    wins = operator.lt if lower_is_better else operator.gt
    ahead = sum(wins(b, w) for b, w in zip(better, worse, strict=True))
    numbers = {"ahead": ahead, "seeds": len(better)}
    for label, values in (("better", better), ("worse", worse)):
        numbers[f"{label}_median"] = statistics.median(values)
        numbers[f"{label}_range"] = [min(values), max(values)]
    check(name, ahead == len(better), **numbers)


def seeds_of(values: Any) -> Any:
    """The values by seed of a mapping such as `metrics.Spread`; anything else as it is."""
    return values["seeds"] if isinstance(values, Mapping) and "seeds" in values else values


def plain(value: Any) -> Any:
    """A NumPy number or array, or an eager tensor, as Python has it; anything else as it is."""
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.tolist() if hasattr(value, "tolist") else value


def truth(name: str, holds: Any) -> bool:
    """`holds` as a bool. Raises ValueError unless it is one truth value."""
    value = plain(holds)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: holds is {holds!r}; True or False was expected")
    return value


def plain_number(value: Any, where: str) -> Any:
    """A finite number, or a short list of them, as Python has it. Raises ValueError for others."""
    value = plain(seeds_of(value))
    if isinstance(value, list | tuple) and len(value) <= MOST_NUMBERS:
        return [plain_number(item, where) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(
            f"{where} is {value!r}; a finite number, or a list of at most {MOST_NUMBERS}, was expected"
        )
    return value


def table(profile: str) -> ClaimsTable:
    """The claims made since the last table, judged under `profile`; see `Ledger.next_table`."""
    return ClaimsTable(LEDGER.next_table(), profile)


def summary(profile: str) -> ClaimsTable:
    """All claims made in this session, in the order in which they were first made."""
    return ClaimsTable(list(LEDGER.made.values()), profile)


class ClaimsTable:
    """Claims as rows: whether each holds, its sentence, its numbers. A failed check is red."""

    def __init__(self, made: list[dict[str, Any]], profile: str):
        if profile not in PROFILES:
            raise ConfigError(f"no profile {profile!r}{did_you_mean(str(profile), PROFILES)}")
        known = known_claims()
        self.rows = [(known[m["id"]], state(m, profile), m["numbers"]) for m in made]

    def _repr_markdown_(self) -> str:
        lines = [("", "claim", "numbers"), (":--", ":--", ":--")]
        lines += [(mark(*row[:2]), sentence(row[0]), numbers_text(row[2])) for row in self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col' style='{LEFT}'>{text}</th>" for text in ("claim", "numbers"))
        head = f"<thead><tr><td></td>{head}</tr></thead>"
        return f"<table class='claims'>{head}<tbody>{self.body()}</tbody></table>"

    def body(self) -> str:
        """The rows as HTML; their class is the claim's state."""
        rows = []
        for claim, how, numbers in self.rows:
            red = f" style='background:{RED};color:white'" if (claim.kind, how) == ("check", "fails") else ""
            texts = (mark(claim, how), sentence(claim), numbers_text(numbers))
            cells = "".join(f"<td style='{LEFT}'>{html.escape(text)}</td>" for text in texts)
            rows.append(f"<tr class='{claim.kind} {how.replace(' ', '-')}'{red}>{cells}</tr>")
        return "".join(rows)

    def __repr__(self) -> str:
        return self._repr_markdown_()


def mark(claim: Claim, how: str) -> str:
    """What stands before a claim: a sign and a word."""
    return "✗ CHECK FAILED" if (claim.kind, how) == ("check", "fails") else MARKS[how]


def sentence(claim: Claim) -> str:
    """The claim's sentence, with its target if it has one."""
    return f"{claim.sentence} (target: {claim.target})" if claim.target else claim.sentence


def numbers_text(numbers: dict[str, Any]) -> str:
    """Numbers in a row, "kl 0.5 · seeds 3", lists in brackets; those of `compare` as a sentence part."""
    if set(numbers) == COMPARED:
        first, second = (compared_text(numbers, label) for label in ("better", "worse"))
        a, b = numbers["better_median"], numbers["worse_median"]
        relation = "<" if a < b else ">" if a > b else "="
        return f"in {numbers['ahead']} of {numbers['seeds']} seeds · {first} {relation} {second}"
    return " · ".join(f"{key.replace('_', ' ')} {number_text(value)}" for key, value in numbers.items())


def compared_text(numbers: dict[str, Any], label: str) -> str:
    """One side of a comparison: its median, and the range over several seeds."""
    low, high = map(number_text, numbers[f"{label}_range"])
    middle = number_text(numbers[f"{label}_median"])
    return middle if numbers["seeds"] == 1 else f"{middle} ({low} to {high})"


def number_text(value: Any) -> str:
    """One number with four significant digits, or a list of them."""
    if isinstance(value, list):
        return "[" + ", ".join(map(number_text, value)) + "]"
    text = (
        f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    )
    return text.replace("-", "−")
