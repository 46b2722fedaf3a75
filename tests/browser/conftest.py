"""A Chromium to open pages in, with no network."""

import os
import shutil
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = (
    "no Chromium found: set LABKIT_CHROMIUM to its path, or install one "
    "(`apt-get install chromium`, or `playwright install chromium` and its path in LABKIT_CHROMIUM)"
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium():
    """A running browser. Without one the tests are skipped, but fail where $CI is set."""
    path = os.environ.get("LABKIT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW)
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Open a file in a window of its own; the test fails for a request, an error or a message."""
    contexts, requests, messages, problems = [], [], [], []

    def open_file(path, width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: messages.append((message.type, message.text)))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]
    assert not problems + [text for kind, text in messages if kind == "error"]


PLACES = """[document.documentElement.scrollHeight, ...[...document.querySelectorAll("iframe")]
  .flatMap(frame => Object.values(frame.getBoundingClientRect().toJSON()))]"""


@pytest.fixture
def at_rest():
    """Wait until no frame of a page moves or grows any more.

    A click goes to where its target was when it was looked up. A frame that is moved on in
    between, by a player above it that tells its height, leaves the click without an effect.
    """

    def wait(page, looks=4, seconds=60):
        end = time.monotonic() + seconds
        seen = []
        while seen.count(seen[-1] if seen else None) < looks:
            assert time.monotonic() < end, f"the page still moves after {seconds} s: {seen[-2:]}"
            page.wait_for_timeout(100)
            seen = [*seen, [frame.evaluate(PLACES) for frame in page.frames]][-looks:]

    return wait


@pytest.fixture
def faults():
    """What axe-core finds in a page and in each of its frames: rule, place and what is wrong."""
    from axe_playwright_python.base import AXE_SCRIPT

    # Each frame by itself: axe cannot pass messages into a sandboxed one.
    options = {"resultTypes": ["violations"], "iframes": False}

    def find(page):
        found = []
        for frame in page.frames:
            frame.evaluate(AXE_SCRIPT)
            violations = frame.evaluate(
                "options => axe.run(options).then(results => results.violations)", options
            )
            found += [
                (rule["id"], node["target"], node["failureSummary"])
                for rule in violations
                for node in rule["nodes"]
            ]
        return found

    return find
