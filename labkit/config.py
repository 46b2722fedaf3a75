"""Where things are, which labs there are, and what a run of one is told.

A lab is a notebook ``notebooks/NN_name.ipynb``. Its cell tagged ``parameters`` holds one
literal a line. Knobs of science have their value there; knobs of cost are ``None`` there
and get their value from the profile (``notebooks/profiles.toml``).
"""

from __future__ import annotations

import ast
import difflib
import html
import io
import json
import math
import os
import re
import threading
import tokenize
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROFILES = ("smoke", "quick", "full")
LAB_NAME = re.compile(r"[0-9]{2}_[A-Za-z0-9_]+")  # JupyterLab's 01_name-Copy1 is no lab


class ConfigError(ValueError):
    """A lab, profile or parameter that does not exist, or a value that does not fit."""


def did_you_mean(name: str, known) -> str:
    """Return "; did you mean 'x'?" for the nearest of `known`, else the list of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell: its default and the comment's unit."""

    name: str
    default: Any
    comment: str


@dataclass(frozen=True)
class Lab:
    """A notebook that can be run: its name (``01_vae_mnist``), file and parameters."""

    name: str
    path: Path
    title: str
    parameters: dict[str, Parameter]


def notebooks_dir() -> Path:
    """Folder of the notebooks: ``$LABKIT_NOTEBOOKS`` or the project's ``notebooks/``."""
    return Path(os.environ.get("LABKIT_NOTEBOOKS") or ROOT / "notebooks")


def labs() -> dict[str, Lab]:
    """All labs by name, in the order of their numbers."""
    return {name: read_lab(notebooks_dir() / f"{name}.ipynb") for name in lab_names()}


def lab_names() -> list[str]:
    """Names of all labs, in the order of their numbers."""
    stems = sorted(path.stem for path in notebooks_dir().glob("*.ipynb"))
    return [stem for stem in stems if LAB_NAME.fullmatch(stem)]


def find_lab(name: str) -> Lab:
    """The lab of that number or name (``1``, ``01`` or ``01_vae_mnist``).

    Raises ConfigError, with the nearest name, when there is none.
    """
    known = lab_names()
    wanted = name.removesuffix(".ipynb")
    if wanted.isascii() and wanted.isdecimal():
        hits = [stem for stem in known if int(stem[:2]) == int(wanted)]
    else:
        hits = [stem for stem in known if stem == wanted]
    if not hits:
        raise ConfigError(f"no lab {name!r} in {notebooks_dir().name}/{did_you_mean(wanted, known)}")
    if len(hits) > 1:
        raise ConfigError(f"{name!r} may be {' or '.join(hits)}; give the whole name")
    return read_lab(notebooks_dir() / f"{hits[0]}.ipynb")


def read_lab(path: Path) -> Lab:
    """Read a notebook's title and parameters. Raises ConfigError if it is no notebook."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [("".join(c["source"]), c["cell_type"], c["metadata"].get("tags") or []) for c in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path.name} is not a readable Jupyter notebook: {error}") from error
    heading = next((s for s, kind, _ in sources if kind == "markdown"), "")
    title = next((x.lstrip("# ") for x in heading.splitlines() if x.startswith("# ")), path.stem)
    tagged = [s for s, kind, tags in sources if kind == "code" and "parameters" in tags]
    if len(tagged) > 1:
        raise ConfigError(f"{path.name} has {len(tagged)} cells tagged 'parameters'; one is allowed")
    return Lab(path.stem, path, title, parse_parameters(tagged[0], path.name) if tagged else {})


def parse_parameters(source: str, where: str = "parameters cell") -> dict[str, Parameter]:
    """Read ``name = literal  # comment`` lines. Raises ConfigError for anything else."""
    try:
        tree = ast.parse(source)
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError) as error:
        raise ConfigError(f"{where}: the parameters cell is not valid Python: {error}") from error
    found = {}
    for node in tree.body:
        try:
            (target,) = node.targets
            value = ast.literal_eval(node.value)
            found[target.id] = Parameter(target.id, value, comments.get(node.end_lineno, ""))
        except (AttributeError, ValueError) as error:
            raise ConfigError(
                f"{where}: line {node.lineno} of the parameters cell is not 'name = literal'"
            ) from error
    return found


def profile_values(lab: str, profile: str) -> dict[str, Any]:
    """The cost knobs of `lab` under `profile`, from ``profiles.toml``."""
    path = notebooks_dir() / "profiles.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, tomllib.TOMLDecodeError) as error:
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
        raise ConfigError(f"no profile {name!r}{did_you_mean(str(name), PROFILES)}")
    return name


@dataclass(frozen=True)
class Config:
    """The resolved parameters of one run, read as attributes: ``config.epochs``."""

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
        path = run_dir() or ROOT / "reports" / ".work" / f"{self.lab}-live"
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
        head = "<tr><th scope='col'>parameter</th><th scope='col'>value</th><th scope='col'></th></tr>"
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return f"Config({self.lab}, {self.profile}, {dict(self.values)})"


def resolve(lab: str, profile: str | None, given: dict[str, Any]) -> Config:
    """Fill each knob that is ``None`` from the profile; check every name and value.

    Raises ConfigError for an unknown lab, profile or name, and for a value of the wrong
    kind (a count below 1, a rate that is not positive, text where a number stands).
    """
    profile = chosen_profile(profile)
    cost = profile_values(lab, profile)
    declared = find_lab(lab).parameters
    known = set(cost) | set(declared) - {"profile"}
    values, filled = {}, set()
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{lab} has no parameter {name!r}{did_you_mean(name, known)}")
        if value is None:
            if name not in cost:
                where = f"[{lab}.{profile}] in profiles.toml"
                raise ConfigError(f"{lab}: {name!r} is None and {where} has no value for it")
            value = cost[name]
            filled.add(name)
        else:
            reference = declared[name].default if name in declared else None
            value = check_value(name, value, cost.get(name) if reference is None else reference)
        values[name] = tuple(value) if isinstance(value, list) else value
    return Config(lab, profile, MappingProxyType(values), frozenset(filled))


def check_value(name: str, value: Any, reference: Any) -> Any:
    """Return `value` if it is of the kind of `reference`, an int standing for a float too.

    Raises ConfigError naming the parameter, what was expected and what came.
    """
    if isinstance(reference, (list, tuple)):
        items = value if isinstance(value, (list, tuple)) else [value]
        if not items:
            raise ConfigError(f"parameter {name!r} is an empty list; it needs one value at least")
        return [check_value(name, item, reference[0]) for item in items] if reference else list(items)
    if reference is None:
        return value
    kind = type(reference)
    is_int = isinstance(value, int) and not isinstance(value, bool)
    fits = (is_int or isinstance(value, float)) if kind is float else type(value) is kind
    if not fits:
        raise ConfigError(
            f"parameter {name!r} is {value!r}; a {kind.__name__} like {reference!r} was expected"
        )
    if is_int and kind is int and value < 1 and reference >= 1 and name != "seed":
        raise ConfigError(f"parameter {name!r} is {value}; it must be at least 1")
    if kind is float and not 0 <= value < math.inf:
        raise ConfigError(f"parameter {name!r} is {value}; it must be finite and not negative")
    if re.search(r"learning_rate|variance", name) and not value > 0:
        raise ConfigError(f"parameter {name!r} is {value}; it must be positive")
    return value


def configure(lab: str, profile: str | None = None, **knobs) -> Config:
    """Resolve a notebook's knobs and note them in the run's record; see `resolve`."""
    config = resolve(lab, profile, knobs)
    record("config", {"lab": lab, "profile": config.profile, "parameters": dict(config.values)})
    return config


def run_dir() -> Path | None:
    """Folder of the batch run this process is part of (``$LABKIT_RUN_DIR``), if any."""
    path = os.environ.get("LABKIT_RUN_DIR")
    return Path(path) if path else None


def record(kind: str, facts: dict[str, Any]) -> None:
    """Append one fact that only the kernel knows to the run's ``facts.jsonl``.

    Does nothing outside a batch run. The runner reads the file into ``run.json``.
    """
    if (folder := run_dir()) is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "facts.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **facts}, default=list) + "\n")


@contextmanager
def replacing(path: Path):
    """Give a temporary path beside `path`; rename it to `path` if nothing was raised.

    A reader never meets half a file, and an error leaves the old file as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
