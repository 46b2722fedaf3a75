"""The command ``labkit``: lists labs, runs them, looks after the data.

Exit status: 0 all fine; 1 a run failed; 2 bad usage, an unknown lab, profile or parameter.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit import __version__, config, project
from labkit.parameters import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except ConfigError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("labkit: interrupted before anything ran", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="labkit", description="Run the labs and make their reports.")
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    labs = commands.add_parser("labs", help="list the labs, their parameters and defaults")
    labs.add_argument("--json", action="store_true", help="as JSON")
    labs.set_defaults(command=list_labs)
    add_run(commands)
    data = commands.add_parser("data", help="show, download or verify the data sets")
    data.add_argument("action", nargs="?", choices=("status", "fetch", "verify"), default="status")
    data.set_defaults(command=look_after_data)
    return top


def add_run(commands) -> None:
    """Add ``labkit run``."""
    run = commands.add_parser("run", help="run labs and make their reports")
    run.add_argument("labs", nargs="*", metavar="LAB", help="number or name (01, 01_vae_mnist); none: all")
    run.add_argument("--profile", help="smoke, quick or full (else $LABKIT_PROFILE, else quick)")
    run.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter of the notebooks; may come several times",
    )
    run.add_argument("--jobs", type=positive_int, default=1, metavar="N", help="notebooks at once")
    run.add_argument(
        "--out", type=Path, default=project.local_reports(), metavar="DIR", help="default: reports/local"
    )
    run.add_argument("--resume", action="store_true", help="skip what is completed, go on from checkpoints")
    run.add_argument("--no-faces", action="store_true", help="leave images of people out of the reports")
    run.add_argument("--timeout", type=seconds, metavar="SECONDS", help="limit for each notebook")
    run.set_defaults(command=run_labs)


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """A positive number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return value


def literal(text: str) -> Any:
    """A parameter's value: a Python literal, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def list_labs(arguments: argparse.Namespace) -> int:
    """Print the labs with their parameters."""
    labs = config.labs()
    if arguments.json:
        print(json.dumps([lab_as_json(lab) for lab in labs.values()], indent=2, ensure_ascii=False))
        return 0
    if not labs:
        print(f"There are no labs in {project.notebooks_dir()}.")
    for lab in labs.values():
        print(f"{lab.name}  {lab.title}")
        width = max((len(name) for name in lab.parameters), default=0)
        for name, parameter in lab.parameters.items():
            default = "by profile" if parameter.default is None else repr(parameter.default)
            print(f"    {name:{width}}  {default:12}  {parameter.comment}".rstrip())
    return 0


def lab_as_json(lab: config.Lab) -> dict[str, Any]:
    """One lab for ``labkit labs --json``, with what each profile sets."""
    return {
        "name": lab.name,
        "title": lab.title,
        "notebook": lab.path.name,
        "parameters": {
            name: {"default": parameter.default, "comment": parameter.comment}
            for name, parameter in lab.parameters.items()
        },
        "profiles": {profile: config.profile_values(lab.name, profile) for profile in config.PROFILES},
    }


def run_labs(arguments: argparse.Namespace) -> int:
    """Check everything, then run the labs."""
    labs = [config.find_lab(name) for name in arguments.labs] or list(config.labs().values())
    labs = list({lab.name: lab for lab in labs}.values())
    if not labs:
        raise ConfigError(f"there are no labs in {project.notebooks_dir()}")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise ConfigError(f"--out {arguments.out} is a file; the name of a folder was expected")
    profile = config.chosen_profile(arguments.profile)
    given = {name: literal(value) for name, value in arguments.parameter}

    from labkit.reports.request import prepare  # here, for nbformat takes a while to import

    requests = [
        prepare(
            lab,
            profile,
            given,
            arguments.out,
            timeout=arguments.timeout,
            resume=arguments.resume,
            no_faces=arguments.no_faces,
        )
        for lab in labs
    ]

    from labkit.batch import run_all
    from labkit.reports.people import still_shown

    results = run_all(requests, jobs=arguments.jobs)
    for result in results:
        if not result.good:
            print(f"{result.request.lab.name}: {result.message or result.outcome}")
            if arguments.no_faces and still_shown(result.request.place):
                print(f"    an earlier report that shows people is still in {shortest(result.request.place)}")
    print(f"{sum(result.good for result in results)} of {len(results)} labs are complete.")
    print(f"Reports: {shortest(arguments.out / 'index.html')}")
    return 0 if all(result.good for result in results) else 1


def shortest(path: Path) -> Path:
    """`path` relative to the current folder if it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


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
    """Print which source each set would be read from now, without a download."""
    for found in data.status():
        sizes = f"{len(found.train.images):,} + {len(found.test.images):,}"
        print(f"{found.name}: {sizes} images from {found.source}")
        for problem in found.problems:
            print(f"    {problem}")
    return 0


def data_fetch(data) -> int:
    """Download what is not there yet, with progress on a terminal."""

    def progress(name: str, have: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"\r{name}: {have / 1e6:.1f}{of} MB\x1b[K", end="", file=sys.stderr, flush=True)

    shown = progress if sys.stderr.isatty() else None
    for sentence in data.fetch(progress=shown):
        print(("\r\x1b[K" if shown else "") + sentence)
    return 0


def data_verify(data) -> int:
    """Check every file that is there; exit status 1 if one is not what it should be."""
    checks = data.verify()
    for check in checks:
        print(f"{check.set_name}: {check.file} in {check.source}: {check.problem or check.told}")
    if not checks:
        print("There are no files to verify; `labkit data fetch` downloads them.")
    return 1 if any(check.problem for check in checks) else 0
