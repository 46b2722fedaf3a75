"""The overview: what failed and what cannot be read is named, many runs are a table, sweeps are listed."""

import json
import os
from dataclasses import asdict

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from labkit.reports import index, thumbnails
from labkit.reports.record import RunRecord

RECORD = RunRecord(
    lab="01_lab", title="A lab", profile="smoke", parameters={}, status="completed", cells_run=1,
    cells_total=1, start="2026-01-02T03:04:05+00:00", seconds=60.0, cells=[],
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_labs(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path / "notebooks"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def put(out, name, **changes):
    """Put a run into `out`, with a figure."""
    folder = out / name
    (folder / "figures").mkdir(parents=True)
    record = asdict(RECORD) | changes
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "metrics.json").write_text('{"nats": 1.5}')
    Image.new("RGB", (640, 400), "red").save(folder / "figures" / "a.png")
    return folder


def page_of(out):
    index.rebuild(out)
    return BeautifulSoup((out / "index.html").read_text(), "html.parser")


def test_what_failed_is_named_first(out):
    put(out, "good")
    put(out, "bad", status="failed", failing_cell={"index": 3, "line": "train()", "id": "a"})
    page = page_of(out)
    assert "2 runs, 1 not complete" in " ".join(page.select_one(".masthead").text.split())
    (problem,) = page.select(".problems li")
    assert problem.a["href"] == "bad/report.html" and "failed in cell 4" in problem.text
    assert len(page.select("article")) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "run.json").write_text("[" * 100_000),
        lambda folder: (folder / "run.json").write_text(json.dumps(asdict(RECORD) | {"data": None})),
        lambda folder: (folder / "run.json").write_text(json.dumps(asdict(RECORD) | {"data": [1]})),
        lambda folder: (folder / "run.json").write_text("{}"),
    ],
)
def test_a_neighbour_that_cannot_be_read_is_named_and_stops_nothing(out, spoil):
    put(out, "good")
    spoil(put(out, "odd"))
    page = page_of(out)
    assert len(page.select("article")) == 1 and "no run that can be read: odd" in page.text


def hungry():
    raise MemoryError


@pytest.mark.parametrize("spoil", ["broken", "huge", "link", "hungry"])
def test_a_picture_that_cannot_be_shown_is_passed_over(out, spoil, monkeypatch):
    folder = put(out, "run") / "figures"
    (folder / "a.png").rename(folder / "b.png")
    if spoil == "broken":
        (folder / "a.png").write_bytes(b"no picture")
    elif spoil == "huge":
        Image.new("L", (3000, 3000)).save(folder / "a.png")
        monkeypatch.setattr(thumbnails, "MOST_PIXELS", 1_000_000)
    elif spoil == "link":
        (folder / "a.png").symlink_to(folder / "nowhere")
    else:  # a chunk that is said to hold gigabytes
        good = thumbnails.shrunk
        Image.new("L", (4, 4)).save(folder / "a.png")
        monkeypatch.setattr(thumbnails, "shrunk", lambda path: good(path) if path.stem == "b" else hungry())
    assert page_of(out).select_one("article img")["src"].startswith("data:image/jpeg")


def test_a_thumbnail_is_made_once_and_anew_for_another_run(out, monkeypatch):
    folder = put(out, "run")
    before = page_of(out).select_one("article img")["src"]
    Image.new("RGB", (640, 400), "blue").save(folder / "figures" / "a.png")
    assert page_of(out).select_one("article img")["src"] == before
    kept = thumbnails.kept_file(folder, out, "card").stat().st_mtime_ns
    (folder / "run.json").write_text(json.dumps(asdict(RECORD)))
    os.utime(folder / "run.json", ns=(kept + 1, kept + 1))
    assert page_of(out).select_one("article img")["src"] != before


def test_many_runs_are_a_table(out):
    for i in range(index.MOST_CARDS + 1):
        put(out, f"run-{i:02}", status="failed" if i == 7 else "completed")
    page = page_of(out)
    rows = page.select("table.sortable tbody tr")
    assert len(rows) == index.MOST_CARDS + 1 and not page.select("article")
    assert [row.th.a["href"] for row in page.select("tr.bad")] == ["run-07/report.html"]
    assert all(row.img and "1.5" in row.text for row in rows)


def test_a_run_without_a_record_is_named(out):
    put(out, "done")
    for name, start in (("done", RECORD.start), ("lost", "2026-02-03T04:05:06+00:00")):
        marker = out / ".work" / name / "key" / ".runner" / "unfinished.json"
        marker.parent.mkdir(parents=True)
        marker.write_text(json.dumps({"start": start}))
    text = page_of(out).select_one(".problems").text
    assert "A run of lost began on 3 February 2026" in text and "done" not in text


def test_sweeps_are_listed_with_how_their_runs_ended(out):
    folder = out / "sweeps" / "mine"
    folder.mkdir(parents=True)
    facts = {
        "lab": "01_lab",
        "profile": "quick",
        "parameters": ["beta"],
        "counts": {"completed": 3, "timed_out": 1},
    }
    (folder / "sweep.json").write_text(json.dumps(facts))
    (out / "sweeps" / "odd").mkdir()
    (out / "sweeps" / "odd" / "sweep.json").write_text("{}")
    (entry,) = page_of(out).select("section li")
    assert entry.a["href"] == "sweeps/mine/index.html"
    assert "over beta" in entry.text and "3 completed" in entry.text and "1 timed out" in entry.text
