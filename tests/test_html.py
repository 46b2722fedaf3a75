"""The page made of an executed notebook: what stands in it, and that it loads nothing."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from labkit import player
from labkit.reports import html, index
from labkit.reports.mathml import MathError, to_mathml
from labkit.reports.notebook import apply_record, clean_outputs, figures
from labkit.reports.record import RunRecord
from labkit.reports.results import put_results

LOADING = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def png():
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def output(**data):
    metadata = data.pop("metadata", {})
    names = {
        "html": "text/html",
        "md": "text/markdown",
        "latex": "text/latex",
        "png": "image/png",
        "text": "text/plain",
    }
    data = {names.get(name, name): value for name, value in data.items()}
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def code(source, *outputs, tags=(), status="ran"):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})
    cell.metadata["labkit"] = {"status": status, "seconds": 2.5}
    return cell


def notebook():
    markdown = nbformat.v4.new_markdown_cell
    alt = {"image/png": {"alt": 'Two "curves" fall', "name": "history", "width": 300}}
    return nbformat.v4.new_notebook(
        cells=[
            markdown("# A lab of one page\n\nWe minimise $-\\log p(x)$."),
            markdown(
                "## Loss\n\n$$\\mathrm{KL}(q\\,\\|\\,p)$$\n\n```\n# no heading\n```\n\n##### Deep\n\n![a](https://example.org/a.png)"
            ),
            code("# first a comment\nloss = 1 < 2", output(png=png(), metadata=alt), tags=["handout:lab1.1"]),
            code("widget", output(**{WIDGET: {}, "text": "IntSlider(value=3)"})),
            code(
                "table", output(md="# Result\n\n| a | b |\n|---|---|\n| 1 | $x^2$ |"), output(latex="$x_1$")
            ),
            code("noisy", nbformat.v4.new_output("stream", name="stderr", text="a <b> warning")),
            code("unclear", output(png=png()), output(html="<script>alert(1)</script><b>bold</b>")),
            markdown("## Loss\n\nUnknown: $\\foo{x}$.\n\n```python\nprint(1)\n```"),
        ]
    )


RECORD = RunRecord(
    lab="01_vae_mnist",
    title="A lab of one page & more",
    profile="quick",
    parameters={"epochs": 2, "dims": [1, 2]},
    status="completed",
    cells_run=5,
    cells_total=5,
    start="2026-01-02T03:04:05+00:00",
    seconds=75.0,
    cells=[],
    code_digest="abcdef0123456789abcdef",
    peak_memory_mb=1234,
    data=[
        {
            "name": "mnist",
            "source": "mini",
            "digest": "0a",
            "n_train": 10000,
            "n_test": 2000,
            "note": "A subset.",
        }
    ],
    processor={"model": "A processor", "cores": 2},
    versions={"python": "3.11.7", "keras": None},
    git={"commit": "0123456789abcdef", "dirty": True},
)
METRICS = {"test_neg_elbo": 157.234, "sweep": {"2": {"kl": 6.1}, "4": {"kl": 9.4}}}


@pytest.fixture(scope="module")
def page():
    made, warnings = html.render(notebook(), RECORD, METRICS)
    soup = BeautifulSoup(made, "html.parser")
    soup.text_of, soup.warnings = made, warnings
    return soup


def test_the_page_loads_nothing_from_outside(page):
    for element in page.find_all(True):
        for name, value in element.attrs.items():
            if name in LOADING:
                assert str(value).startswith("data:"), f"<{element.name} {name}>"
            if name == "href":
                assert element.name == "a"
    styles = "".join(style.text for style in page.find_all("style"))
    assert "url(" not in styles and "@import" not in styles
    assert page.find("a", href="https://example.org/a.png"), "an image from outside becomes a link"


def test_the_policy_allows_only_the_pages_own_script_and_the_players(page):
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    (own,) = [script.string for script in page.find_all("script")]
    digest = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: E731
    allowed = rules["script-src"].split()
    assert allowed == [f"'sha256-{digest(own)}'", f"'sha256-{digest(player.SCRIPT)}'"]
    assert "unsafe" not in rules["script-src"]
    assert not [name for element in page.find_all(True) for name in element.attrs if name.startswith("on")]


def test_formulas_are_mathml_and_those_that_cannot_be_stay_readable(page):
    assert len(page.find_all("math")) == 4
    assert page.find("math", display="block")
    assert page.find("code", class_="tex").text == r"\foo{x}"
    assert any(r"\foo" in warning for warning in page.warnings)
    assert "$" not in page.find("main").text


def test_every_image_has_alternative_text_and_a_missing_one_is_a_warning(page):
    assert all(image["alt"] for image in page.find_all("img"))
    first = page.find("img")
    assert first["alt"] == 'Two "curves" fall' and first["width"] == "300"
    assert "A figure has no alternative text." in page.warnings


def test_headings_are_in_order_and_there_is_one_title(page):
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.find("h1").text == RECORD.title


def test_ids_are_unique_and_every_link_into_the_page_arrives(page):
    ids = [element["id"] for element in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for a in page.find_all("a", href=re.compile("^#"))]
    assert set(links) <= set(ids)
    assert [a.text for a in page.select(".contents .level-2 a")] == ["Loss", "Result", "Loss"]


def test_the_checklist_says_which_requirement_is_answered_and_where(page):
    item = page.find(id="requirement-lab1.1")
    assert item["class"] == ["answered"] and "Answered, to be read, in Deep: cell 3" in " ".join(
        item.text.split()
    )
    cell = page.find(id=item.find("a")["href"][1:])
    assert cell.select_one(".meets a")["href"] == "#requirement-lab1.1"
    assert "Not answered" in page.find(id="requirement-lab1.2").text
    assert page.find(id="requirement-lab1.8") is None, "of another notebook"


def test_code_is_folded_but_there(page):
    folds = page.select("details.code")
    assert len(folds) == 5 and not any(fold.has_attr("open") for fold in folds)
    assert folds[0].summary.text.strip().startswith("Code, 2 lines")
    assert "# first a comment" in folds[0].pre.text


def test_numbers_and_origin_stand_at_the_top(page):
    glance = page.select_one(".glance").text
    assert "157.2" in glance and "test neg elbo" in glance and "kl" in glance
    origin = page.select_one(".provenance").text
    for text in ("10,000", "mini", "1 min 15 s", "A processor", "python 3.11.7", "0123456789ab with changes"):
        assert text in origin
    assert "A subset." in page.select_one(".masthead .notice").text


def test_a_resumed_run_says_what_its_time_leaves_out(page):
    assert "resumed" not in page.select_one(".masthead").text
    record = replace(RECORD, resumed={"trainings": 2, "seconds": 3725.0})
    soup = BeautifulSoup(html.render(notebook(), record, METRICS)[0], "html.parser")
    assert "took 1 min 15 s, resumed" in soup.select_one(".masthead").text
    origin = " ".join(soup.select_one(".provenance").text.split())
    assert "2 trainings went on from checkpoints" in origin and "1 h 2 min of training before" in origin


def test_the_page_says_how_models_were_trained_and_why():
    roads = [
        "XLA, float32: dense layers only",
        "graphs, bfloat16: convolutions",
        "XLA, float32: dense layers only",
    ]
    record = replace(RECORD, training=[{"road": road, "threads": 2} for road in roads])
    soup = BeautifulSoup(html.render(notebook(), record, METRICS)[0], "html.parser")
    origin = soup.select_one(".provenance").text
    assert [origin.count(road) for road in roads] == [1, 1, 1]


def test_other_outputs_are_shown_plainly(page):
    assert "interactive control" in page.select_one(".control").text
    assert "IntSlider" not in page.text
    assert page.select_one(".stderr pre").text == "a <b> warning"
    assert page.select_one(".outputs .scroll table math")


def stopped(status="failed"):
    """The record and the notebook, as papermill leaves it, of a run that stopped in its third cell."""
    made = notebook()
    cells = [{"index": 2, "id": "a", "status": "ran", "seconds": 1.0}]
    cells += [{"index": 3, "id": made.cells[3].id, "status": "interrupted", "seconds": None}]
    cells += [{"index": i, "id": "b", "status": "not run", "seconds": None} for i in (4, 5, 6)]
    for cell in made.cells:
        cell.metadata["papermill"] = {"status": "completed"}
    made.metadata["papermill"] = {"input_path": "/work/x.ipynb"}
    made.cells[3].outputs, made.cells[4].outputs = [], []
    injected = nbformat.v4.new_code_cell(
        "# Parameters\nepochs = 2", metadata={"tags": ["injected-parameters"]}
    )
    made.cells.insert(2, injected)
    record = replace(
        RECORD,
        status=status,
        cells=cells,
        cells_run=1,
        error={"ename": "Timeout", "evalue": "took longer than <60 s", "traceback": []},
        failing_cell={"index": 3, "id": made.cells[4].id, "line": "widget"},
    )
    return made, record


def test_a_run_that_is_not_complete_says_so_and_where_it_stopped():
    made, record = stopped("timed_out")
    apply_record(made, record, str)
    page = BeautifulSoup(html.render(made, record, {})[0], "html.parser")
    banner = page.select_one(".banner")
    assert "ran out of time in cell 4" in banner.text and "1 of 5 code cells" in banner.text
    assert "took longer than <60 s" in banner.text
    assert page.find(id=banner.a["href"][1:]).select_one(".error")
    assert len(page.select(".not-run")) == 3
    assert page.text.count("This run is not complete") == 1


def test_the_mended_notebook_is_valid_and_keeps_nothing_of_papermill():
    made, record = stopped()
    apply_record(made, record, str)
    nbformat.validate(made)
    assert "papermill" not in json.dumps(made)
    statuses = [
        cell.metadata.get("labkit", {}).get("status") for cell in made.cells if cell.cell_type == "code"
    ]
    assert statuses == [None, "ran", "interrupted", "not run", "not run", "not run"]


def test_tensorflows_notices_are_left_out_and_its_errors_and_the_cells_own_messages_stay():
    notices = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795283516.982348   22429 port.cc:153] oneDNN custom operations are on.\n"
        "E0000 00:00:1795283554.292893   22429 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR\n"
        "E0000 00:00:1795282804.966519   11559 meta_optimizer.cc:967] remapper failed: INVALID_ARGUMENT\n"
    )
    kept = (
        "UserWarning: one's own\n"
        "E0000 00:00:1795282804.966519   11559 bfc_allocator.cc:1] Allocator ran out of memory\n"
    )

    def stream(text, name="stderr"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    outputs = clean_outputs([stream(notices), stream(notices + kept), stream(notices, "stdout")], str)
    assert [output.text for output in outputs] == [kept, notices]


def test_figures_are_named_by_their_metadata_else_by_cell():
    assert list(figures(notebook())) == ["history.png", "cell-7-1.png"]


def test_a_figure_keeps_its_name_s_case_and_never_takes_another_s_file():
    names = ["vae_interpolation_ck_E10", "VAE_interpolation_ck_e10", "../E 1/..", "été"]
    outputs = [output(png=png(), metadata={"image/png": {"name": name}}) for name in names]
    found = figures(nbformat.v4.new_notebook(cells=[code("x", *outputs)]))
    assert list(found) == [
        "vae_interpolation_ck_E10.png",
        "VAE_interpolation_ck_e10-1-2.png",
        "E-1.png",
        "t.png",
    ]


def test_a_page_that_is_too_large_is_a_warning(monkeypatch):
    monkeypatch.setattr(html, "MOST_BYTES", 1000)
    assert any("MB" in warning for warning in html.render(notebook(), RECORD, {})[1])


def test_publishing_writes_all_files_and_the_overview(tmp_path):
    out = tmp_path / "out"
    put_results(RECORD, METRICS, notebook(), out / "01_vae_mnist", out, keep=False)
    put_results(replace(RECORD, status="failed"), {}, notebook(), out / "01_vae_mnist", out, keep=True)
    put_results(
        replace(RECORD, lab="02_gan", status="killed"), {}, notebook(), out / "02_gan", out, keep=False
    )
    names = sorted(str(p.relative_to(out)) for p in out.rglob("run.json"))
    assert names == ["01_vae_mnist/failed/run.json", "01_vae_mnist/run.json", "02_gan/run.json"]
    index.rebuild(out)
    overview = BeautifulSoup((out / "index.html").read_text(), "html.parser")
    links = [a["href"] for a in overview.select("main article a")]
    assert links == ["01_vae_mnist/report.html", "01_vae_mnist/failed/report.html", "02_gan/report.html"]
    assert all((out / link).exists() for link in links)
    put_results(RECORD, METRICS, notebook(), out / "01_vae_mnist", out, keep=True)
    assert not (out / "01_vae_mnist" / "failed").exists()
    assert "157.2" in overview.text and overview.img["src"].startswith("data:image/jpeg")


def test_a_full_disk_leaves_the_good_report_as_it_was(tmp_path, monkeypatch):
    place = tmp_path / "out" / "01_vae_mnist"
    put_results(RECORD, METRICS, notebook(), place, tmp_path / "out", keep=False)
    before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        put_results(replace(RECORD, seconds=1.0), {}, notebook(), place, tmp_path / "out", keep=True)
    assert {p: p.read_bytes() for p in place.rglob("*") if p.is_file()} == before


def output_of(data, **metadata):
    """The sample notebook with one more output in its first code cell."""
    made = notebook()
    cell = next(cell for cell in made.cells if cell.cell_type == "code")
    cell.outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata))
    return made


@pytest.mark.parametrize(
    ("data", "metadata"),
    [
        ({"image/png": "abcde"}, {}),
        ({"image/png": "aGFsbG8="}, {"image/png": "text"}),
        ({"text/html": "<p>" + "y" * 6_000_000 + "</p>"}, {}),
        ({"text/plain": "y" * 6_000_000}, {}),
    ],
)
def test_whatever_a_cell_displays_the_run_has_its_record_and_page(tmp_path, data, metadata):
    place = tmp_path / "out" / "01_vae_mnist"
    put_results(RECORD, METRICS, output_of(data, **metadata), place, tmp_path / "out", keep=False)
    assert json.loads((place / "run.json").read_text())["status"] == "completed"
    assert (place / "report.html").stat().st_size < 2_000_000


def test_a_report_that_cannot_be_made_is_a_failed_run_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "render", lambda *_: 1 / 0)
    place = tmp_path / "out" / "01_vae_mnist"
    record = put_results(RECORD, METRICS, notebook(), place, tmp_path / "out", keep=False)
    assert record.status == "failed" and record.error["ename"] == "ReportError"
    assert "ZeroDivisionError" in (place / "report.html").read_text()


def test_an_output_cannot_lead_the_page_elsewhere():
    refresh = '<META http-equiv="refresh" content="0; url=https://example.org"><p>kept</p>'
    page, _ = html.render(apply_record(output_of({"text/html": refresh}), RECORD, str), RECORD, {})
    assert "refresh" not in page.split("<body>")[1].split("<script>")[0] and "<p>kept</p>" in page


def test_an_empty_folder_has_an_overview_too(tmp_path):
    index.rebuild(tmp_path)
    assert "no report yet" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("latex", "holds"),
    [
        (r"\mathcal{LN}", "<mi>ℒ</mi><mi>𝒩</mi>"),
        (r"\mathcal N", "&#x1D4A9;"),
        (r"\boldsymbol{\mu}", "<mi>𝝁</mi>"),
        (r"z \sim p", "<mo>∼</mo>"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"\log x", '<mspace width="0.167em" />'),
    ],
)
def test_formulas_that_latex2mathml_or_browsers_would_get_wrong(latex, holds):
    assert holds in to_mathml(latex, display=False)


@pytest.mark.parametrize("latex", [r"\foo{x}", r"\frac{1}{", "a & b"])
def test_a_formula_that_cannot_be_written_is_an_error(latex):
    with pytest.raises(MathError):
        to_mathml(latex, display=True)
