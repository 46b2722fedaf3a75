"""Files of a run and of its reports: read with limits, written so that a reader never sees half of one.

What a cell left under a name of ours may be a pipe that nobody fills, a device, or 5 GB of zeros.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from labkit.project import replacing

MOST_BYTES = 100_000_000  # of a notebook
MOST_JSON = 10_000_000  # of a file of figures or facts
MOST_VALUES = 300_000  # of such a file
DEEPEST = 40  # lists and mappings in one another
MOST_DIGITS = 300  # of a whole number; more is no number to a reader in another language


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """What a regular file of at most `most` bytes holds. Raises OSError, naming it, for any other."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe is not waited for
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        content = b"" if about.st_size > most else file.read(most + 1)
        if max(about.st_size, len(content)) > most:
            size = f"it is larger than {most / 1e6:g} MB"
            raise OSError(errno.EFBIG, size, str(path))
        return content


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def to_json(value: Any) -> str:
    """Indented JSON with a final newline. Raises ValueError for NaN and infinity."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def parse_json(text: str | bytes) -> Any:
    """The value in a JSON text, which can be written as JSON again and shown on a page.

    Raises ValueError for text that is not JSON, NaN and infinity among it, and for what is nested
    too deeply, has too many values, a number of too many digits, or half a surrogate pair.
    """
    try:
        value = json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    check_json(value)
    return value


def refuse(constant: str):
    """NaN and infinities are no JSON."""
    raise ValueError(f"it holds {constant}, which is not JSON")


def check_json(value: Any) -> None:
    """Raise ValueError where a value read from JSON is beyond what `parse_json` allows."""
    layer, seen = [value], 0
    for _ in range(DEEPEST):
        seen += len(layer)
        if seen > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES:,} values")
        for item in layer:
            check_leaf(item)
        layer = [child for item in layer if isinstance(item, list | dict) for child in children(item)]
        if not layer:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def children(value: list | dict) -> list[Any]:
    """What stands in a list or a mapping, its names too."""
    return [*value, *value.values()] if isinstance(value, dict) else value


def check_leaf(value: Any) -> None:
    """Raise ValueError for a text that UTF-8 cannot hold and for a number that no one can read."""
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError
    elif isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
        raise ValueError(f"it holds a whole number of more than {MOST_DIGITS} digits")


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, or None if there is no such file or it holds no object."""
    try:
        value = parse_json(read_bytes(path, MOST_JSON))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
