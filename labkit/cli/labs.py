"""``labkit labs`` and ``labkit notebooks``."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from labkit import config, project
from labkit.parameters import ConfigError


def add(commands) -> None:
    """Add the commands."""
    labs = commands.add_parser("labs", help="list the labs, their parameters and defaults")
    labs.add_argument("--json", action="store_true", help="as JSON")
    labs.set_defaults(command=list_labs)
    copies = commands.add_parser("notebooks", help="write copies of the notebooks to work on")
    copies.add_argument("folder", type=Path, metavar="DIR", help="where to; files of yours there stay")
    copies.set_defaults(command=copy_notebooks)


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


def copy_notebooks(arguments: argparse.Namespace) -> int:
    """Copy labkit's notebooks into a folder, and never over a file that is there."""
    folder = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; the name of a folder was expected")
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(project.own_notebooks().glob("*.ipynb")):
        target = folder / source.name
        if target.exists():
            print(f"{target}: already there, left as it is")
            continue
        with project.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
        print(target)
    return 0
