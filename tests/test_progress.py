"""What the terminal shows while several labs run."""

import io
import re

import nbformat
import pytest

from labkit import config
from labkit.reports import progress
from labkit.reports.progress import Progress
from labkit.reports.request import prepare, vary


class Terminal(io.StringIO):
    """A terminal that knows what the progress uses: go up so many lines, and clear what is below."""

    def isatty(self):
        return True

    def screen(self):
        """The lines that are to be seen."""
        lines = []
        for part in re.split(r"(\x1b\[\d+F\x1b\[J|\n)", self.getvalue()):
            if part.startswith("\x1b["):
                del lines[-int(part[2:-4]) :]
            elif part not in ("", "\n"):
                lines.append(part)
        return lines


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """Three runs of a notebook of two cells."""
    cells = [
        nbformat.v4.new_markdown_cell("## Training"),
        *map(nbformat.v4.new_code_cell, ["x = 1", "y = 2"]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_lab.ipynb")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    monkeypatch.setattr(progress, "REDRAW_SECONDS", -1)
    first = prepare(config.find_lab("1"), "smoke", {}, tmp_path / "out")
    return [vary(first, {}, name) for name in ("a", "b", "c")]


def test_each_run_has_a_line_with_its_cell_and_epoch_below_one_for_all(requests):
    terminal = Terminal()
    shown = Progress(3, terminal)
    for request in requests[:2]:
        shown.start(request)
    shown.event(requests[0], {"event": "start", "cell": 1})
    shown.event(requests[0], {"event": "tick", "training": {"epoch": 3, "epochs": 10}})
    *_, everything, a, b = terminal.screen()
    assert everything.startswith("0 of 3 done · 2 running")
    assert a.startswith("a cell 1/2 Training · epoch 3/10") and b.startswith("b cell 1/2 starting")


def test_what_has_ended_stays_above_and_the_rest_is_drawn_once(requests):
    terminal = Terminal()
    shown = Progress(3, terminal)
    for request in requests:
        shown.start(request)
    shown.end(requests[0], "completed in 3.0 s")
    shown.end(requests[1], "failed", good=False)
    screen = terminal.screen()
    assert screen.count("  a: completed in 3.0 s") == 1
    assert screen[-2].startswith("2 of 3 done · 1 failed · 1 running") and " left" in screen[-2]
    assert screen[-1].startswith("c cell") and sum(line.startswith("c cell") for line in screen) == 1
    shown.end(requests[2], "completed")
    shown.close()
    assert terminal.screen()[-1] == "  c: completed"


def test_more_runs_than_lines_are_counted(requests, monkeypatch):
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda *_, **__: (40, 6))
    terminal = Terminal()
    shown = Progress(3, terminal)
    for request in requests:
        shown.start(request)
    assert terminal.screen()[-1] == "… and 1 more"
    assert all(len(line) < 40 for line in terminal.screen()[-3:])
