"""Pages without images of people: what goes, what stays, and that no file of the report keeps any."""

import base64
import io
import json

import hypothesis.strategies as st
import nbformat
import pytest
from hypothesis import given
from PIL import Image

from labkit import config
from labkit.cli import main
from labkit.reports import index, people
from labkit.reports.record import RunRecord
from labkit.reports.request import prepare
from labkit.reports.results import put_results
from labkit.reports.runner import run

MARK = "FACEFACE"  # stands in every picture below
WIDGET = "application/vnd.jupyter.widget-view+json"


def display(**data):
    return nbformat.v4.new_output("display_data", data={k.replace("_", "/"): v for k, v in data.items()})


def png():
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


PICTURES = [
    display(image_png=png(), text_plain=f"<Figure {MARK}>"),
    display(**{"image/svg+xml": f"<svg>{MARK}</svg>", "text_plain": "x"}),
    display(image_gif=MARK),
    display(video_mp4=MARK),
    display(application_pdf=MARK),
    display(text_html=f'<IMG src="data:image/png;base64,{MARK}">'),
    display(text_html=f"<iframe sandbox srcdoc='{MARK}'></iframe>", text_plain="player"),
    display(text_html=f"<div style='background: url(\"{MARK}.png\")'></div>"),
    display(text_html=f"<canvas></canvas><script>draw('{MARK}')</script>"),
    display(text_markdown=f"![a face](figures/{MARK}.png)"),
    display(text_markdown=f"data:image/webp;base64,{MARK}"),
    display(**{WIDGET: {"model_id": MARK}, "text_plain": "Image()"}),
    display(**{"application/json": {"pixels": MARK}}),
    nbformat.v4.new_output("stream", name="stdout", text=f"data:image/png;base64,{MARK}"),
]
TEXTS = [
    display(text_html="<table><tr><td>1.5</td></tr></table>", text_plain="1.5"),
    display(text_markdown="| a | b |\n|--:|--:|\n| 1 | 2 |", text_plain="table"),
    display(text_latex="$x$"),
    nbformat.v4.new_output("stream", name="stdout", text="epoch 1: 12.3"),
    nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=["line"]),
]


def notebook(outputs):
    cells = [nbformat.v4.new_code_cell(f"cell {i}", outputs=[o]) for i, o in enumerate(outputs)]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["widgets"] = {"state": {"value": MARK}}
    return nbformat.from_dict(json.loads(json.dumps(made)))


@pytest.mark.parametrize("output", PICTURES)
def test_every_kind_of_picture_goes_and_a_note_stands_for_it(output):
    made = notebook([output])
    people.leave_out(made)
    text = nbformat.writes(made)
    assert MARK not in text and "image/" not in text and people.NOTE in text
    nbformat.validate(made)


@pytest.mark.parametrize("output", TEXTS)
def test_texts_and_tables_stay(output):
    made = notebook([output])
    before = json.dumps(made.cells)
    people.leave_out(made)
    assert json.dumps(made.cells) == before


@given(
    st.dictionaries(st.sampled_from(["text/plain", "text/html", "image/png", "x/y"]), st.text(), min_size=1)
)
def test_what_is_left_holds_texts_only_whatever_there_was(data):
    made = notebook([nbformat.v4.new_output("display_data", data=data)])
    people.leave_out(made)
    (output,) = made.cells[0].outputs
    assert set(output.data) <= set(people.TEXTS)
    assert not any(people.PICTURES.search(text) for text in output.data.values())


def fact(who, note="A note"):
    return {"name": "faces", "source": "data/cache", "note": note, "people": who}


@pytest.mark.parametrize(
    ("data", "no_faces", "said"),
    [
        ([], True, ""),
        ([{"name": "mnist", "source": "x"}, fact("")], True, ""),
        ([fact(""), fact("licensed")], True, people.LEFT_OUT),
        ([fact("open")], True, people.LEFT_OUT),
        ([fact("licensed")], False, people.SHOWN),
    ],
)
def test_the_record_says_whether_people_are_shown(data, no_faces, said):
    entries = people.facts(data, no_faces)
    assert entries["people"] == said
    noted = [f for f in entries["data"] if people.NOTE in f.get("note", "")]
    assert bool(noted) == (said == people.LEFT_OUT) and len(entries["data"]) == len(data)


def record(who):
    return RunRecord(
        lab="05_faces", title="Faces", profile="quick", parameters={}, status="completed", cells_run=1,
        cells_total=1, start="2026-01-02T03:04:05+00:00", seconds=1.0, cells=[],
        data=[fact("licensed")], people=who, processor={"model": "p", "cores": 1},
    )  # fmt: skip


def published(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_published_file_keeps_a_picture_and_old_figures_go(tmp_path):
    place = tmp_path / "05_faces"
    put_results(record(people.SHOWN), {}, notebook(PICTURES), place, tmp_path, keep=False)
    index.rebuild(tmp_path)
    shown = b"".join(published(tmp_path).values())
    assert list((place / "figures").iterdir()) and MARK.encode() in shown and b"data:image/jpeg" in shown
    put_results(record(people.LEFT_OUT), {}, notebook([*PICTURES, *TEXTS]), place, tmp_path, keep=True)
    index.rebuild(tmp_path)
    files = published(tmp_path)
    content = b"".join(files.values())
    assert not list((place / "figures").iterdir())
    assert MARK.encode() not in content and png().encode() not in content
    assert b"data:image/" not in content.replace(b"img-src data:", b"")
    page = (place / "report.html").read_text()
    assert people.NOTE in page and "epoch 1: 12.3" in page and "<td>1.5</td>" in page


LAB = """from labkit.project import record
record("data", {"name": "faces", "source": "x", "digest": "0", "note": "", "people": "licensed",
                "n_train": 1, "n_test": 1})"""
FIGURE = """import io
from PIL import Image
from IPython import display
buffer = io.BytesIO()
Image.new("L", (4, 4), 128).save(buffer, "png")
display.display(display.Image(buffer.getvalue(), metadata={"alt": "A face", "name": "face"}))"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in (LAB, FIGURE)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "05_faces.ipynb")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    return config.find_lab("5")


def test_a_run_without_faces_publishes_none_and_is_another_run_than_one_with(lab, tmp_path):
    wish = {"lab": lab, "profile": "smoke", "given": {}, "out": tmp_path / "out"}
    with_faces, without = prepare(**wish), prepare(**wish, no_faces=True)
    assert run(with_faces).people == people.SHOWN
    assert [p.name for p in (with_faces.report_dir / "figures").iterdir()] == ["face.png"]
    assert [prepare(**wish, no_faces=left_out).plan.kind for left_out in (False, True)] == ["skip", "anew"]
    assert run(without).people == people.LEFT_OUT
    assert not list((without.report_dir / "figures").iterdir())
    assert "image/png" not in (without.report_dir / "report.ipynb").read_text()
    assert "data:image/png" not in (without.report_dir / "report.html").read_text()
    assert [prepare(**wish, no_faces=left_out).plan.kind for left_out in (False, True)] == ["anew", "skip"]


def test_a_run_without_faces_that_fails_says_that_the_earlier_report_shows_them(lab, tmp_path, capsys):
    out = tmp_path / "out"
    run(prepare(lab=lab, profile="smoke", given={}, out=out))
    broken = nbformat.read(lab.path, as_version=4)
    broken.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(broken, lab.path)
    assert main(["run", "5", "--profile", "smoke", "--no-faces", "--out", str(out)]) == 1
    assert "an earlier report that shows people is still in" in capsys.readouterr().out
    assert (out / "05_faces" / "figures" / "face.png").exists()
