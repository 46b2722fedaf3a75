"""The project's own files agree with each other."""

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


def test_binder_s_environment_is_the_project_s_seen_from_its_folder():
    binder = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    text = (ROOT / "environment.yml").read_text()
    text = text.replace("--constraint constraints.txt", "--constraint ../constraints.txt")
    assert binder == yaml.safe_load(text.replace("- -e .", "- -e .."))


def test_every_command_of_the_readme_is_one_that_labkit_has():
    told = re.findall(r"(?:^|[`/!]|-m )labkit ([a-z]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    help_ = subprocess.run([sys.executable, "-m", "labkit", "--help"], capture_output=True, text=True).stdout
    assert {"run", "render", "notebooks", "labs"} <= set(told)
    assert [name for name in told if not re.search(rf"^    {name}\b", help_, re.MULTILINE)] == []


def test_every_file_that_the_readme_names_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    local = [link for link in links if "://" not in link]
    assert local and [link for link in local if not (ROOT / link).exists()] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The project's wheel, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_is_small_and_works_in_an_empty_folder(wheel, tmp_path):
    assert wheel.stat().st_size < 15_000_000
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site]
    subprocess.run([*install, wheel], check=True)
    assert (site / "share" / "jupyter" / "kernels" / "labkit" / "kernel.json").is_file()
    env = {**os.environ, "PYTHONPATH": str(site), "LABKIT_OFFLINE": "1", "HOME": str(empty / "home")}
    env = {name: value for name, value in env.items() if name not in ("LABKIT_DATA", "LABKIT_NOTEBOOKS")}

    def said(*arguments):
        done = subprocess.run(
            [sys.executable, "-P", *arguments], cwd=empty, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert str(site) in said("-c", "import labkit; print(labkit.__file__)")
    assert "10,000 training" in said("-c", "from labkit import data; print(data.load('mnist'))")
    assert "faces of no real person" in said("-c", "from labkit import data; print(data.load('faces'))")
    assert "07_gan_lsgan_dcgan_mnist" in said("-m", "labkit", "labs")
    said("-m", "labkit", "notebooks", "mine")
    assert len(list((empty / "mine").glob("*.ipynb"))) == 7
    assert "quick" in said("-c", "import labkit; print(labkit.configure('01_vae_mnist', {}).profile)")
