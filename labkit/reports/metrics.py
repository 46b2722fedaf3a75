"""The figures a notebook reports of itself: ``metrics.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.project import live_dir
from labkit.reports.files import (
    DEEPEST,
    MOST_JSON,
    check_json,
    parse_json,
    read_bytes,
    read_json,
    to_json,
    write_atomically,
)
from labkit.reports.texts import shortened


class MetricsError(ValueError):
    """A figure that cannot stand in metrics.json."""


def save_metrics(metrics: Mapping[str, Any]) -> None:
    """Add the notebook's figures to this run's ``metrics.json``.

    A second call adds to what the first one saved, and replaces names that come again.
    Outside a batch run the file is ``reports/local/.work/metrics-live/metrics.json``.

    Args:
        metrics: names to numbers, texts, truth values, None, or lists and mappings of
            these. NumPy numbers and arrays are taken too.

    Raises:
        MetricsError: a value that is NaN, infinite or of another kind, which is named; or metrics
            of more values, or nested more deeply, than a report takes.

    Example:
        save_metrics({"lab1": {"test_neg_elbo": 157.2, "active_units": 2}})
    """
    if not isinstance(metrics, Mapping):
        raise MetricsError(f"save_metrics takes a mapping of names to values, not {type(metrics).__name__}")
    path = live_dir("metrics") / "metrics.json"
    found = (read_json(path) or {}) | plain(metrics, "")
    try:
        check_json(found)
    except ValueError as error:
        raise MetricsError(f"these metrics cannot be saved: {error}") from error
    write_atomically(path, to_json(found))


def plain(value: Any, where: str) -> Any:
    """`value` as plain Python for JSON. Raises MetricsError, naming `where` it stands."""
    if where.count(".") + where.count("[") > DEEPEST:
        raise MetricsError(f"metric {shortened(where, 80)!r} is nested more than {DEEPEST} deep")
    if hasattr(value, "tolist"):  # NumPy numbers and arrays, tensors after .numpy()
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(item, f"{where}.{name}".lstrip(".")) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise MetricsError(
            f"metric {where!r} is {value}; a finite number was expected. "
            "Look for a division by zero or a training that diverged."
        )
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise MetricsError(
        f"metric {where!r} is a {type(value).__name__}; a number, text, list or mapping was expected"
    )


def read_metrics(path: Path) -> dict[str, Any]:
    """The figures in `path`; none if the notebook saved none.

    Raises MetricsError if the file is not a JSON object of finite values, as happens
    when a notebook writes it by other means than `save_metrics`.
    """
    try:
        metrics = parse_json(read_bytes(path, MOST_JSON))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MetricsError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MetricsError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(metrics, dict):
        raise MetricsError(f"{path.name} holds no JSON object; use labkit.reports.save_metrics")
    return plain(metrics, "")
