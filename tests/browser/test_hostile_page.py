"""Pages made of hostile notebooks, opened in a browser in which every request and navigation is watched."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from labkit import player
from labkit.reports import index
from labkit.reports.results import put_results

pytestmark = pytest.mark.browser

# The kinds of hostile pieces and the notebook of them are those of the unit tests.
_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).parents[1] / "test_hostile.py")
hostile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hostile)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a failed run whose every text is hostile, with one of labkit's players among them."""
    out = tmp_path_factory.mktemp("out")
    frame = {"name": "epoch 1", "uri": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}
    spec = {
        "kind": "frames",
        "title": "Own",
        "label": "epoch",
        "frames": [frame] * 3,
        "key": "",
        "shape": [2, 2],
    }
    own = hostile.code(hostile.shown(html=player.iframe_html(spec, [], 300)))
    cells = [cell for bad in hostile.HOSTILE for cell in hostile.ways(bad)]
    bad = " ".join(hostile.HOSTILE)
    record = replace(hostile.RECORD, warnings=hostile.HOSTILE, parameters={bad: bad}, notebook=bad)
    place = out / "01_lab"
    put_results(record, {bad: bad}, nbformat.v4.new_notebook(cells=[own, *cells]), place, out, keep=False)
    index.rebuild(out)
    return place / "report.html"


def watched(context, path):
    """Open a page; what it asks for and where it goes."""
    asked, went, page = [], [], context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("framenavigated", lambda frame: went.append(frame.url) if frame == page.main_frame else None)
    page.goto(path.as_uri())
    page.wait_for_timeout(2_500)  # a refresh waits for its seconds
    return page, asked, went


@pytest.mark.parametrize("name", ["report.html", "../index.html"])
def test_a_hostile_page_asks_for_nothing_and_goes_nowhere(chromium, page, name):
    context = chromium.new_context()
    opened, asked, went = watched(context, page.parent / name)
    assert {url.partition(":")[0] for url in asked[1:]} <= {"data"} and len(went) == 1
    assert len(context.pages) == 1 and "PWNED" not in opened.title()
    context.close()


def test_nothing_in_a_hostile_page_acts_when_it_is_clicked(chromium, page):
    context = chromium.new_context()
    opened, asked, went = watched(context, page)
    opened.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    links = "[...document.querySelectorAll('.cell a')].filter(a => !/^(https?:|#)/.test(a.getAttribute('href') ?? '#'))"  # noqa: E501
    assert opened.evaluate(f"{links}.length") <= opened.evaluate(
        f"{links}.filter(a => a.protocol === 'file:').length"
    )
    for selector in (".cell button:not(.enlarge)", ".cell input", ".cell form", ".cell [autofocus]"):
        assert opened.locator(selector).count() == 0, selector
    assert opened.locator(".masthead .badge").is_visible()
    assert len(went) == 1 and {url.partition(":")[0] for url in asked[1:]} <= {"data"}
    context.close()


def test_labkits_player_plays_in_the_midst_of_it(chromium, page):
    context = chromium.new_context()
    opened, _, _ = watched(context, page)
    (frame,) = [frame for frame in opened.frames if frame != opened.main_frame]
    frame.get_by_role("button", name="Previous").click()
    assert "epoch 1" in frame.locator("output").inner_text()
    context.close()
