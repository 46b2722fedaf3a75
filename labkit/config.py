"""Which labs there are, and what a run of one is told.

A lab is a notebook ``notebooks/NN_name.ipynb``. Its cell tagged ``parameters`` holds one
literal a line. Knobs of science have their value there; knobs of cost are ``None`` there
and get their value from the profile (``notebooks/profiles.toml``).
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labkit.parameters import ConfigError, Parameter, did_you_mean, parse_parameters, quoted
from labkit.project import live_dir, notebooks_dir, read_toml, record

PROFILES = ("smoke", "quick", "full")
LAB_NAME = re.compile(r"[0-9]{2}_[A-Za-z0-9_]+")  # JupyterLab's 01_name-Copy1 is no lab
CONFIGURED = re.compile(r"""configure\(\s*["']([^"']+)["']""")  # which lab a copy is of


@dataclass(frozen=True)
class Lab:
    """A notebook that can be run: its name (``01_vae_mnist``), file, title and parameters.

    `of` is the lab whose profiles and requirements apply: another one's name for a copy.
    """

    name: str
    path: Path
    title: str
    parameters: dict[str, Parameter]
    of: str


def labs() -> dict[str, Lab]:
    """All labs by name, in the order of their numbers."""
    return {name: read_lab(notebooks_dir() / f"{name}.ipynb") for name in lab_names()}


def lab_names() -> list[str]:
    """Names of all labs, in the order of their numbers."""
    stems = sorted(path.stem for path in notebooks_dir().glob("*.ipynb"))
    return [stem for stem in stems if LAB_NAME.fullmatch(stem)]


def find_lab(name: str) -> Lab:
    """The lab of that number or name (``1``, ``01``, ``01_vae_mnist``), or the notebook at that path.

    Raises ConfigError, with the nearest name, when there is none.
    """
    known = lab_names()
    wanted = name.removesuffix(".ipynb")
    if wanted.isascii() and wanted.isdecimal():
        hits = [stem for stem in known if stem[:2].lstrip("0") == wanted.lstrip("0")]
    else:
        hits = [stem for stem in known if stem == wanted]
    if len(hits) > 1:
        raise ConfigError(f"{name!r} may be {' or '.join(hits)}; give the whole name")
    if hits:
        return read_lab(notebooks_dir() / f"{hits[0]}.ipynb")
    paths = [Path(name), Path(f"{name}.ipynb"), notebooks_dir() / f"{wanted}.ipynb"]
    for path in paths:
        if path.suffix == ".ipynb" and is_file(path):
            return read_lab(path)
    if os.sep in name or name.endswith(".ipynb"):
        raise ConfigError(f"there is no notebook {quoted(name)}{did_you_mean(Path(wanted).name, known)}")
    raise ConfigError(f"no lab {quoted(name)} in {notebooks_dir().name}/{did_you_mean(wanted, known)}")


def is_file(path: Path) -> bool:
    """Whether `path` is a file; a name that the system does not take is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_lab(path: Path) -> Lab:
    """Read a notebook's title and parameters. Raises ConfigError if it is no notebook."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8-sig"))["cells"]
        sources = [("".join(c["source"]), c["cell_type"], c["metadata"].get("tags") or []) for c in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not a readable Jupyter notebook: {error}") from error
    heading = next((s for s, kind, _ in sources if kind == "markdown"), "")
    title = next((x.lstrip("# ") for x in heading.splitlines() if x.startswith("# ")), path.stem)
    code = [(s, tags) for s, kind, tags in sources if kind == "code"]
    tagged = [s for s, tags in code if "parameters" in tags]
    if len(tagged) > 1:
        raise ConfigError(f"{path.name} has {len(tagged)} cells tagged 'parameters'; one is allowed")
    parameters = parse_parameters(tagged[0], path.name) if tagged else {}
    return Lab(path.stem, path, title, parameters, lab_of(path, [s for s, _ in code]))


def lab_of(path: Path, sources: list[str]) -> str:
    """The lab that a notebook is, or that it is a copy of: by what it configures, else by its number."""
    known = lab_names()
    configured = [name for source in sources for name in CONFIGURED.findall(source)]
    numbered = [name for name in known if name[:2] == path.stem[:2]]
    return next((name for name in [path.stem, *configured, *numbered] if name in known), path.stem)


def profile_values(lab: str, profile: str) -> dict[str, Any]:
    """The cost knobs of `lab` under `profile`, from ``profiles.toml``."""
    path = notebooks_dir() / "profiles.toml"
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name} is not readable TOML: {error}") from error
    if profile not in PROFILES:
        raise ConfigError(f"no profile {profile!r}{did_you_mean(str(profile), PROFILES)}")
    try:
        return dict(table.get(lab, {}).get(profile, {}))
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path.name}: [{lab}.{profile}] is no table of knobs") from error


def chosen_profile(profile: str | None) -> str:
    """The profile asked for: the argument, else ``$LABKIT_PROFILE``, else ``quick``."""
    name = profile or os.environ.get("LABKIT_PROFILE") or "quick"
    if name not in PROFILES:
        raise ConfigError(f"no profile {quoted(name)}{did_you_mean(str(name), PROFILES)}")
    return name


@dataclass(frozen=True)
class Config:
    """The resolved parameters of one run, read as attributes: ``cfg.epochs``."""

    lab: str
    profile: str
    values: MappingProxyType
    from_profile: frozenset = field(default_factory=frozenset)

    def __getattr__(self, name: str):
        values = self.__dict__.get("values", {})
        if name.startswith("__") or name not in values:
            raise AttributeError(f"no parameter {name!r}{did_you_mean(name, values)}")
        return values[name]

    @property
    def out(self) -> Path:
        """Folder for this run's checkpoints and histories; made if it is not there."""
        path = live_dir(self.lab)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _repr_html_(self) -> str:
        rows = [("profile", self.profile, "")]
        rows += [
            (name, value, f"from profile {self.profile}" if name in self.from_profile else "")
            for name, value in self.values.items()
        ]
        body = "".join(
            f"<tr><th scope='row'>{html.escape(n)}</th><td>{html.escape(str(v))}</td>"
            f"<td>{html.escape(note)}</td></tr>"
            for n, v, note in rows
        )
        head = "<tr><th scope='col'>parameter</th><th scope='col'>value</th><td></td></tr>"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return f"Config({self.lab}, {self.profile}, {dict(self.values)})"


def resolve(lab: Lab, profile: str | None, given: Mapping[str, Any], *, live: bool = False) -> Config:
    """Every parameter of `lab`: as given, else its default, else the profile's value; all checked.

    `live` says that the notebook is open and its defaults may be a person's; see `Parameter.check`.

    Raises ConfigError for a name that neither the parameters cell nor the profile has, for a
    value of the wrong kind or out of its bounds, in numbers or by another parameter's value, and
    for a knob that the profile has no value for.
    """
    profile = chosen_profile(profile)
    cost = profile_values(lab.of, profile)
    declared = {name: p for name, p in lab.parameters.items() if name != "profile"}
    if unknown := next((name for name in given if name not in declared), None):
        raise ConfigError(f"{lab.name} has no parameter {quoted(unknown)}{did_you_mean(unknown, declared)}")
    values, filled = {}, set()
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            if name not in cost:
                where = f"[{lab.of}.{profile}] in profiles.toml"
                raise ConfigError(f"{lab.name}: {name!r} is None and {where} has no value for it")
            value = cost[name]
            filled.add(name)
        value = parameter.check(value, cost.get(name), live=live)
        values[name] = tuple(value) if isinstance(value, list) else value
    for parameter in declared.values():
        parameter.check_relations(values)
    return Config(lab.of, profile, MappingProxyType(values), frozenset(filled))


def configure(lab: str, namespace: Mapping[str, Any]) -> Config:
    """Resolve a notebook's parameters and note them in the run's record; see `resolve`.

    Args:
        lab: name of the lab, such as "01_vae_mnist".
        namespace: where the parameters' values are: the notebook's `globals()`. What the
            parameters cell does not declare is not looked at.

    Returns:
        the values as attributes: `cfg.epochs`.

    Raises:
        ConfigError: see `resolve`.
    """
    found = find_lab(lab)
    given = {name: namespace[name] for name in found.parameters if name in namespace and name != "profile"}
    config = resolve(found, namespace.get("profile"), given, live=True)
    record("config", {"lab": lab, "profile": config.profile, "parameters": dict(config.values)})
    return config
