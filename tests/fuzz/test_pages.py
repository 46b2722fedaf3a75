"""Mutated notebooks, run.json and metrics.json: a page, or one of the errors that are meant; never a crash."""  # noqa: E501

import copy
import json
import os

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.reports import html, index, render
from labkit.reports import notebook as notebooks
from labkit.reports.files import parse_json, read_json, to_json
from labkit.reports.metrics import MetricsError, read_metrics
from labkit.reports.record import RunRecord, bounded, read_facts
from labkit.reports.results import put_results

V4 = nbformat.v4
RECORD = {
    "lab": "01_lab", "title": "A lab", "profile": "quick", "parameters": {"epochs": 1}, "status": "completed",
    "cells_run": 1, "cells_total": 1, "start": "2026-01-02T03:04:05+00:00", "seconds": 1.0,
    "cells": [{"index": 0, "id": "a", "status": "ran", "seconds": 1.0}], "data": [{"name": "mnist", "source": "mini"}],  # noqa: E501
    "claims": [{"id": "01.x", "holds": True, "numbers": {"a": 1}}], "training": [{"road": "x"}], "warnings": ["w"],  # noqa: E501
}  # fmt: skip
NOTEBOOK = json.loads(
    nbformat.writes(
        V4.new_notebook(
            cells=[
                V4.new_markdown_cell(
                    "# T\n\n**a** $x$ ![p](attachment:p.png)", attachments={"p.png": {"image/png": "iVBO"}}
                ),
                V4.new_code_cell(
                    "x",
                    outputs=[
                        V4.new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "x"}),
                        V4.new_output("execute_result", {"text/html": "<b>x</b>"}, execution_count=1),
                        V4.new_output("stream", name="stderr", text="t"),
                        V4.new_output("error", ename="E", evalue="e", traceback=["t"]),
                    ],
                    metadata={"tags": ["handout:lab1.1"]},
                ),
            ]
        )
    )
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**400), 10**400), st.floats(), st.text(max_size=30),
    st.sampled_from([[], {}, [[]], {"a": None}, "<meta http-equiv=refresh>", "\ud800", "a" * 10_000, ["x"] * 300]),  # noqa: E501
)  # fmt: skip
MEANT = (OSError, ValueError, AttributeError, nbformat.ValidationError)  # as `notebooks.read` says


def places(value, path=()):
    """The path of every value inside of a value."""
    found = [path]
    for key, item in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        found += places(item, (*path, key))
    return found


@st.composite
def mutated(draw, original):
    """A copy of a JSON value in which up to three places hold something odd, or nothing."""
    value = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in places(value) if p] or [()]))
        if not path:
            return draw(ODD)
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = copy.deepcopy(draw(ODD))  # for a later change may lie inside of it
        else:
            del holder[path[-1]]
    return value


@st.composite
def mangled(draw, text):
    """A text with bytes changed, cut off or put in."""
    content = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(content)


SOME = settings(
    max_examples=int(os.environ.get("FUZZ_COUNT", "40")),  # python -m tests.fuzz pages asks for thousands
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@SOME
@given(made=mutated(NOTEBOOK))
def test_a_mutated_notebook_gives_a_page_or_is_none(folder, made):
    path = folder / "report.ipynb"
    path.write_text(json.dumps(made))
    try:
        notebook = notebooks.read(path)
    except MEANT:
        return
    place = folder / "run" / "01_lab"
    put_results(RunRecord.from_json(RECORD), {}, notebook, place, place.parent, keep=False)
    page = (place / "report.html").read_text()
    assert "http-equiv=refresh" not in page.split("<body>")[1] and len(page) < 200_000
    assert json.loads((place / "run.json").read_text())["status"] in ("completed", "failed")


@SOME
@given(content=mangled(json.dumps(NOTEBOOK)))
def test_a_damaged_notebook_file_is_an_error_that_is_meant(folder, content):
    path = folder / "damaged.ipynb"
    path.write_bytes(content)
    try:
        notebooks.read(path)
    except MEANT:
        return


@SOME
@given(made=mutated(RECORD))
def test_a_mutated_record_gives_a_page_or_an_error_that_is_meant(folder, made):
    place = folder / "01_lab"
    place.mkdir(exist_ok=True)
    (place / "run.json").write_text(json.dumps(made))
    (place / "report.ipynb").write_text(json.dumps(NOTEBOOK))
    index.rebuild(folder)
    try:
        render.render(place, folder / "anew" / "01_lab", folder / "anew", None)
    except render.RenderError:
        return


@SOME
@given(
    made=mutated(
        {"a": 1.5, "group": {"x": {"y": 1}, "z": {"y": 2}}, "list": [1, 2, {"b": None}], "text": "t"}
    )
)
def test_mutated_metrics_are_shown_or_an_error(folder, made):
    path = folder / "metrics.json"
    path.write_text(json.dumps(made))
    try:
        metrics = read_metrics(path)
    except MetricsError:
        return
    html.render(V4.new_notebook(), RunRecord.from_json(RECORD), metrics)[0].encode()


@SOME
@given(
    lines=st.lists(
        st.one_of(mangled('{"kind": "data", "name": "x", "n_train": 5}'), st.binary(max_size=40)), max_size=8
    )
)
def test_facts_are_read_or_left_out(folder, lines):
    path = folder / "facts.jsonl"
    path.write_bytes(b"\n".join(lines))
    facts, _ = read_facts(path)
    to_json(facts).encode()


@SOME
@given(content=st.one_of(mangled(json.dumps(RECORD)), st.binary(max_size=200)))
def test_json_is_read_or_refused_and_can_be_written_again(folder, content):
    path = folder / "any.json"
    path.write_bytes(content)
    assert read_json(path) is None or to_json(bounded(read_json(path))).encode()
    try:
        to_json(parse_json(content)).encode()
    except ValueError:
        return
