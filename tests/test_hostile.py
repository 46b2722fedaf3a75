"""Pages of hostile notebooks: whatever a cell, a text, a name or a figure of a run says."""

import base64
import io
import json
import zlib
from dataclasses import asdict, replace

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labkit import player
from labkit.reports import html, index
from labkit.reports.bounds import MORE, MOST_TEXT, Bounds
from labkit.reports.pictures import PictureError, Sources, address
from labkit.reports.record import RunRecord
from labkit.reports.results import put_results
from labkit.reports.sanitise import Cleaner, tangled

V4 = nbformat.v4
OUTSIDE = "https://elsewhere.example/"
RECORD = RunRecord(
    lab="01_lab", title="A lab", profile="quick", parameters={}, status="completed", cells_run=1, cells_total=1,  # noqa: E501
    start="2026-01-02T03:04:05+00:00", seconds=1.0, cells=[], processor={"model": "p", "cores": 2},
)  # fmt: skip
REFRESH = f"http-equiv='refresh' content='0;url={OUTSIDE}'"
HOSTILE = [
    f"<meta {REFRESH}>",
    f"<meta/{REFRESH.replace(' ', '/')}>",
    f"<me<meta>ta {REFRESH}>",
    f"<met<meta x>a {REFRESH}>",
    f"<meta name='>' {REFRESH}>",
    f"<meta\n{REFRESH}",
    f"<svg><foreignObject><meta {REFRESH}></foreignObject></svg>",
    f"<math><mtext><meta {REFRESH}></mtext></math>",
    f"<noscript><p title='</noscript><meta {REFRESH}>'></noscript>",
    f"<base href={OUTSIDE} target=_top>",
    f"<link rel=preconnect href={OUTSIDE}>",
    f"<li<link>nk rel=prefetch href={OUTSIDE}>",
    f"<form action={OUTSIDE}><button>go</button><input autofocus onfocus=bad()></form>",
    "<script>bad()</script>",
    f"<script type=speculationrules>{{'prefetch': '{OUTSIDE}'}}</script>",
    "<svg onload=bad()><script>bad()</script><animate onbegin=bad() attributeName=x></svg>",
    f"<svg><use href='{OUTSIDE}#a'/><image href='{OUTSIDE}'/><a href='javascript:bad()'>x</a></svg>",
    f"<img src={OUTSIDE}a.png srcset='{OUTSIDE} 1x' onerror=bad()>",
    f"<picture><source srcset={OUTSIDE}><img></picture>",
    f"<video src={OUTSIDE} poster={OUTSIDE} autoplay></video>",
    f"<iframe src={OUTSIDE}></iframe><object data={OUTSIDE}></object><embed src={OUTSIDE}>",
    f'<iframe sandbox="allow-top-navigation" srcdoc="<meta {REFRESH}>"></iframe>',
    "<a href='javascript:bad()' ping=x>x</a><a href='java\nscript:bad()'>x</a><a href='data:text/html,x'>x</a>",  # noqa: E501
    f"<style>@import '{OUTSIDE}'; .banner {{ display: none }}</style>",
    f"<div style='background: url({OUTSIDE})'>x</div><div style='position: fixed; inset: 0'>x</div>",
    f"<div style='background: \\75rl({OUTSIDE})'>x</div><div style='margin-top: -3000px'>x</div>",
    "<h1 class='badge completed' id='main'>completed</h1></main></div></section><div id='lightbox'>",
    f"<body background={OUTSIDE} onload=bad()><html manifest={OUTSIDE}>",
    "<table><math><mi><mglyph><svg><mtext><textarea><path id='</textarea><img onerror=bad() src=1>'>",
]
ACTING = {
    "script",
    "meta",
    "base",
    "link",
    "form",
    "object",
    "embed",
    "frame",
    "foreignobject",
    "animate",
    "style",
    "body",
    "html",
}
LOADING = {
    "src",
    "srcset",
    "poster",
    "data",
    "background",
    "action",
    "formaction",
    "manifest",
    "ping",
    "xlink:href",
    "srcdoc",
    "http-equiv",
}


def png(width=4, height=4):
    buffer = io.BytesIO()
    Image.new("L", (width, height), 128).save(buffer, "png")
    return buffer.getvalue()


def encoded(content):
    return base64.b64encode(content).decode()


def shown(**data):
    """An output of these kinds, in short: png for image/png. It may be none that is valid."""
    names = {"png": "image/png", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml"}
    names |= {"html": "text/html", "md": "text/markdown", "latex": "text/latex", "text": "text/plain"}
    data = {names[kind]: value for kind, value in data.items()}
    return nbformat.from_dict({"output_type": "display_data", "metadata": {}, "data": data})


def page_of(*cells, record=RECORD, metrics=None, folder=None):
    """The page of a notebook of these cells: its body, read back, and its warnings."""
    notebook = V4.new_notebook()
    notebook.cells = list(cells)
    made, warnings = html.render(notebook, record, metrics or {}, (), folder)
    soup = BeautifulSoup(made, "html.parser")
    soup.warnings, soup.size = warnings, len(made)
    return soup


def code(*outputs, source="x"):
    cell = V4.new_code_cell(source)
    cell.outputs = list(outputs)
    return cell


def acts(body):
    """What in a page could navigate, submit, load or run."""
    found = []
    for element in body.find_all(True):
        if element.name in ACTING and not element.find_parent("head"):
            found.append(element.name)
        for name, value in element.attrs.items():
            if name.startswith("on") or (name in LOADING and not str(value).startswith("data:image/")):
                found.append(f"{element.name} {name}")
            if name == "href" and str(value).split(":")[0].strip().lower() in (
                "javascript",
                "data",
                "vbscript",
            ):
                found.append(f"{element.name} {name}={value}")
            if name == "style" and any(word in value for word in ("url", "position", "\\", "-3000")):
                found.append(f"{element.name} {name}={value}")
    return found


def ways(bad):
    """Every place of a notebook in which a text can stand."""
    return [
        V4.new_markdown_cell(f"# Title\n\n{bad}\n\n## Head {bad}\n\n- {bad}\n\n| a |\n|--|\n| {bad} |"),
        code(shown(html=bad), shown(md=f"{bad}\n\n## {bad}"), shown(latex=f"{bad} $x$"), shown(latex=bad)),
        code(shown(svg=bad), shown(png=bad), shown(text=bad), V4.new_output("stream", text=bad)),
        code(V4.new_output("error", ename=bad, evalue=bad, traceback=[bad]), source=f"# @title {bad}\n1"),
        V4.new_raw_cell(bad, metadata={"raw_mimetype": "text/html"}),
        code(
            V4.new_output(
                "display_data",
                {"image/png": encoded(png())},
                metadata={"image/png": {"alt": bad, "name": bad}},
            )
        ),
    ]


@pytest.mark.parametrize("bad", HOSTILE)
def test_nothing_on_a_page_navigates_submits_loads_or_runs(bad):
    record = replace(
        RECORD, status="failed", title=bad, profile=bad, notebook=bad, warnings=[bad], parameters={bad: bad},
        error={"ename": bad, "evalue": bad, "traceback": []}, failing_cell={"index": 0, "id": bad, "line": bad},  # noqa: E501
        data=[{"name": bad, "source": bad, "note": bad, "digest": bad, "n_train": bad}],
    )  # fmt: skip
    body = page_of(*ways(bad), record=record, metrics={bad: bad, "group": {bad: {bad: 1.0}}}).body
    body.find_all("script")[-1].extract()  # the page's own, which its policy names
    assert not acts(body)
    assert len(body.select("main")) == len(body.select("#main")) == 1 and not body.select(".cell .badge")


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*HOSTILE, "<", ">", "'", '"', "</svg>", "<svg>", "<math>", "</p>", "<!--", "-->", "]]>", "<p ", "=", "x"]), max_size=8))  # fmt: skip  # noqa: E501
def test_no_mixture_of_hostile_pieces_acts(pieces):
    assert not acts(BeautifulSoup(Cleaner(str)("".join(pieces), Sources()), "html.parser"))


def test_ids_and_classes_of_the_page_are_not_a_cells_to_use():
    bad = "<a id='main'>1</a><a id='mine'>2</a><a id='mine'>3</a><p class='banner left-out'>4</p><a id='cell-x'>5</a>"  # noqa: E501
    body = page_of(code(shown(html=bad))).body
    assert [a.get("id") for a in body.select(".html a")] == [None, "mine", None, None]
    assert body.select_one(".html p")["class"] == ["left-out"]


def test_labkits_player_passes_and_an_altered_one_does_not():
    spec = {"kind": "frames", "title": "Play", "label": "epoch", "frames": [], "key": "", "shape": [2, 2]}
    own = player.iframe_html(spec, [], height=300)
    frame = page_of(code(shown(html=own))).select_one("iframe")
    assert frame["sandbox"] == ["allow-scripts"] and player.is_document(frame["srcdoc"])
    altered = own.replace("labkit-player", "x").replace('"use strict"', "bad()").replace("Play", "Play ")
    assert (
        not player.is_document("<p>1</p>") and page_of(code(shown(html=altered))).select_one("iframe") is None
    )
    clean = Cleaner(str)
    assert "srcdoc" not in clean(own.replace("&lt;p class", "&lt;p onclick=bad() class"), Sources())


def gif():
    buffer = io.BytesIO()
    frames = [Image.new("L", (8, 8), 40 * i) for i in range(4)]
    frames[0].save(buffer, "gif", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def webp():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "webp")
    return buffer.getvalue()


SVG = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'  # noqa: E501


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (shown(gif=encoded(gif()), text="<IPython.core.display.Image object>"), "image/gif"),
        (shown(webp=encoded(webp()), text="picture"), "image/webp"),
        (shown(svg=SVG, text="picture"), "image/svg+xml"),
        (shown(png=encoded(png())), "image/png"),
        (shown(html=f"<img alt='x' src='data:image/png;base64,{encoded(png())}'>"), "image/png"),
        (shown(md=f"![x](data:image/gif;base64,{encoded(gif())})"), "image/gif"),
        (
            shown(html="<img src='data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E'>"),
            "image/svg+xml",
        ),
    ],
)
def test_pictures_of_any_kind_are_shown(output, kind):
    page = page_of(code(output))
    assert page.select_one(".outputs img")["src"].startswith(f"data:{kind};base64,")


def bomb():
    """A PNG whose header says 30,000 × 30,000."""
    made = bytearray(png())
    made[16:24] = (30_000).to_bytes(4, "big") * 2
    made[29:33] = zlib.crc32(made[12:29]).to_bytes(4, "big")
    return bytes(made)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (shown(png="!!!"), "base64"),
        (shown(png=None), "no text"),
        (shown(svg={"a": 1}), "no text"),
        (shown(png=encoded(b"no picture")), "no picture"),
        (shown(png=encoded(bomb())), "pixels"),
        (shown(svg='" onerror="bad()'), "not shown"),
        (shown(png="A" * 12_000_000), "MB"),
        (shown(html=f"<img src='{OUTSIDE}a.png' alt='far'>"), "on the web"),
        (shown(html="<img src='file://dcgan.gif'>"), "file:"),
        (shown(html="<img alt='nothing'>"), "address"),
        (shown(html="<iframe src='x.html'></iframe>"), "inside the page"),
        (shown(html="<video src='x.mp4'></video>"), "film"),
        (V4.new_output("display_data", {"application/pdf": "x"}), "application/pdf"),
        (V4.new_output("display_data", {"application/javascript": "bad()"}), "javascript"),
    ],
)
def test_what_cannot_be_shown_is_a_note_in_its_place_and_a_warning(output, said):
    page = page_of(code(output), code(shown(text="the rest")))
    note = page.select_one(".outputs .left-out")
    assert said in note.text and any(said in warning for warning in page.warnings)
    assert "the rest" in page.text


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("![a](attachment:a.png)", "a.png"),
        ("![a](attachment:%C3%9Cbersicht%20neu.png)", "Übersicht neu.png"),
        ("![a](attachment:Übersicht.png)", "U\u0308bersicht.png"),
        ("![a](attachment:my picture.png)", "my picture.png"),
        ('![a](attachment:my picture.png "a title")', "my picture.png"),
        ("<img src='attachment:my picture.png' alt='a'>", "my picture.png"),
        ('text <img src="attachment:b.png"> text', "b.png"),
    ],
)
def test_attachments_are_found_however_their_names_are_written(written, name):
    cell = V4.new_markdown_cell(
        f"# T\n\nBefore {written} after", attachments={name: {"image/png": encoded(png())}}
    )
    page = page_of(cell)
    assert page.select_one(".cell img")["src"].startswith("data:image/png") and not page.warnings


def test_a_missing_attachment_costs_the_picture_and_not_the_report(tmp_path):
    cells = [
        V4.new_markdown_cell("# T\n\nA sketch: ![netz](attachment:%C3%9Cber.png) and text"),
        code(shown(text="151.5")),
    ]
    place = tmp_path / "out" / "01_lab"
    record = put_results(RECORD, {}, V4.new_notebook(cells=cells), place, tmp_path / "out", keep=False)
    assert record.status == "completed" and "attachment" in " ".join(record.warnings)
    page = (place / "report.html").read_text()
    assert "netz" in page and "and text" in page and "151.5" in page
    assert nbformat.read(place / "report.ipynb", 4).cells[1].outputs


def test_pictures_beside_the_notebook_are_read_and_no_other_file(tmp_path):
    folder = tmp_path / "notebooks"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "ä b.png").write_bytes(png())
    (folder / "text.png").write_text("secret words")
    (tmp_path / "outside.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    good = page_of(V4.new_markdown_cell("# T\n\n![x](images/%C3%A4%20b.png)"), folder=folder)
    assert good.select_one(".cell img")
    for bad in (
        "../outside.png",
        str(tmp_path / "outside.png"),
        "link.png",
        "text.png",
        "none.png",
        "images",
        "x" * 5000,
    ):
        page = page_of(V4.new_markdown_cell(f"# T\n\n<img src='{bad}' alt='x'>"), folder=folder)
        assert page.select_one(".cell img") is None and page.warnings, bad
        assert "secret" not in page.text and encoded(b"secret words") not in str(page)


def jshtml(frames):
    lines = "".join(f'  frames[{i}] = "data:image/png;base64,{encoded(png())}\\\n"\n' for i in range(frames))
    return f"<link href='{OUTSIDE}'><script>var frames = new Array({frames});\n{lines}new Animation(frames, a, b, 200)</script>"  # noqa: E501


def test_an_animation_of_matplotlibs_is_played_by_labkits_player():
    page = page_of(code(shown(html=jshtml(6))))
    spec = json.loads(
        BeautifulSoup(page.select_one("iframe")["srcdoc"], "html.parser").select_one("#spec").string
    )
    assert len(spec["frames"]) == 6 and not page.warnings
    assert page.select(".labkit-player img"), "a contact sheet for print"
    assert any(
        "of the animation's 300 frames" in w.lower() for w in page_of(code(shown(html=jshtml(300)))).warnings
    )


def test_formulas_keep_the_commands_that_a_notebook_defines():
    first = V4.new_markdown_cell("# T\n\n$\\newcommand{\\KL}[2]{D(#1\\,\\|\\,#2)}$ and $\\KL{q}{p}$")
    second = V4.new_markdown_cell(
        "\\begin{align}\na &= \\KL{x}{y} \\label{e} \\\\\n &= c \\nonumber\n\\end{align}"
    )
    page = page_of(first, second)
    assert len(page.find_all("math")) == 2 and page.find("mtable") and not page.warnings
    page = page_of(V4.new_markdown_cell("# T\n\n$\\foo{x}$"))
    assert page.find("code", class_="tex").text == r"\foo{x}" and r"\foo" in page.select_one(".left-out").text


@pytest.mark.parametrize(
    "latex",
    ["\\frac{1}{" * 3000 + "x" + "}" * 3000, "x^{" * 900 + "y" + "}" * 900, "a+" * 200_000, "\\begin{a}" * 22_000,  # noqa: E501
     "\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\a\\a}\\a", "\\def\\a#1{#1#1}" + "\\a{" * 60 + "x" + "}" * 60],  # noqa: E501
)  # fmt: skip
def test_formulas_without_measure_stay_text_with_a_reason(latex):
    page = page_of(code(shown(latex=f"$${latex}$$")), V4.new_markdown_cell(f"# T\n\nA ${latex}$ b"))
    assert page.warnings and page.size < 400_000


@pytest.mark.parametrize(
    "piece", ["[", "![", "<", "> ", "- ", "`", "$", "\\\\(", "<!--", "*a ", "<div>", "<a ", "&", "|"]
)
def test_a_text_that_would_take_the_parser_long_is_shown_as_it_is(piece):
    page = page_of(
        V4.new_markdown_cell(piece * 200_000), code(shown(md=piece * 3_000), shown(html=piece * 3_000))
    )
    assert "shown as it was written" in page.text and page.size < 1_000_000


def test_html_that_nests_without_end_is_left_out():
    assert tangled("<div>" * 20_000) and not tangled("<table>" + "<tr><td>1</td></tr>" * 100_000 + "</table>")
    page = page_of(code(shown(html="<div>" * 200_000)))
    assert "inside one another" in page.select_one(".left-out").text


@pytest.mark.parametrize(
    "outputs",
    [
        [shown(html=f"<p>{'a' * 4_900_000}</p>")] * 12,
        [shown(text="z" * 190_000)] * 200,
        [shown(svg=f"<svg>{'<rect/>' * 700_000}</svg>")],
        [V4.new_output("stream", text="\x1b[31m<\x1b[0m" * 100_000)] * 3,
        [V4.new_output("error", ename="E", evalue="<b>&\n" * 1_000_000, traceback=["<" * 3_000_000])],
    ],
)
def test_a_page_is_bounded_whatever_its_cells_show(outputs, tmp_path):
    place = tmp_path / "out" / "01_lab"
    notebook = V4.new_notebook(
        cells=[code(*map(nbformat.from_dict, outputs)), code(shown(text="the next cell"))]
    )
    put_results(RECORD, {}, notebook, place, tmp_path / "out", keep=False)
    page = (place / "report.html").read_text()
    assert len(page.encode()) <= html.MOST_BYTES and "the next cell" in page
    assert "left out" in page or "not shown" in page


def test_metrics_facts_and_texts_of_a_record_are_bounded_on_the_page():
    metrics = {f"k{i}": i for i in range(200_000)} | {"group": {f"g{i}": {"a": 1} for i in range(50_000)}}
    page = page_of(metrics=metrics, record=replace(RECORD, warnings=["w" * 1000]))
    assert page.size < 3_000_000 and "rows more in metrics.json" in page.text


class TestBoundsOfARun:
    """What is kept of a cell's messages while it runs."""

    @staticmethod
    def message(kind, **content):
        return {"msg_type": kind, "content": content}

    def test_printing_without_end_is_cut_with_a_note(self):
        bounds, text = Bounds(), ""
        bounds.new_cell()
        for _ in range(2_000):
            text = bounds.longer(text, "a line of output\n" * 50)
        assert len(text) <= MOST_TEXT + len(MORE) + 1 and text.endswith(MORE) and bounds.kept == len(text)

    def test_a_progress_bar_counts_once(self):
        bounds, text = Bounds(), "before\n"
        for i in range(10_000):
            text = bounds.longer(text, f"\r{i:6d} of 10000 {'#' * 60}")
        assert text.startswith("before\n\r") is False and text.count("#") == 60 and "  9999 of" in text

    def test_outputs_are_counted_per_cell_and_weighed_per_run(self):
        bounds = Bounds()
        bounds.new_cell()
        kept = sum(bounds.takes(self.message("display_data", data={"image/png": "x"})) for _ in range(5_000))
        assert kept == 300 and "300 outputs" in bounds.note()["text/plain"] and bounds.note() is None
        taken = 0
        for _ in range(20):
            bounds.new_cell()
            taken += sum(
                bounds.takes(self.message("display_data", data={"image/png": "x" * 4_000_000}))
                for _ in range(5)
            )
        assert taken * 4_000_000 <= 30_000_000

    def test_a_display_that_is_updated_is_weighed_as_it_is_now(self):
        bounds = Bounds()
        bounds.new_cell()
        about = {"transient": {"display_id": "d"}}
        assert bounds.takes(self.message("display_data", data={"text/html": "x"}, **about))
        for _ in range(50):
            assert bounds.takes(
                self.message("update_display_data", data={"text/html": "y" * 1_000_000}, **about)
            )
        assert bounds.kept < 1_100_000
        assert not bounds.takes(
            self.message("update_display_data", data={"text/html": "y" * 4_000_000}, **about), 100
        )

    def test_clearing_an_output_makes_room(self):
        bounds = Bounds()
        bounds.new_cell()
        for _ in range(100):
            assert bounds.takes(self.message("display_data", data={"image/png": "x" * 4_000_000}))
            bounds.clear()

    def test_texts_that_no_file_can_hold_are_mended(self):
        message = self.message("display_data", data={"text/plain": "a\ud800b", "text/html": "x\udcff"})
        assert Bounds().takes(message)
        json.dumps(message["content"]["data"], ensure_ascii=False).encode()

    def test_an_error_is_cut(self):
        message = self.message("error", ename="E" * 999, evalue="x" * 10**7, traceback=["y" * 10**6] * 100)
        assert Bounds().takes(message)
        assert len(json.dumps(message["content"])) < 400_000


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg", png()[:20], b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_damaged_pictures_are_an_error_with_a_reason(data):
    with pytest.raises(PictureError, match="picture"):
        address(data)


def neighbour(folder, record="{}"):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(record)
    return folder


WHOLE = json.dumps(asdict(replace(RECORD, lab="02_x", title="Neighbour")))


@pytest.mark.parametrize(
    "make",
    [
        lambda out: neighbour(out / "02_x", WHOLE.replace("[]", "null")),
        lambda out: neighbour(out / "02_x", WHOLE.replace('"Neighbour"', "{}").replace('"full"', "[1]")),
        lambda out: neighbour(out / "02_x", "[" * 100_000),
        lambda out: neighbour(out / "02_x", '{"a":' * 900 + "1" + "}" * 900),
        lambda out: neighbour(out / "02_x", WHOLE.replace("Neighbour", "\\ud800")),
        lambda out: neighbour(out / "02_x", WHOLE[:-5]),
        lambda out: (out / "02_x" / "run.json").mkdir(parents=True),
        lambda out: (out.mkdir(), (out / "02_x").symlink_to(out / "nowhere")),
        lambda out: (out.mkdir(), (out / "02_x").symlink_to("02_x")),
        lambda out: (out.mkdir(), (out / "02_x\udcff").touch()),
    ],
)
def test_a_bad_neighbour_is_skipped_and_decides_nothing(tmp_path, make):
    out = tmp_path / "out"
    make(out)
    record = put_results(RECORD, {}, V4.new_notebook(), out / "01_lab", out, keep=False)
    index.rebuild(out)
    assert record.status == "completed" and not record.warnings
    overview = BeautifulSoup((out / "index.html").read_text(), "html.parser")
    assert "01_lab/report.html" in [a["href"] for a in overview.select("main a")]
    if (out / "02_x" / "run.json").exists():
        assert "02_x" in overview.select_one(".problems").text


@pytest.mark.parametrize("figure", [bomb(), png()[:40], b"", b"x" * 100])
def test_a_neighbours_bad_figure_costs_its_thumbnail_only(tmp_path, figure):
    place = neighbour(tmp_path / "02_x", WHOLE)
    (place / "figures").mkdir()
    (place / "figures" / "a.png").write_bytes(figure)
    index.rebuild(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "Neighbour" in page and "data:image/jpeg" not in page
