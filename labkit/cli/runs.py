"""``labkit run``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit import config, project
from labkit.parameters import ConfigError, literal
from labkit.reports.guard import refusal

MOST_JOBS = 1_000  # notebooks at once


def add(commands) -> None:
    """Add the command."""
    run = commands.add_parser("run", help="run labs and make their reports")
    run.add_argument(
        "labs", nargs="*", metavar="LAB", help="number, name or notebook file (01, mine/01.ipynb); none: all"
    )
    add_options(run)
    add_out(run)
    run.add_argument("--resume", action="store_true", help="skip what is completed, go on from checkpoints")
    run.add_argument(
        "--publish",
        action="store_true",
        help="put whole runs (full, clean commit, all data) into the published reports/",
    )
    run.set_defaults(command=run_labs)


def add_options(command) -> None:
    """Add what `run` and `sweep` have in common: what runs are told, and where and how many at once."""
    command.add_argument("--profile", help="smoke, quick or full (else $LABKIT_PROFILE, else quick)")
    command.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter of the notebooks; once for each",
    )
    command.add_argument("--no-faces", action="store_true", help="leave images of people out of the reports")
    command.add_argument(
        "--jobs", type=positive_int, metavar="N", help="notebooks at once (else as cores and memory allow)"
    )
    command.add_argument("--timeout", type=positive, metavar="SECONDS", help="limit for each notebook")
    command.add_argument("--memory", type=positive, metavar="GB", help="limit of memory for each notebook")
    command.add_argument("--cores", type=positive_int, metavar="N", help="cores for each notebook")
    command.add_argument(
        "--gpus", type=positive_int, metavar="N", help="GPUs for each notebook (on a cluster)"
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="run on a Dask cluster: its scheduler's address, or slurm"
    )


def add_out(command) -> None:
    """Add the folder of the reports."""
    default = project.local_reports()
    command.add_argument(
        "--out",
        type=folder,
        default=default,
        metavar="DIR",
        help=f"folder of the reports: {shortest(default)}",
    )


def folder(text: str) -> Path:
    """The path of a folder; an empty one would be the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of a folder was expected, and nothing is given")
    return Path(text)


def positive_int(text: str) -> int:
    """A whole number from 1 to MOST_JOBS."""
    if not (
        text.isascii() and text.isdecimal() and 1 <= len(text.lstrip("0")) <= 6 and int(text) <= MOST_JOBS
    ):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no whole number of at least 1 and at most {MOST_JOBS}"
        )
    return int(text)


def positive(text: str) -> float:
    """A positive number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no positive number")
    return value


def given_parameters(pairs: list[tuple[str, str]], labs: list[config.Lab]) -> dict[str, Any]:
    """The parameters that were asked for. Raises ConfigError where one comes twice."""
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name in given:
            values = ",".join(value for other, value in pairs if other == name)
            raise ConfigError(
                f"parameter {name!r} is given more than once, and a run takes one value. "
                f"A run for every value: labkit sweep {labs[0].name[:2]} {name}={values}"
            )
        given[name] = literal(text)
    return given


def chosen_labs(names: list[str]) -> list[config.Lab]:
    """The labs named, all where none is. Raises ConfigError where two would share a folder."""
    labs = [config.find_lab(name) for name in names] or list(config.labs().values())
    labs = list({lab.path.resolve(): lab for lab in labs}.values())
    if not labs:
        raise ConfigError(f"there are no labs in {project.notebooks_dir()}")
    taken = [lab.name for lab in labs]
    if twice := next((name for name in taken if taken.count(name) > 1), None):
        raise ConfigError(f"two notebooks are named {twice}, and their reports would share a folder")
    return labs


def check_out(out: Path, names: Sequence[str] = ()) -> None:
    """Raise ConfigError for a folder that runs of the labs `names` may not write to."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; the name of a folder was expected")
    if project.PUBLISHED and out.resolve() == project.PUBLISHED:
        raise ConfigError("reports/ holds the published set; only --publish writes there")
    if not project.can_write(out):
        raise ConfigError(f"--out {out} is in a folder that you may not write to. Name another folder")
    if why := refusal(out, names):
        raise ConfigError(f"--out {out}: {why}. Name another folder, or move it away")


def run_labs(arguments: argparse.Namespace) -> int:
    """Check everything, then run the labs."""
    labs = chosen_labs(arguments.labs)
    check_out(arguments.out, [lab.name for lab in labs])
    profile = config.chosen_profile(arguments.profile)
    given = given_parameters(arguments.parameter, labs)

    from labkit.reports import published  # here, for nbformat takes a while to import
    from labkit.reports.request import prepare

    options = run_options(arguments) | {"resume": arguments.resume}
    data = data_now() if arguments.resume else {}
    requests = [prepare(lab, profile, given, arguments.out, data=data, **options) for lab in labs]
    if arguments.publish:
        published.check_before(requests)
    if arguments.resume:
        for request in requests:
            print(f"{request.lab.name}: {request.plan.why}", flush=True)
    results = run_batch(requests, arguments, overview(arguments.out))
    complete = [tell(result, arguments) for result in results]
    print(f"{sum(complete)} of {len(results)} labs are complete.")
    page = results[0].report if len(results) == 1 else arguments.out / "index.html"
    print(f"Open {shortest(page)}")
    return 0 if all(complete) else 1


def run_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `run` and `sweep` tell every run, as options of a request."""
    return {
        "timeout": arguments.timeout,
        "memory_mb": round(arguments.memory * 1000) if arguments.memory else None,
        "no_faces": arguments.no_faces,
    }


def run_batch(requests, arguments: argparse.Namespace, page, take=lambda result: None) -> list:
    """Run the requests as the arguments say.

    `page` is a function that makes a page, which is kept up to date; `take` hears of each result.
    """
    from labkit import batch
    from labkit.batch.renewal import Renewal

    renew = Renewal(page)
    try:
        return batch.run_all(
            requests,
            arguments.jobs,
            scheduler=arguments.scheduler,
            needs=batch.Needs(arguments.cores, arguments.gpus),
            on_result=lambda result: (take(result), renew()),
        )
    finally:
        try:
            page()
        except OSError as error:
            print(f"labkit: the overview could not be written: {error}", file=sys.stderr)


def overview(out: Path):
    """A function that makes the overview of the reports in `out`."""

    def make() -> None:
        from labkit.reports import index  # here, for it imports nbconvert

        index.rebuild(out)

    return make


def data_now() -> dict[str, str]:
    """Digests of the image sets as they would be read now, by name."""
    from labkit import data  # here, for it imports NumPy

    # of a set that is refused a run will say what is wrong
    return {found.name: found.digest for found in data.status() if isinstance(found, data.Found)}


def tell(result, arguments: argparse.Namespace) -> bool:
    """Print what went wrong with a run, or that it was published; return whether all went well."""
    from labkit.reports import published
    from labkit.reports.people import still_shown

    request = result.request
    if not result.good:
        print(f"{request.lab.name}: {result.message or result.outcome}")
        if arguments.no_faces and still_shown(request.report_dir):
            print(f"    an earlier report that shows people is still in {shortest(request.report_dir)}")
    elif arguments.publish:
        if reasons := published.publish(request.report_dir):
            print(f"{request.lab.name} is not published: {'; '.join(reasons)}")
            return False
        print(f"{request.lab.name} is published in {shortest(published.published_dir() / request.lab.name)}")
    return result.good


def shortest(path: Path) -> Path:
    """`path` relative to the current folder if it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
