"""The overview of many runs in a browser: it sorts, and nothing in it is out of reach."""

import json
from dataclasses import asdict

import pytest

from labkit.reports import index
from labkit.reports.record import RunRecord

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """An overview that is a table: runs of different lengths, every seventh failed."""
    out = tmp_path_factory.mktemp("listing")
    for i in range(index.MOST_CARDS + 5):
        record = RunRecord(
            lab="01_vae_mnist", title="A lab", profile="smoke", parameters={}, cells=[], cells_run=1,
            status="completed" if i % 7 else "failed", start=f"2026-01-02T03:{i:02}:05+00:00",
            cells_total=1, seconds=(i * 37) % 101,
        )  # fmt: skip
        (out / f"run-{i:02}").mkdir()
        (out / f"run-{i:02}" / "run.json").write_text(json.dumps(asdict(record)))
    index.rebuild(out)
    return out / "index.html"


def column(page, number):
    return page.eval_on_selector_all(
        f"tbody tr > :nth-child({number})",
        "cells => cells.map(cell => cell.dataset.value ?? cell.textContent.trim())",
    )


def test_a_heading_sorts_the_table_both_ways_from_the_keyboard_too(listing, open_page):
    page = open_page(listing)
    times = sorted(map(float, column(page, 7)))
    heading = page.get_by_role("button", name="time")
    heading.click()
    assert list(map(float, column(page, 7))) == times
    heading.press("Enter")
    assert list(map(float, column(page, 7))) == times[::-1]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("time")
    page.get_by_role("button", name="status").click()
    assert column(page, 2) == sorted(column(page, 2))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window_and_axe_finds_no_fault(listing, open_page, faults, width):
    page = open_page(listing, width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert not faults(page)
