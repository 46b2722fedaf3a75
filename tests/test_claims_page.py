"""Answers, claims and pinned numbers on a page and in the overview."""

import base64
import io
from dataclasses import replace

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from labkit.reports import html, index
from labkit.reports.record import RunRecord
from labkit.reports.results import put_results

V4 = nbformat.v4
CLAIMS = """
[claims."01.kl"]
sentence = "The KL's closed form agrees with Monte Carlo."
answers = ["lab1.5"]
kind = "check"
needs = "smoke"
[claims."01.beta"]
sentence = "A larger β gives a smaller KL."
answers = ["lab1.q2"]
kind = "target"
target = "in every seed"
needs = "full"
"""
HANDOUTS = """
[[handout]]
id = "lab1"
title = "Lab 1"
requirement = [
    { id = "lab1.5", notebooks = ["01_lab"], text = "Loss" },
    { id = "lab1.q2", notebooks = ["01_lab"], text = "Question: how does the KL shape the latent space?" },
]
"""
RECORD = RunRecord(
    lab="01_lab", title="A lab", profile="quick", parameters={"seed": 0}, status="completed", cells_run=1,
    cells_total=1, start="2026-01-02T03:04:05+00:00", seconds=60.0, cells=[], notebook="01_lab.ipynb",
    claims=[
        {"id": "01.kl", "holds": False, "numbers": {"errors": 266.3}},
        {"id": "01.beta", "holds": True, "numbers": {"seeds": 3}},
        {"id": "01.gone", "holds": True, "numbers": {}},
    ],
)  # fmt: skip


def picture():
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "png")
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
    return V4.new_output("display_data", data, metadata={"image/png": {"alt": "A curve that falls"}})


def notebook():
    question = {"tags": ["handout:lab1.q2"]}
    return V4.new_notebook(
        cells=[
            V4.new_markdown_cell("# A lab\n\n## Loss\n\n**Predict.** Does it fall?"),
            V4.new_code_cell("# @title The curve, drawn\nplot()", outputs=[picture(), picture()]),
            V4.new_code_cell("plot()", outputs=[picture()], metadata={"tags": ["handout:lab1.5"]}),
            V4.new_markdown_cell(
                "**Answer.** The KL pulls every code to the middle of $N(0, I)$, and at β = 1 the loss is "
                "<!--=lab01.elbo:.1f-->151.5<!----> nats.\n\nMore words.",
                metadata=question,
            ),
        ]
    )


@pytest.fixture
def page_of(tmp_path, monkeypatch):
    """Maker of the page of a run with changes to its record and metrics."""
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    (tmp_path / "claims.toml").write_text(CLAIMS)
    (tmp_path / "handouts.toml").write_text(HANDOUTS)

    def make(metrics=None, **changes):
        made, warnings = html.render(
            notebook(), replace(RECORD, **changes), {"elbo": 172.34} | (metrics or {})
        )
        assert not warnings
        return BeautifulSoup(made, "html.parser")

    return make


def test_a_check_that_fails_is_red_and_counts(page_of):
    page = page_of()
    failed = page.select_one("#claims ~ .claims .check.fails")
    assert "CHECK FAILED" in failed.text and "266.3" in failed.text
    assert "1 does not hold, 1 needs a longer run" in " ".join(page.select_one("#claims + p").text.split())
    assert page.select_one("#requirement-lab1\\.5")["class"] == ["failed"]


def test_a_claim_is_judged_by_the_profile_and_what_is_unknown_is_left_out(page_of):
    page = page_of()
    assert "too short" in page.select_one("#claims ~ .claims .target.too-short").text
    assert page_of(profile="full").select_one("#claims ~ .claims .target.holds")
    assert len(page.select("#claims ~ .claims > li")) == 2


def test_each_question_stands_at_the_top_with_answer_claim_and_one_link(page_of):
    page = page_of()
    answer = page.find(id="answer-lab1.q2")
    assert answer.h3.text == "How does the KL shape the latent space?"
    assert "pulls every code" in answer.text and answer.math and "More words" not in answer.text
    assert "Target: in every seed." in answer.text
    (link,) = answer.select("a")
    assert page.find(id=link["href"][1:]).text.strip().startswith("Answer.")
    assert page.main.find(id="answers") and page.select_one('.contents a[href="#answer-lab1.q2"]')


def test_a_local_page_shows_its_own_value_behind_each_pinned_one_and_says_whose_text_it_is(page_of):
    page = page_of()
    assert page.text.count("151.5 (here 172.3) nats") == 2  # at the top and in its place
    assert "those of the published run" in page.select_one(".masthead").text
    published = page_of({"elbo": 151.52}, profile="full")
    assert "here" not in published.find(id="answer-lab1.q2").text
    assert "those of the published run" not in published.select_one(".masthead").text


def test_the_figure_after_a_question_is_a_main_one_and_a_folded_cell_has_its_name(page_of):
    page = page_of()
    (main,) = page.select(".main-figure")
    assert main.select_one("details.code summary").text.strip() == "The curve, drawn"


def test_a_run_that_departs_from_the_lab_says_so_at_its_top_and_in_its_checklist(page_of):
    page = page_of(departures={"seed": 1})
    assert "seed is 0 and not 1" in " ".join(page.select_one(".masthead").text.split())
    assert "departs from the lab's parameters (seed)" in page.select_one(".requirements").text


def test_the_overview_lists_the_claims(page_of, tmp_path):
    page_of()  # for its folder of notebooks
    put_results(RECORD, {"elbo": 1.0}, notebook(), tmp_path / "out" / "01_lab", tmp_path / "out", keep=False)
    index.rebuild(tmp_path / "out")
    overview = BeautifulSoup((tmp_path / "out" / "index.html").read_text(), "html.parser")
    assert "A larger β gives a smaller KL." in overview.text and overview.select(".claims .check.fails")
