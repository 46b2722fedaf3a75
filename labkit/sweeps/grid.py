"""The grid of a sweep: values for each parameter, and every combination of them."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.parameters import ConfigError, literal

LONGEST_FOLDER = 100  # characters; file systems take 255, and files get names below it
SPLIT = re.compile(r",(?![^\[(]*[\])])")  # a comma that is not inside brackets


def parse_axes(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each parameter in ``NAME=V1,V2``, each once, in the order given.

    Raises ConfigError for a text of another form, and for a parameter that comes twice.
    """
    axes: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.isidentifier() or not all(part.strip() for part in SPLIT.split(values)):
            raise ConfigError(f"{text!r} is no NAME=V1,V2,… such as latent_dim=2,8,32")
        if name in axes:
            raise ConfigError(f"{name!r} is given twice; write all its values in one: {name}={values},…")
        found = [plain(literal(part.strip())) for part in SPLIT.split(values)]
        axes[name] = [value for i, value in enumerate(found) if value not in found[:i]]
    return axes


def plain(value: Any) -> Any:
    """A whole number as one, for 1.0 and 1 are the same value; anything else as it is."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return int(value) if whole else value


def combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values, the last parameter changing fastest."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def folder_name(given: Mapping[str, Any]) -> str:
    """A folder's name for a combination: ``latent_dim=2,beta=0.5``; what is long or odd gets a digest."""
    text = ",".join(f"{name}={in_name(value)}" for name, value in given.items())
    name = re.sub(r"[^A-Za-z0-9_=,.+-]+", "_", text)
    if name == text and len(name) <= LONGEST_FOLDER:
        return name
    digest = hashlib.sha256(json.dumps(dict(given), sort_keys=True, default=str).encode()).hexdigest()[:8]
    return f"{name[:LONGEST_FOLDER]}-{digest}"


def in_name(value: Any) -> str:
    """A value in a folder's name; a text that reads like a number, or has a comma, in quotes."""
    return value if isinstance(value, str) and literal(value) == value and "," not in value else repr(value)
