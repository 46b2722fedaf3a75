"""Sweeps: the grid, what is run again and what is kept, the table and the page."""

import csv
import io
import json
from collections import Counter
from itertools import product

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from labkit import batch, plots
from labkit.cli import main
from labkit.parameters import ConfigError
from labkit.reports.identity import RESULTS_DEPEND_ON
from labkit.reports.record import versions
from labkit.sweeps.grid import combinations, folder_name, parse_axes
from labkit.sweeps.results import numbers, parquet

NOW = versions()
PARAMETERS = "seed = 0  # of all\nlatent_dim = 2  # latents, at least 1\nbeta = 1.0  # weight of the KL"


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("latent_dim=2,8,32", "latent_dim", [2, 8, 32]),
        ("beta=0.5,1,4", "beta", [0.5, 1, 4]),
        ("beta=1,1.0,2", "beta", [1, 2]),
        ("dims=[1,2],[4,8]", "dims", [[1, 2], [4, 8]]),
        ("data=mnist, fashion_mnist", "data", ["mnist", "fashion_mnist"]),
        ("x=None", "x", [None]),
    ],
)
def test_values_are_read_as_they_are_typed(text, name, values):
    assert parse_axes([text]) == {name: values}


@pytest.mark.parametrize("texts", [["beta"], ["beta="], ["beta=1,,2"], ["2=1"], ["beta=1", "beta=2"]])
def test_what_is_no_axis_is_named(texts):
    with pytest.raises(ConfigError, match=r"beta|2=1"):
        parse_axes(texts)


VALUES = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=200))
AXES = st.dictionaries(
    st.sampled_from(["latent_dim", "beta", "data", "seed"]),
    st.lists(VALUES, min_size=1, max_size=4, unique=True),
    min_size=1,
)


@given(AXES)
def test_every_combination_is_there_once_and_has_a_folder_of_its_own(axes):
    grid = list(combinations(axes))
    assert [tuple(g.values()) for g in grid] == list(product(*axes.values()))
    folders = [folder_name(g) for g in grid]
    assert len(set(folders)) == len(set(map(str, grid)))
    assert all("/" not in name and len(name) < 120 for name in folders)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab with a seed, latents and a β; the folder of its reports."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("# A lab"),
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_lab.ipynb")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    monkeypatch.setattr("labkit.cli.sweeps.data_now", dict)
    return tmp_path / "out"


@pytest.fixture
def ran(monkeypatch):
    """What would have been run, by the values asked for; each leaves a record and a number.

    `ran.failing` are seeds that fail.
    """

    class Ran(list):
        failing = ()

    runs = Ran()

    def run_all(requests, jobs, *, on_result, **options):
        results = []
        for request in requests:
            runs.append(dict(request.given))
            good = request.parameters["seed"] not in runs.failing
            leave(request, "completed" if good else "failed")
            outcome = (
                batch.Result(request, "completed") if good else batch.Result(request, "failed", "it broke")
            )
            on_result(outcome)
            results.append(outcome)
        return results

    monkeypatch.setattr(batch, "run_all", run_all)
    return runs


def leave(request, status):
    """Leave what a run leaves: its record, and its metrics."""
    request.report_dir.mkdir(parents=True, exist_ok=True)
    identity, p = request.identity, request.parameters
    record = {
        "lab": "01_lab", "title": "A lab", "profile": "smoke", "parameters": p, "status": status, "cells": [],
        "cells_run": 1, "cells_total": 1, "start": "2026-01-02T03:04:05+00:00", "seconds": 90.0,
        "code_digest": identity.code, "labkit_digest": identity.labkit, "data": [], "peak_memory_mb": 100,
        "versions": {name: NOW.get(name) for name in RESULTS_DEPEND_ON},
        "error": None if status == "completed" else {"ename": "ValueError", "evalue": "it broke"},
    }  # fmt: skip
    (request.report_dir / "run.json").write_text(json.dumps(record))
    (request.report_dir / "report.html").write_text("a page")
    metrics = {"kl": {"median": p["beta"] * 10 + p["seed"]}, "collapsed": p["beta"] > 2, "text": "words"}
    (request.report_dir / "metrics.json").write_text(json.dumps(metrics))


def sweep(lab, *arguments):
    return main(["sweep", "1", *arguments, "--profile", "smoke", "--out", str(lab)])


def folder_of(lab):
    (folder,) = (lab / "sweeps").iterdir()
    return folder


def rows_of(lab):
    return list(csv.DictReader(io.StringIO((folder_of(lab) / "results.csv").read_text())))


def test_a_sweep_runs_every_combination_and_leaves_a_table(lab, ran, capsys):
    assert sweep(lab, "latent_dim=2,8", "beta=0.5,4", "seed=0,1") == 0
    assert len(ran) == 8 and {"latent_dim": 8, "beta": 0.5, "seed": 1} in ran
    rows = rows_of(lab)
    assert len(rows) == 8 and {row["status"] for row in rows} == {"completed"}
    row = next(r for r in rows if (r["latent_dim"], r["beta"], r["seed"]) == ("8", "4", "1"))
    assert (row["kl.median"], row["collapsed"], row["seconds"]) == ("41", "True", "90.0")
    assert "text" not in row
    assert "8 of 8 runs are complete" in capsys.readouterr().out


def test_values_that_are_added_later_run_alone(lab, ran):
    assert sweep(lab, "beta=1,2", "seed=0,1") == 0
    ran.clear()
    assert sweep(lab, "seed=0,1,2", "beta=1,2") == 0  # the order of the parameters does not matter
    assert ran == [{"beta": 1, "seed": 2}, {"beta": 2, "seed": 2}]
    ran.clear()
    assert sweep(lab, "beta=8", "seed=0") == 0
    assert ran == [{"beta": 8, "seed": 0}] and len(rows_of(lab)) == 7


def test_failures_are_listed_run_again_and_exit_status_1(lab, ran, capsys):
    ran.failing = (1,)
    assert sweep(lab, "beta=1,2", "seed=0,1") == 1
    said = capsys.readouterr().out
    assert "beta=2,seed=1: it broke" in said and "2 of 4 runs are complete" in said
    page = BeautifulSoup((folder_of(lab) / "index.html").read_text(), "html.parser")
    listed = page.select(".problems li")
    assert len(listed) == 2 and "ValueError: it broke" in listed[0].text and listed[0].a["href"]
    assert len(page.select("tbody tr")) == 4 and len(page.select("tbody tr.bad")) == 2
    ran.clear()
    ran.failing = ()
    assert sweep(lab, "beta=1,2", "seed=0,1") == 0
    assert ran == [{"beta": 1, "seed": 1}, {"beta": 2, "seed": 1}]


def test_of_a_thousand_runs_the_fifty_that_failed_are_listed(lab, ran, capsys):
    ran.failing = range(0, 200, 20)
    seeds = ",".join(map(str, range(200)))
    assert sweep(lab, "beta=0,1,2,3,4", f"seed={seeds}") == 1
    assert "950 of 1000 runs are complete" in capsys.readouterr().out
    page = BeautifulSoup((folder_of(lab) / "index.html").read_text(), "html.parser")
    assert len(page.select(".problems li")) == 50 and len(page.select("tbody tr")) == 1000
    assert Counter(row["status"] for row in rows_of(lab)) == {"completed": 950, "failed": 50}


def test_a_dry_run_shows_the_grid_and_the_time(lab, ran, capsys):
    assert sweep(lab, "beta=1", "seed=0") == 0
    capsys.readouterr()
    assert sweep(lab, "beta=1,2,3", "seed=0,1", "--dry-run", "--jobs", "2") == 0
    said = capsys.readouterr().out
    assert "6 runs of 01_lab under smoke, 1 of them done" in said and "beta=3,seed=1" in said
    assert "To run: 5, 2 at once, 1 min 30 s each: about 4 min 30 s" in said
    assert len(ran) == 1


def test_a_dry_run_writes_nothing(lab, ran, capsys):
    assert sweep(lab, "beta=1,2", "--dry-run") == 0
    assert not lab.exists() and "no run of 01_lab under smoke tells yet" in capsys.readouterr().out


def test_the_page_has_plots_a_sortable_table_and_links(lab, ran):
    assert sweep(lab, "latent_dim=2,8", "beta=0.5,1,4", "seed=0,1,2") == 0
    folder = folder_of(lab)
    page = BeautifulSoup((folder / "index.html").read_text(), "html.parser")
    pictures = [image["alt"] for image in page.select("figure img")]
    assert any(
        "kl · median against beta" in alt.replace(", every run a dot, lines through medians", "")
        for alt in pictures
    )
    assert any("latent dim" in alt for alt in pictures)
    links = [a["href"] for a in page.select("table.sortable tbody a")]
    assert len(links) == 18 and all((folder / link).is_file() for link in links)
    assert page.select_one("nav a")["href"] == "../../index.html"


def test_the_overview_lists_the_sweep(lab, ran):
    ran.failing = (1,)
    sweep(lab, "beta=1,2", "seed=0,1")
    overview = BeautifulSoup((lab / "index.html").read_text(), "html.parser")
    (entry,) = (li for li in overview.select("li") if "over beta, seed" in li.text)
    assert "2 completed" in entry.text and "2 failed" in entry.text
    assert (lab / entry.a["href"]).is_file()


def test_runs_of_other_code_are_named_and_run_again_when_asked_for(lab, ran, tmp_path):
    assert sweep(lab, "beta=1,2") == 0
    path = tmp_path / "notebooks" / "01_lab.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("1 + 1"))
    nbformat.write(notebook, path)
    ran.clear()
    assert sweep(lab, "beta=2") == 0
    assert ran == [{"beta": 2}]
    page = BeautifulSoup((folder_of(lab) / "index.html").read_text(), "html.parser")
    assert "beta=1: trains everything anew: the notebook's code has changed" in page.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["betta=1,2"], "did you mean 'beta'"),
        (["latent_dim=2,0"], "must be at least 1"),
        (["beta=1,2", "-p", "beta", "3"], "swept over and set by -p"),
        (["beta=1", "--name", "../x"], "no plain name"),
        (["beta"], "is no NAME=V1,V2"),
    ],
)
def test_what_does_not_fit_is_exit_status_2_before_anything_runs(lab, ran, capsys, arguments, said):
    assert sweep(lab, *arguments) == 2
    assert said in capsys.readouterr().err and not ran and not lab.exists()


def test_a_folder_of_another_sweep_or_of_something_else_is_left_alone(lab, ran, capsys):
    assert sweep(lab, "beta=1", "--name", "mine") == 0
    assert sweep(lab, "seed=1", "--name", "mine") == 2
    assert "another parameters: ['beta'], not ['seed']" in capsys.readouterr().err
    (lab / "sweeps" / "other").mkdir()
    (lab / "sweeps" / "other" / "thesis.txt").write_text("mine")
    assert sweep(lab, "beta=1", "--name", "other") == 2
    assert "holds no sweep.json" in capsys.readouterr().err


def test_metrics_are_flattened_by_their_path():
    nested = {"a": {"b": 1, "c": [2.5, {"d": True}]}, "text": "no", "none": None}
    assert numbers(nested) == {"a.b": 1, "a.c.0": 2.5, "a.c.1.d": True}


def test_parquet_holds_the_same_table_with_types(tmp_path):
    read_parquet = pytest.importorskip("arro3.io").read_parquet
    rows = [
        {"run": "a", "n": 1, "x": 0.5, "ok": True, "v": 1, "mixed": 2},
        {"run": "b", "n": None, "x": 2, "ok": False, "v": 0.25, "mixed": "two"},
    ]
    names = ["run", "n", "x", "ok", "v", "mixed"]
    table = read_parquet(io.BytesIO(parquet(names, rows))).read_all()
    columns = {name: table.column(name).to_pylist() for name in names}
    assert columns == {
        "run": ["a", "b"], "n": [1, None], "x": [0.5, 2.0], "ok": [True, False], "v": [1.0, 0.25],
        "mixed": ["2", "two"],
    }  # fmt: skip


def test_without_its_library_the_table_is_left_as_csv_and_that_is_said(lab, ran, monkeypatch, capsys):
    monkeypatch.setattr("labkit.sweeps.results.has_parquet", lambda: False)
    monkeypatch.setattr("labkit.sweeps.keeping.has_parquet", lambda: False)
    assert sweep(lab, "beta=1") == 0
    assert "labkit[batch]" in capsys.readouterr().err
    assert rows_of(lab) and not (folder_of(lab) / "results.parquet").exists()
    page = BeautifulSoup((folder_of(lab) / "index.html").read_text(), "html.parser")
    assert [a["href"] for a in page.select("a[href^=results]")] == ["results.csv"]


def test_spread_lines_draws_medians_and_every_run():
    series = {"β 1": {2: [1.0, 3.0, 2.0], 8: [5.0]}, "β 4": {2: [4.0, 4.0], 8: []}}
    figure = plots.spread_lines(series, xlabel="latent dim", ylabel="KL")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert lines["β 1"].get_ydata().tolist() == [2.0, 5.0]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert sorted(np.concatenate([line.get_ydata() for line in dots])) == [1, 2, 3, 4, 4, 5]
    assert "β 1 from 2 to 5, at most 2 apart over 3 repetitions" in figure.alt


def test_spread_lines_puts_texts_side_by_side_and_wide_ranges_on_a_log_scale():
    texts = plots.spread_lines({"": {"mnist": [1.0], "faces": [2.0]}}, xlabel="data", ylabel="KL").axes[0]
    assert [tick.get_text() for tick in texts.get_xticklabels()] == ["faces", "mnist"]
    wide = plots.spread_lines({"": {0.01: [1.0], 1: [2.0]}}, xlabel="rate", ylabel="KL").axes[0]
    assert wide.get_xscale() == "log"
    with pytest.raises(ValueError, match="no number"):
        plots.spread_lines({"": {1: []}}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="7 series"):
        plots.spread_lines({str(i): {1: [1.0]} for i in range(7)}, xlabel="x", ylabel="y")
