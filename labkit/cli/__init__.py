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
import contextlib
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from labkit import __version__
from labkit.cli import datasets, labs, pages, runs, sweeps
from labkit.cli.console import write_what_can_be_written
from labkit.parameters import ConfigError

MOST_LINE = 600  # characters of what is said of an error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; what goes wrong is one line, and no traceback."""
    write_what_can_be_written()
    try:
        return flushed(lambda: command(argv))
    except BrokenPipeError as error:
        return end_of_pipe(error)
    except KeyboardInterrupt:
        complain("interrupted before anything ran")
        return 1
    except (
        ConfigError,
        OSError,
        ValueError,
        RuntimeError,
        RecursionError,
        MemoryError,
        OverflowError,
    ) as error:
        complain(sentence(error))
        return 2


def command(argv: Sequence[str] | None) -> int:
    """Read the arguments and do what they say."""
    arguments = parser().parse_args(argv)
    return arguments.command(arguments)


def flushed(act: Callable[[], int]) -> int:
    """What `act` returns or raises, after everything that it printed is where it should be."""
    try:
        return act()
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def sentence(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, OSError) and error.strerror:
        name = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror}{name}"
    else:
        text = str(error) or type(error).__name__
    return in_a_line(text)


def in_a_line(text: str) -> str:
    """A text without line breaks, and its first part only where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_LINE else f"{line[:MOST_LINE]} …"


def complain(line: str) -> None:
    """Say what went wrong, where anyone can hear it."""
    with contextlib.suppress(OSError, ValueError):
        print(f"labkit: {line}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        silence()


def end_of_pipe(error: BrokenPipeError) -> int:
    """Exit status 0 where it is standard output that broke: "labkit labs | head -1" has what it wants."""
    if reader_is_gone():
        silence()
        return 0
    complain(f"a connection broke: {error}")
    return 1


def reader_is_gone() -> bool:
    """Whether nobody reads standard output any more."""
    try:
        watch = select.poll()
        watch.register(1, 0)  # errors are told without asking
        return bool(watch.poll(0))
    except (AttributeError, OSError):  # Windows has no poll
        return True


def silence() -> None:
    """Let what is still to be printed go nowhere, so that Python does not fail on it at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, however long they are."""

    def _print_message(self, message: str, file=None) -> None:
        """Print help or a version; unlike argparse's own it does not hide that it could not."""
        print(message, end="", file=file or sys.stderr)

    def error(self, message: str) -> NoReturn:
        """End with the message in a line."""
        self.exit(2, f"{self.prog}: {in_a_line(message)} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = Parser(prog="labkit", description="Run the labs and make their reports.")
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (labs, runs, sweeps, pages, datasets):
        module.add(commands)
    return top
