"""The published set and the local reports: who may write where, and pages made anew."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from labkit import config, project
from labkit.cli import main
from labkit.project import ROOT
from labkit.reports import index, published
from labkit.reports.record import RunRecord
from labkit.reports.render import OWN_TEXT, RenderError, read_left
from labkit.reports.results import put_results

V4 = nbformat.v4
WHOLE = RunRecord(
    lab="01_lab", title="A lab", profile="full", parameters={"seed": 0}, status="completed", cells_run=2,
    cells_total=2, start="2026-01-02T03:04:05+00:00", seconds=60.0, notebook="01_lab.ipynb",
    cells=[{"index": i, "id": n, "status": "ran", "seconds": 0.1} for i, n in ((1, "params"), (2, "sum"))],
    data=[{"name": "mnist", "source": "cache", "digest": "ab", "note": "", "people": "", "whole": True}],
    processor={"model": "p", "cores": 2}, git={"commit": "0123456789abcdef", "dirty": False},
)  # fmt: skip


def source(text="A first reading."):
    """The lab's notebook."""
    cells = [
        V4.new_markdown_cell(f"# A lab\n\n{text}", id="title"),
        V4.new_code_cell("seed = 0  # of all", id="params", metadata={"tags": ["parameters"]}),
        V4.new_code_cell("1 + 1", id="sum"),
    ]
    return V4.new_notebook(cells=cells)


def executed():
    """The same as a run left it."""
    notebook = source()
    notebook.cells[2].outputs = [V4.new_output("execute_result", {"text/plain": "2"}, execution_count=2)]
    return notebook


def short_notebooks(folder):
    """A folder with the lab's notebook alone."""
    folder.mkdir()
    nbformat.write(source(), folder / "01_lab.ipynb")
    return folder


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A project of one lab, with folders for published and local reports."""
    (tmp_path / "reports").mkdir()
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(short_notebooks(tmp_path / "notebooks")))
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    monkeypatch.setattr(project, "PUBLISHED", tmp_path / "reports")
    return tmp_path


def local_run(world, **changes):
    """Put a run into reports/local and return its folder."""
    out = world / "reports" / "local"
    put_results(replace(WHOLE, **changes), {"nats": 1.5}, executed(), out / "01_lab", out, keep=False)
    index.rebuild(out)
    return out / "01_lab"


def test_a_whole_run_is_published_as_it_stands(world):
    place = local_run(world)
    assert published.publish(place) == []
    files = {
        path.name: path.read_bytes() for path in (world / "reports" / "01_lab").iterdir() if path.is_file()
    }
    assert files == {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    assert 'href="01_lab/report.html"' in (world / "reports" / "index.html").read_text()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "failed"}, "failed"),
        ({"profile": "quick"}, "profile quick"),
        ({"departures": {"seed": 1}}, "seed"),
        ({"git": {"commit": "0123", "dirty": True}}, "clean commit"),
        ({"git": None}, "clean commit"),
        ({"data": []}, "no data"),
        ({"data": [{"name": "mnist", "note": "a subset", "whole": False}]}, "mnist: a subset"),
        ({"data": [{"name": "faces", "whole": True, "people": "licensed"}], "people": "shown"}, "licensed"),
    ],
)
def test_what_is_less_is_refused_and_the_published_run_stays(world, changes, why):
    published.publish(local_run(world))
    before = (world / "reports" / "01_lab" / "run.json").read_bytes()
    assert why in "; ".join(published.publish(local_run(world, **changes)))
    assert (world / "reports" / "01_lab" / "run.json").read_bytes() == before


def test_local_pages_lead_to_the_published_one_beside_them(world):
    published.publish(local_run(world))
    local_run(world)
    overview = BeautifulSoup((world / "reports" / "local" / "index.html").read_text(), "html.parser")
    links = [a["href"] for a in overview.select("a[href]")]
    assert "../01_lab/report.html" in links and "../index.html" in links


def rendered(world, *arguments):
    assert main(["render", *arguments, "--out", str(world / "reports" / "local")]) == 0
    return (world / "reports" / "local" / "01_lab" / "report.html").read_text()


def test_a_change_of_wording_reaches_the_page_without_a_run(world):
    place = local_run(world)
    record = (place / "run.json").read_bytes()
    notebook = source("A better reading.")
    notebook.cells.insert(1, V4.new_markdown_cell("## A new section"))
    nbformat.write(notebook, world / "notebooks" / "01_lab.ipynb")
    page = rendered(world, "1")
    assert "A better reading." in page and "A new section" in page and "A first reading." not in page
    assert ">2<" in page and "1.5" in page and OWN_TEXT not in page
    assert (place / "run.json").read_bytes() == record


def test_where_other_code_ran_the_page_keeps_the_text_of_its_run_and_says_so(world):
    local_run(world)
    notebook = source("About other code.")
    notebook.cells[2].source = "1 + 2"
    nbformat.write(notebook, world / "notebooks" / "01_lab.ipynb")
    page = rendered(world)
    assert "A first reading." in page and "About other code." not in page and OWN_TEXT in page


def test_rendering_twice_gives_the_same_files(world):
    place = local_run(world)
    rendered(world)
    first = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    rendered(world)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == first


def test_a_lab_without_a_local_run_is_shown_as_published(world, monkeypatch):
    place = local_run(world)
    published.publish(place)
    shutil.rmtree(world / "reports" / "local")
    monkeypatch.setattr(project, "local_reports", lambda: world / "reports" / "local")
    assert "2 January 2026" in rendered(world, "01")


def test_a_run_that_is_damaged_is_named(world):
    place = local_run(world)
    (place / "run.json").write_text(json.dumps(asdict(WHOLE) | {"cells": "all"}))
    with pytest.raises(RenderError, match="01_lab cannot be read"):
        read_left(place)
    assert main(["render", "--out", str(place.parent)]) == 1


def test_the_published_set_is_whole_and_its_pages_are_those_of_now(tmp_path):
    """Rendering the committed runs changes nothing: text, template and pages agree."""
    for name in config.lab_names():
        shutil.copytree(ROOT / "reports" / name, tmp_path / name)
    assert main(["render", "--out", str(tmp_path)]) == 0
    for name in config.lab_names():
        record = read_left(tmp_path / name).record
        assert (record.status, record.profile, record.git["dirty"]) == ("completed", "full", False)
        for file in ("report.html", "report.ipynb", "run.json", "metrics.json"):
            assert (tmp_path / name / file).read_bytes() == (ROOT / "reports" / name / file).read_bytes(), (
                f"{name}/{file} is out of date; run labkit render --publish"
            )


def stand_in_environment(clone):
    """Give the clone a .venv that is this very environment, so that nothing is installed twice."""
    prefix, venv = Path(sys.prefix), clone / ".venv"
    (venv / "bin").mkdir(parents=True)
    for program in (prefix / "bin").iterdir():
        (venv / "bin" / program.name).symlink_to(program)
    for name in ("lib", "share", "etc", "include"):
        if (prefix / name).exists():
            (venv / name).symlink_to(prefix / name)
    shutil.copy(prefix / "pyvenv.cfg", venv)
    for mark in (".ready", ".ready-dev"):
        (venv / mark).touch()


@pytest.mark.timeout(900)  # two whole runs, and the machine may be busy
def test_the_two_commands_in_either_order_leave_the_clone_clean(tmp_path):
    """make test, make reports, and both again: all pass, and git has nothing to say."""
    clone = tmp_path / "a clone"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(clone)]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        subprocess.run([*git, *arguments], check=True)
    stand_in_environment(clone)
    env = {**os.environ, "PYTHONPATH": str(clone), "LABKIT_OFFLINE": "1"}
    env.pop("LABKIT_RUN_DIR")
    for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS"):  # of `make test VENV=…`, not meant for it
        env.pop(name, None)
    test, reports = ["make", "test", "TESTS=tests/test_project.py"], ["make", "reports", "LABS=01"]
    smoke = {"PROFILE": "smoke"}  # a real lab once, then one of two cells over its results
    short = {"LABKIT_NOTEBOOKS": str(short_notebooks(tmp_path / "notebooks"))}
    for command, changes in ((test, {}), (reports, smoke), (test, {}), (reports, short)):
        done = subprocess.run(command, cwd=clone, env=env | changes, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
        assert status.stdout == "", f"after {' '.join(command)}"
    assert (clone / "reports" / "local" / "01_vae_mnist" / "report.html").exists()
