"""``labkit sweep``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit import config
from labkit.cli.runs import (
    add_options,
    add_out,
    check_out,
    data_now,
    given_parameters,
    run_batch,
    run_options,
    shortest,
)
from labkit.parameters import ConfigError

EXAMPLE = "labkit sweep 01 latent_dim=2,8,32 beta=0.5,1,4 seed=0,1,2"


def add(commands) -> None:
    """Add the command."""
    sweep = commands.add_parser(
        "sweep", help="run a lab for every combination of parameters", epilog=f"Example: {EXAMPLE}"
    )
    sweep.add_argument("lab", metavar="LAB", help="number, name or notebook file")
    sweep.add_argument("axes", nargs="+", metavar="NAME=V1,V2", help="a parameter and its values")
    add_options(sweep)
    add_out(sweep)
    sweep.add_argument("--name", help="of the sweep, and its folder (else by lab, profile and parameters)")
    sweep.add_argument("--dry-run", action="store_true", help="show the grid and the time it will take")
    sweep.set_defaults(command=run_sweep)


def run_sweep(arguments: argparse.Namespace) -> int:
    """Check everything, then run what the sweep does not have yet, and make its page."""
    from labkit.sweeps import sweep as sweeps  # here, for nbformat takes a while to import
    from labkit.sweeps.grid import combinations, parse_axes

    check_out(arguments.out)
    lab = config.find_lab(arguments.lab)
    profile = config.chosen_profile(arguments.profile)
    axes = parse_axes(arguments.axes)
    fixed = given_parameters(arguments.parameter, [lab])
    if both := next((name for name in axes if name in fixed), None):
        raise ConfigError(f"{both!r} is swept over and set by -p; it can be one of them")
    name = check_name(arguments.name or sweeps.default_name(lab, profile, list(axes), fixed))
    sweep = sweeps.open_sweep(arguments.out / "sweeps" / name, lab, profile, list(axes), fixed)
    asked = sweep.add(combinations(axes))
    requests = sweeps.requests_for(sweep, lab, asked, data=data_now(), **run_options(arguments))
    todo = [request for request in requests if request.plan.kind != "skip"]
    tell_plan(sweep, axes, requests, todo, sweeps.seconds_each(sweep, lab, arguments.out), arguments)
    if arguments.dry_run:
        return 0
    return run_and_tell(sweep, requests, todo, arguments)


def check_name(name: str) -> str:
    """The name of a sweep. Raises ConfigError for one that is no plain folder name."""
    if Path(name).name != name or name.startswith("."):
        raise ConfigError(f"--name {name!r} is no plain name of a folder")
    return name


def tell_plan(sweep, axes, requests, todo, each: float | None, arguments: argparse.Namespace) -> None:
    """Say what the grid is, how much of it is there, and how long the rest will take."""
    from labkit.batch.machine import default_jobs
    from labkit.reports.tables import duration

    for name, values in axes.items():
        print(f"{name}: {', '.join(map(str, values))}")
    done = len(requests) - len(todo)
    print(f"{len(requests)} runs of {sweep.lab} under {sweep.profile}, {done} of them done.")
    if not todo:
        return
    if arguments.dry_run:
        for request in todo:
            print(f"  {request.folder}")
    jobs = min(arguments.jobs or default_jobs(todo), len(todo))
    if arguments.scheduler:
        each_text = f"{duration(each)} a run" if each else "a time that no earlier run tells"
        print(f"To run: {len(todo)} on {arguments.scheduler}, {each_text}.", flush=True)
    elif each:
        total = duration(each * -(-len(todo) // jobs))
        print(f"To run: {len(todo)}, {jobs} at once, {duration(each)} each: about {total}.", flush=True)
    else:
        how = f"no run of {sweep.lab} under {sweep.profile} tells yet how long one takes"
        print(f"To run: {len(todo)}, {jobs} at once; {how}.", flush=True)


def run_and_tell(sweep, requests, todo, arguments: argparse.Namespace) -> int:
    """Run what is to be run, keep the page up to date, and say what failed."""
    from labkit.sweeps.keeping import Keeper

    keeper = Keeper(sweep, requests[0])
    sweep.folder.mkdir(parents=True, exist_ok=True)
    keeper.write()
    results = run_batch(todo, arguments, keeper.write, keeper.take)
    failed = [result for result in results if not result.good]
    for result in failed:
        print(f"{result.request.folder}: {result.message or result.outcome}")
    print(f"{len(requests) - len(failed)} of {len(requests)} runs are complete.")
    if keeper.no_parquet:
        print(keeper.no_parquet, file=sys.stderr)
    refresh_overview(arguments.out)
    print(f"Open {shortest(sweep.folder / 'index.html')}")
    return 1 if failed else 0


def refresh_overview(out: Path) -> None:
    """Make the overview of all reports anew, which lists the sweep."""
    from labkit.reports import index

    try:
        index.rebuild(out)
    except OSError as error:
        print(f"labkit: the overview could not be written: {error}", file=sys.stderr)
