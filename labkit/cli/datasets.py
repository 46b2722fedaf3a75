"""``labkit data``."""

from __future__ import annotations

import argparse
import sys


def add(commands) -> None:
    """Add the command."""
    data = commands.add_parser("data", help="show, download or verify the data sets")
    data.add_argument("action", nargs="?", choices=("status", "fetch", "verify"), default="status")
    data.set_defaults(command=look_after_data)


def look_after_data(arguments: argparse.Namespace) -> int:
    """Show, download or verify the data sets."""
    from labkit import data  # here, for it imports NumPy

    actions = {"status": data_status, "fetch": data_fetch, "verify": data_verify}
    try:
        return actions[arguments.action](data)
    except data.DataError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 1


def data_status(data) -> int:
    """Print which source each set would be read from now, without a download; 1 if one has none."""
    refused = False
    for found in data.status():
        if isinstance(found, data.Refused):
            refused = True
            print(f"{found.name}: {found.reason}")
            continue
        sizes = f"{len(found.train.images):,} + {len(found.test.images):,}"
        print(f"{found.name}: {sizes} images from {found.source}")
        for problem in found.problems:
            print(f"    {problem}")
    return int(refused)


def data_fetch(data) -> int:
    """Download what is not there yet, with progress on a terminal."""

    def progress(name: str, have: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"\r{name}: {have / 1e6:.1f}{of} MB\x1b[K", end="", file=sys.stderr, flush=True)

    shown = progress if sys.stderr.isatty() else None
    done = data.fetch(progress=shown)
    for outcome in done:
        sentence = f"{outcome.name}: {outcome.reason}" if isinstance(outcome, data.Refused) else outcome
        print(("\r\x1b[K" if shown else "") + sentence)
    return int(any(isinstance(outcome, data.Refused) for outcome in done))


def data_verify(data) -> int:
    """Check every file that is there; exit status 1 if one is not what it should be."""
    checks = data.verify()
    for check in checks:
        print(f"{check.set_name}: {check.file} in {check.source}: {check.problem or check.facts}")
    if not checks:
        print("There are no files to verify; `labkit data fetch` downloads them.")
    return 1 if any(check.problem for check in checks) else 0
