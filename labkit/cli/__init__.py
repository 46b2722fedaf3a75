"""The command ``labkit``: lists labs, runs them, makes their pages anew, looks after the data.

labs      labs, notebooks: what there is, and copies of it to work on
runs      run
sweeps    sweep
pages     render
datasets  data
console   text for consoles that are not UTF-8

Exit status: 0 all fine; 1 a run failed; 2 bad usage, an unknown lab, profile or parameter.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from labkit import __version__
from labkit.cli import datasets, labs, pages, runs, sweeps
from labkit.cli.console import write_what_can_be_written
from labkit.parameters import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    write_what_can_be_written()
    arguments = parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except ConfigError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError as error:
        return end_of_pipe(error)
    except KeyboardInterrupt:
        print("labkit: interrupted before anything ran", file=sys.stderr)
        return 1


def end_of_pipe(error: BrokenPipeError) -> int:
    """Exit status 0 where it is standard output that broke: "labkit labs | head -1" has what it wants."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    print(f"labkit: a connection broke: {error}", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="labkit", description="Run the labs and make their reports.")
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (labs, runs, sweeps, pages, datasets):
        module.add(commands)
    return top
