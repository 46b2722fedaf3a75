"""``labkit render``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit import config, project
from labkit.cli.runs import add_out, check_out, shortest
from labkit.parameters import ConfigError


def add(commands) -> None:
    """Add the command."""
    render = commands.add_parser("render", help="make pages anew from what runs left; runs nothing")
    render.add_argument("labs", nargs="*", metavar="LAB", help="number or name; none: all")
    add_out(render)
    render.add_argument("--publish", action="store_true", help="the published pages, in their place")
    render.set_defaults(command=render_labs)


def render_labs(arguments: argparse.Namespace) -> int:
    """Make the pages of the runs in a folder anew, and its overview.

    A lab without a run in ``reports/local`` is shown as it was published.
    """
    out = arguments.out
    if arguments.publish:
        from labkit.reports.published import published_dir

        out = published_dir()
    else:
        check_out(out)
    work = places(arguments.labs, out)
    if not arguments.publish:
        check_out(out, list(dict.fromkeys(target.name for _, target, _ in work if target.name != "failed")))
    if not work:
        raise ConfigError(f"there is no run in {shortest(out)} to make a page of; labkit run makes runs")

    from labkit.reports.render import RenderError, render  # here, for nbconvert takes a while to import

    failed = 0
    for source, target, lab in work:
        try:
            page = render(source, target, out, lab)
            print(shortest(page), "(the published run)" if source != target else "")
        except (RenderError, OSError, ValueError) as error:
            failed += 1
            print(f"labkit: {error}", file=sys.stderr)
    rebuild_overview(out)
    print(f"Open {shortest(page if len(work) == 1 and not failed else out / 'index.html')}")
    return 1 if failed else 0


def rebuild_overview(out: Path) -> None:
    """Make the overview of the runs in `out` anew; in a sweep's folder, the sweep's page."""
    from labkit.reports import index
    from labkit.sweeps.keeping import Keeper
    from labkit.sweeps.sweep import read_folder

    if (out / "sweep.json").is_file():
        Keeper(read_folder(out)).write()
    else:
        index.rebuild(out)


def places(names: list[str], out: Path) -> list[tuple[Path, Path, config.Lab | None]]:
    """For each lab: where its run is, where its page goes, and its notebook as it is now.

    Raises ConfigError for a lab that is unknown, or that was named and has no run.
    """
    labs = config.labs()
    wanted = [folder_name(name, out) for name in names] or list(labs)
    if not names and out.is_dir():  # copies and submissions too
        there = [path.parent.name for path in sorted(out.glob("*/run.json")) if path.is_file()]
        wanted += [name for name in there if name not in labs]
    found = []
    for name in wanted:
        target = out / name
        sources = [target]
        if out == project.local_reports() and project.PUBLISHED:
            sources.append(project.PUBLISHED / name)
        source = next((folder for folder in sources if (folder / "run.json").is_file()), None)
        if source:
            found += [(source, target, labs.get(name))]
            if (source / "failed" / "run.json").is_file():
                found.append((source / "failed", target / "failed", labs.get(name)))
        elif names:
            hint = f"labkit run {name[:2]} makes one"
            raise ConfigError(f"there is no run of {name} in {shortest(out)}; {hint}")
    return found


def folder_name(name: str, out: Path) -> str:
    """The folder of a lab by its number or name, or of a copy by its own."""
    return name if (out / name / "run.json").is_file() else config.find_lab(name).name
