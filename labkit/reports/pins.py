"""Numbers in Markdown that are pinned to the published ``metrics.json`` of a lab.

A pin reads ``<!--=lab01.elbo:.1f-->151.5<!---->``: the lab's number, the path of keys in its
metrics.json, a Python format, and the value as it was when last renewed. No reader sees the
marks. Text in, text out; only `published` reads files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The path may hold anything but the end of a comment; the format follows its last colon. An
# empty comment ends the value; nbconvert writes it with a space.
PIN = re.compile(
    r"(?P<open><!--=lab(?P<lab>\d{2})\.(?P<path>(?:(?!-->).)+):(?P<format>(?:(?!-->)[^:])*)-->)"
    r"(?P<value>(?:(?!<!--).)*)(?P<close><!-- ?-->)"
)
MOST_TEXT = 50_000  # characters of a text that pins are looked for in
OPENING = re.compile(r"<!--=")

# Of a lab's number, such as "01", and a path of keys → the value. Raises KeyError without one.
Lookup = Callable[[str, tuple[str, ...]], Any]


class PinError(ValueError):
    """A pin that cannot be read, or whose value is nowhere."""


def value_at(metrics: Any, keys: tuple[str, ...]) -> Any:
    """The value at a path of keys; a list is entered by index. Raises KeyError, naming the key."""
    for key in keys:
        if isinstance(metrics, list) and key.isdecimal() and int(key) < len(metrics):
            metrics = metrics[int(key)]
        elif isinstance(metrics, dict) and key in metrics:
            metrics = metrics[key]
        else:
            raise KeyError(key)
    return metrics


def with_minutes(metrics: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A run's metrics with the `minutes` that it took, those before an interruption included."""
    before = (record.get("resumed") or {}).get("seconds", 0)
    return metrics | {"minutes": (record["seconds"] + before) / 60}


def published(reports: Path) -> Lookup:
    """Lookup of values in ``reports/NN_name/metrics.json``.

    Beside those, a lab has `minutes`, those of its run under full, and `quick_seconds`, as
    `benchmarks/reports.py` measured them.
    """
    read: dict[str, dict] = {}
    timings = reports.parent / "benchmarks" / "results" / "reports.json"
    seconds = json.loads(timings.read_text(encoding="utf-8"))["labs"] if timings.is_file() else {}

    def lookup(lab: str, keys: tuple[str, ...]) -> Any:
        if lab not in read:
            metrics = next(iter(sorted(reports.glob(f"{lab}_*/metrics.json"))), None)
            if metrics is None:
                raise KeyError(f"reports/{lab}_…/metrics.json")
            files = (metrics, metrics.with_name("run.json"))
            name = metrics.parent.name
            quick = {"quick_seconds": seconds[name]} if name in seconds else {}
            read[lab] = quick | with_minutes(
                *(json.loads(path.read_text(encoding="utf-8")) for path in files)
            )
        return value_at(read[lab], keys)

    return lookup


def formatted(value: Any, spec: str) -> str:
    """`value` in Python's format `spec`, with a true minus sign.

    Raises ValueError or TypeError for a value that does not take the format.
    """
    if isinstance(value, float) and value.is_integer() and spec.endswith("d"):
        value = int(value)
    return format(value, spec).replace("-", "−")


def renew(text: str, lookup: Lookup) -> str:
    """`text` with the value of every pin set anew.

    Raises PinError, naming the pin, for a key that is nowhere, a value that does not take the
    format, and a mark that opens without being a whole pin.
    """
    pins = list(PIN.finditer(text))
    whole = {pin.start() for pin in pins}
    for opening in OPENING.finditer(text):
        if opening.start() not in whole:
            raise PinError(
                f"“{text[opening.start() :][:60]}” is no whole pin; "
                "<!--=lab01.key:.1f-->value<!----> was expected"
            )
    return PIN.sub(lambda pin: pin["open"] + value_text(pin, lookup) + pin["close"], text)


def value_text(pin: re.Match, lookup: Lookup) -> str:
    """What a pin's value should read. Raises PinError, naming the pin, if there is none."""
    name = f"lab{pin['lab']}.{pin['path']}"
    try:
        return formatted(lookup(pin["lab"], tuple(pin["path"].split("."))), pin["format"])
    except KeyError as error:
        raise PinError(f"{name}: the published metrics have no {error.args[0]!r}") from error
    except (ValueError, TypeError) as error:
        raise PinError(f"{name} does not take the format {pin['format']!r}: {error}") from error


def with_local(text: str, lookup_local: Lookup, local_lab: str) -> str:
    """`text` with this run's own value behind each pin of its lab, where it reads otherwise.

    "151.5" becomes "151.5 (here 172.3)", or "151.5 (here –)" where the run has no such value.
    Pins of other labs stay as they are.

    Args:
        text: Markdown or HTML.
        lookup_local: lookup of the run's own values.
        local_lab: the run's lab, "01_vae_mnist" or "01".
    """

    def with_own(pin: re.Match) -> str:
        if pin["lab"] != local_lab[:2]:
            return pin[0]
        try:
            own = value_text(pin, lookup_local)
        except PinError:
            own = "–"
        return pin[0] if own == pin["value"] else f"{pin[0]} (here {own})"

    return PIN.sub(with_own, text) if has_pins(text) else text


def has_pins(text: str) -> bool:
    """Whether there are pins in a text; one of more than MOST_TEXT characters is taken to have none."""
    return "<!--=lab" in text and len(text) <= MOST_TEXT and PIN.search(text) is not None
