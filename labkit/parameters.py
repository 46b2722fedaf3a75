"""The parameters of a notebook: declared in one cell, bounded by their comments, checked.

A line reads ``latent_dim = 2  # number of latents, at least 2``. The value is a literal. The
words "at least", "at most", "above" and "below" with a number, or with the name of another parameter,
in the comment are bounds.
Numbers have a size, texts and lists a length beyond which no lab has a use for them.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import operator
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BOUNDS = {"at least": operator.ge, "at most": operator.le, "above": operator.gt, "below": operator.lt}
BOUND = re.compile(rf"\b({'|'.join(BOUNDS)}) ([-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)", re.IGNORECASE)
RELATION = re.compile(rf"\b({'|'.join(BOUNDS)}) ([a-z_]\w*)")
LARGEST = 2**32 - 1  # of a number; a seed may be as large
LONGEST = 1_000  # of a text or a list
MOST_SHOWN = 80  # characters of a value in an error


class ConfigError(ValueError):
    """A lab, profile or parameter that does not exist, or a value that does not fit."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message alone, for the fault is in what was typed."""
        return [f"{type(self).__name__}: {self}"]


def literal(text: str) -> Any:
    """A value as it is typed: a Python literal, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def quoted(value: Any) -> str:
    """A value as an error names it: its first part where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits has no text
        text = f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(text):,} characters)"


def did_you_mean(name: str, known) -> str:
    """Return "; did you mean 'x'?" for the nearest of `known`, else the list of them."""
    known, name = sorted(known), name[:MOST_SHOWN]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell: its default and the comment's unit and bounds."""

    name: str
    default: Any
    comment: str = ""

    @property
    def bounds(self) -> list[tuple[str, float]]:
        """The bounds in the comment, such as ("at least", 2.0)."""
        return [(word.lower(), float(n.replace("−", "-"))) for word, n in BOUND.findall(self.comment)]

    def check(self, value: Any, reference: Any = None, *, live: bool = False) -> Any:
        """Return `value` if it is of the right kind and within the bounds; else raise ConfigError.

        A whole number stands for any number, one value for a list of one.

        Args:
            value: what is asked for.
            reference: an example of the right kind; without one the default is the example.
            live: whether a person may have typed, and saved, another default in the open notebook.
                A whole number as default then says nothing about the kind of number.
        """
        example = self.default if reference is None else reference
        if live and reference is None:
            example = as_any_number(example)
        value = check_kind(self.name, value, example)
        if isinstance(value, list | str) and len(value) > LONGEST:
            raise ConfigError(
                f"parameter {self.name!r} is of length {len(value):,}; at most {LONGEST:,} was expected"
            )
        for number in value if isinstance(value, list) else [value]:
            self.check_bounds(number)
        return value

    def check_relations(self, values: Mapping[str, Any]) -> None:
        """Raise ConfigError if the value does not fit that of another parameter, as the comment says."""
        own = values[self.name]
        for word, other in RELATION.findall(self.comment):
            if other in values and not BOUNDS[word](own, values[other]):
                limit = f"{other}, which is {values[other]:g}"
                raise ConfigError(f"parameter {self.name!r} is {quoted(own)}; it must be {word} {limit}")

    def check_bounds(self, value: Any) -> None:
        """Raise ConfigError if a number is not finite or not within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"parameter {self.name!r} is {value}; it must be finite")
        for word, limit in [*self.bounds, ("at least", -LARGEST), ("at most", LARGEST)]:
            if not BOUNDS[word](value, limit):
                raise ConfigError(f"parameter {self.name!r} is {quoted(value)}; it must be {word} {limit:g}")


KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def as_any_number(example: Any) -> Any:
    """The example with floats in place of whole numbers, which any number is like."""
    if isinstance(example, list | tuple):
        return [as_any_number(item) for item in example]
    return float(example) if type(example) is int else example


def check_kind(name: str, value: Any, example: Any) -> Any:
    """Return `value` if it is of the kind of `example`; else raise ConfigError saying what was expected."""
    if example is None:
        return value
    if isinstance(example, list | tuple):
        items = list(value) if isinstance(value, list | tuple) else [value]
        if not items:
            raise ConfigError(f"parameter {name!r} is an empty list; it needs one value at least")
        return [check_kind(name, item, example[0]) for item in items] if example else items
    kind = type(example)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number if kind is float else type(value) is kind:
        return value
    said = KINDS.get(kind, kind.__name__)
    raise ConfigError(f"parameter {name!r} is {quoted(value)}; {said} like {example!r} was expected")


def parse_parameters(source: str, where: str = "parameters cell") -> dict[str, Parameter]:
    """Read ``name = literal  # comment`` lines. Raises ConfigError for anything else."""
    try:
        tree = ast.parse(source)
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError, ValueError) as error:
        raise ConfigError(f"{where}: the parameters cell is not valid Python: {error}") from error
    found = {}
    for node in tree.body:
        try:
            (target,) = node.targets
            value = ast.literal_eval(node.value)
            found[target.id] = Parameter(target.id, value, comments.get(node.end_lineno, ""))
        except (AttributeError, ValueError) as error:
            raise ConfigError(
                f"{where}: line {node.lineno} of the parameters cell is not 'name = literal'"
            ) from error
    return found
