"""What ``notebooks/labs.toml`` says of each lab: question, thumbnail, headline numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.parameters import ConfigError
from labkit.project import notebooks_dir, read_toml


@dataclass(frozen=True)
class Headline:
    """A number that stands for a lab: its text, its path in metrics.json, its Python format."""

    text: str
    key: tuple[str, ...]
    format: str

    def shown(self, metrics: Mapping[str, Any]) -> str | None:
        """The number as text; None where the metrics do not hold it."""
        value: Any = metrics
        for name in self.key:
            value = value.get(name) if isinstance(value, Mapping) else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return format(value, self.format) if is_number else None


@dataclass(frozen=True)
class About:
    """One lab in the overview."""

    question: str = ""
    thumbnail: str = ""
    headline: tuple[Headline, ...] = ()


def about_labs() -> dict[str, About]:
    """The table by lab; empty without the file. Raises ConfigError where it cannot be read."""
    path = notebooks_dir() / "labs.toml"
    try:
        return {name: read(row) for name, row in read_toml(path).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path.name} is not a readable table of labs: {error!r}") from error


def read(row: Mapping[str, Any]) -> About:
    """One lab's entry."""
    numbers = tuple(Headline(n["text"], tuple(n["key"]), n["format"]) for n in row.get("headline", ()))
    return About(row["question"], row.get("thumbnail", ""), numbers)
