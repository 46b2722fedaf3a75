"""A run's claims as a page shows them: each with its sentence of now and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labkit.claims import Claim, known_claims, mark, numbers_text, state
from labkit.reports.record import RunRecord


@dataclass(frozen=True)
class Judged:
    """A claim, how it stands ("holds", "fails", "too short"), and its numbers as a text."""

    claim: Claim
    state: str
    numbers: str

    @property
    def mark(self) -> str:
        """A sign and a word."""
        return mark(self.claim, self.state)


def judge_claims(record: RunRecord) -> list[Judged]:
    """The record's claims in its order; one that claims.toml no longer has is left out."""
    known = known_claims()
    return [judged(known[made["id"]], made, record.profile) for made in record.claims if sound(made, known)]


def sound(made: Any, known: dict[str, Claim]) -> bool:
    """Whether an entry of the record is a claim that can be shown."""
    return (
        isinstance(made, dict)
        and made.get("id") in known
        and isinstance(made.get("holds"), bool)
        and isinstance(made.get("numbers", {}), dict)
    )


def judged(claim: Claim, made: dict[str, Any], profile: str) -> Judged:
    """One claim as it stands in the run."""
    return Judged(claim, state(made, profile), numbers_text(made.get("numbers", {})))
