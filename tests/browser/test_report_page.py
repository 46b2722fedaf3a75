"""The report as a reader meets it: in a browser, offline, wide and narrow, light and dark."""

import base64
import io

import nbformat
import pytest
from PIL import Image

from labkit.reports import index
from labkit.reports.record import RunRecord
from labkit.reports.results import put_results

pytestmark = pytest.mark.browser

WIDTHS = [400, 800, 1280]
LONG = r"$$" + r" + ".join(rf"\frac{{a_{{{i}}}}}{{b_{{{i}}}}}" for i in range(60)) + "$$"
ROWS = [[f"a_long_column_name_{i}" for i in range(20)], ["---"] * 20, ["1"] * 20]
WIDE = "\n".join(f"| {' | '.join(row)} |" for row in ROWS)


def picture():
    buffer = io.BytesIO()
    Image.new("L", (2000, 400), 128).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def notebook():
    v4 = nbformat.v4
    alt = {"image/png": {"alt": "A wide grey picture", "name": "grey"}}
    figure = v4.new_output("display_data", data={"image/png": picture()}, metadata=alt)
    lines = v4.new_output("stream", name="stdout", text="x" * 400 + "\n")
    error = v4.new_output("error", ename="ValueError", evalue="y" * 300, traceback=["z" * 300])
    tagged = {"tags": ["handout:lab1.1"]}
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# A page\n\nText with `code_" + "long_" * 40 + "`"),
            v4.new_markdown_cell(f"## Formula\n\n{LONG}\n\n{WIDE}"),
            v4.new_code_cell("x = '" + "x" * 300 + "'", outputs=[figure, lines], metadata=tagged),
            v4.new_code_cell("boom()", outputs=[error]),
        ]
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    record = RunRecord(
        lab="01_vae_mnist",
        title="A page with a rather long title that has to be broken on a phone",
        profile="quick",
        parameters={"epochs": 2},
        status="failed",
        cells_run=1,
        cells_total=2,
        start="2026-01-02T03:04:05+00:00",
        seconds=75.0,
        cells=[],
        code_digest="ab" * 32,
        error={"ename": "ValueError", "evalue": "y" * 300, "traceback": []},
        data=[{"name": "mnist", "source": "mini", "digest": "0a" * 32, "note": "A subset."}],
        processor={"model": "A processor", "cores": 2},
    )
    metrics = {"nats": 1.5, "sweep": {str(i): {f"measure_{j}": 1.0 for j in range(12)} for i in range(3)}}
    put_results(record, metrics, notebook(), folder / "01_vae_mnist", folder, keep=False)
    index.rebuild(folder)
    return folder


@pytest.fixture
def report(out):
    return out / "01_vae_mnist" / "report.html"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["01_vae_mnist/report.html", "index.html"])
def test_nothing_hangs_over_the_edge(open_page, out, name, width):
    page = open_page(out / name, width)
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_switch_opens_and_folds_all_code(open_page, report):
    page = open_page(report)
    shown = "[...document.querySelectorAll('details.code')].filter(fold => fold.open).length"
    assert page.evaluate(shown) == 0
    page.get_by_role("button", name="Show all code").click()
    assert page.evaluate(shown) == 2
    page.get_by_role("button", name="Hide all code").click()
    assert page.evaluate(shown) == 0


def test_a_figure_is_enlarged_and_closed_by_keyboard(open_page, report):
    page = open_page(report)
    page.get_by_role("button", name="A wide grey picture").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible() and dialog.get_by_role("img").get_attribute("alt") == "A wide grey picture"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_the_first_tab_leads_to_the_content(open_page, report):
    page = open_page(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_a_requirement_leads_to_its_cell(open_page, report):
    page = open_page(report)
    page.locator("#requirement-lab1\\.1 a").click()
    code = page.locator(page.evaluate("location.hash")).locator("details.code")
    assert code.count() == 1 and code.evaluate("fold => fold.open"), "what is asked for is seen at once"


def test_a_script_from_an_output_does_not_run(chromium, out, tmp_path):
    page_text = (out / "01_vae_mnist" / "report.html").read_text()
    foreign = tmp_path / "foreign.html"
    foreign.write_text(page_text.replace('<div class="outputs">', "<script>window.ran = 1</script>", 1))
    page = chromium.new_page()
    page.goto(foreign.as_uri())
    assert page.evaluate("window.ran === undefined")
    assert page.get_by_role("button", name="Show all code").is_visible()
    page.close()


# WCAG: (lighter + 0.05) / (darker + 0.05) of the relative luminances is at least 4.5 for text.
CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = rgb => { const [r, g, b] = rgb.map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const background = element => { for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const poor = [];
  document.querySelectorAll('details').forEach(fold => { fold.open = true; });
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!element.checkVisibility()) continue;
    const pair = [parse(getComputedStyle(element).color), background(element)]
      .map(c => luminance(c.slice(0, 3))).sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) poor.push([element.tagName, element.className, ratio]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["01_vae_mnist/report.html", "index.html"])
def test_text_stands_out_in_light_and_dark(open_page, out, name, scheme):
    page = open_page(out / name, color_scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.evaluate(CONTRAST) == []


def test_without_scripts_everything_is_there(open_page, report):
    page = open_page(report, java_script_enabled=False)
    assert page.locator("#code-switch").is_hidden()
    assert page.get_by_role("img", name="A wide grey picture").is_visible()
    fold = page.locator("details.code").first
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()


def test_print_shows_figures_and_leaves_folded_code_out(open_page, report):
    page = open_page(report)
    page.emulate_media(media="print")
    assert page.get_by_role("img", name="A wide grey picture").is_visible()
    assert page.locator(".contents").is_hidden() and page.locator("details.code").first.is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["01_vae_mnist/report.html", "index.html"])
def test_axe_finds_nothing(open_page, faults, out, name, width, scheme):
    page = open_page(out / name, width, color_scheme=scheme)
    assert faults(page) == []
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert faults(page) == []
