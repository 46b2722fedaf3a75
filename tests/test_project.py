"""The project's own files agree with each other."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from labkit import __version__
from labkit.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EVERYTHING = RUNTIME + [
    Requirement(line) for extra in PROJECT["optional-dependencies"].values() for line in extra
]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    return {canonical(r.name): r for r in map(Requirement, filter(None, lines))}


def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout: nothing is tracked")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("requirement", EVERYTHING, ids=lambda r: r.name)
def test_every_requirement_is_locked_at_a_version_it_allows(requirement):
    (specifier,) = locked()[canonical(requirement.name)].specifier
    assert specifier.operator == "=="
    assert requirement.specifier.contains(specifier.version)


def test_constraints_name_no_index_and_no_path():
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"^\s*-|://|@", text, flags=re.MULTILINE)


def test_environment_yml_lists_what_pyproject_requires():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert "pip" in conda
    (python,) = [entry.removeprefix("python ") for entry in conda if entry.startswith("python ")]
    assert python == PROJECT["requires-python"]
    assert pip[0] == "--constraint constraints.txt" and pip[-1] == "-e ."
    listed = {canonical(r.name): r.specifier for r in map(Requirement, pip[1:-1])}
    required = {canonical(r.name): r.specifier for r in EVERYTHING}
    assert {name: required.get(name) for name in listed} == listed
    assert {canonical(r.name) for r in RUNTIME} | {"nbval"} <= set(listed)


def test_pre_commit_uses_the_locked_versions():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pinned = [Requirement(line) for hook in hooks for line in hook["additional_dependencies"]]
    versions = locked()
    shared = [r for r in pinned if canonical(r.name) in versions]
    assert {r.name for r in shared} >= {"ruff", "nbstripout"}
    assert all(r.specifier == versions[canonical(r.name)].specifier for r in shared)


def test_citation_and_package_have_one_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def test_no_tracked_file_is_over_6_mb():
    assert [path.name for path in tracked_files() if path.stat().st_size > 6_000_000] == []


def test_no_tracked_text_has_a_machine_path():
    bad = re.compile(rb"/home/[a-z]|/root/|/Users/[A-Za-z]|[A-Z]:\\\\Users|file:///")
    suffixes = {".py", ".md", ".toml", ".txt", ".yml", ".json", ".ipynb", ".html", ".css", ".js"}
    texts = [path for path in tracked_files() if path.suffix in suffixes and path.name != Path(__file__).name]
    assert [path.name for path in texts if bad.search(path.read_bytes())] == []


def test_importing_labkit_imports_nothing_heavy():
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'numpy', 'papermill', 'nbconvert', 'requests'}"
    code = f"import sys, labkit, labkit.cli; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_readme_states_the_figures_of_the_reports():
    spec = importlib.util.spec_from_file_location("results_table", ROOT / "scripts" / "results_table.py")
    results = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(results)
    text = results.README.read_text(encoding="utf-8")
    try:
        expected = results.with_table(text)
    except ValueError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the reports here are not those of the README: {error}")
    assert text == expected
