"""Stored players are framed anew: their data are kept, and nothing else of them."""

import html
import json
import re

import nbformat
import pytest

from labkit import player
from labkit.project import ROOT

REPORTS = sorted((ROOT / "reports").glob("*/report.ipynb"))
PICTURE = "data:image/webp;base64,UklGRg=="
SPEC = {
    "kind": "frames",
    "title": "A “title” & more",
    "label": "epoch",
    "frames": [],
    "key": "",
    "shape": [2, 2],
}


def stored_players(path):
    """The HTML outputs of a notebook in which a player stands."""
    cells = nbformat.read(path, 4).cells
    made = [
        output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])
    ]
    return [text for text in made if "labkit-player" in text]


def document_of(made):
    return html.unescape(re.search(r"srcdoc='(.*?)'", made, re.DOTALL)[1])


def spec_of(made):
    return json.loads(re.search(r'id="spec">(.*?)</script>', document_of(made), re.DOTALL)[1])


def scripts_of(made):
    """Scripts of the frame's document that run."""
    return re.findall(r"<script>(.*?)</script>", document_of(made), re.DOTALL)


def sheets_of(made):
    return re.findall(r'<img src="(.*?)" alt="(.*?)"', made)


def an_older(made):
    """The same player as an older script and style had it."""
    inside = document_of(made).replace(player.SCRIPT, "older();").replace("font:", "font-older:")
    return made.replace(
        re.search(r"srcdoc='(.*?)'", made, re.DOTALL)[1], html.escape(inside).replace("&#x27;", "&#39;")
    )


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_the_players_of_each_published_report_are_made_anew_from_their_data(path):
    stored = stored_players(path)
    assert stored
    for old in stored:
        new = player.refreshed(old)
        assert scripts_of(new) == [player.SCRIPT]
        assert sheets_of(new) == sheets_of(old) != []
        expected = spec_of(old) | {"key": ""}
        if "mix" in expected:
            expected["mix"].setdefault("paths", ["linear"])
        assert spec_of(new) == expected
        assert player.refreshed(new) == new


def test_a_player_of_now_stays_as_it_is_and_an_older_one_becomes_it():
    new = player.iframe_html(SPEC, [(PICTURE, 'Four "grey" <pictures>')], height=300)
    old = an_older(new)
    assert "older();" in old and player.refreshed(old) == player.refreshed(new) == new


def test_what_stands_around_players_stays():
    one, two = (an_older(player.iframe_html({**SPEC, "title": name}, [], height=300)) for name in "ab")
    made = player.refreshed(f"<p>before</p>{one}<div>between</div>{two}<p>after</p>")
    assert re.sub(r'<div class="labkit-player">.*?</div>', "…", made, flags=re.DOTALL) == (
        "<p>before</p>…<div>between</div>…<p>after</p>"
    )
    assert re.findall(r'<iframe title="(.)"', made) == ["a", "b"]


def test_stored_arcs_of_the_first_edition_are_not_shown_as_those_of_now():
    spec = {**SPEC, "kind": "latent", "mix": {"steps": 5, "first": 0}}
    assert spec_of(player.refreshed(player.iframe_html(spec, [], 300)))["mix"]["paths"] == ["linear"]
    spec["mix"]["paths"] = ["linear", "spherical"]
    assert spec_of(player.refreshed(player.iframe_html(spec, [], 300)))["mix"] == spec["mix"]


def test_only_data_of_a_stored_player_are_taken_over():
    made = player.iframe_html(SPEC, [(PICTURE, "good"), ("https://elsewhere/x.png", "bad")], height=300)
    made = made.replace("<iframe ", '<script>bad()</script><iframe onload="bad()" ')
    made = made.replace("sandbox=", 'allow="camera" sandbox=').replace("allow-scripts", "allow-same-origin")
    new = player.refreshed(made)
    assert new == player.iframe_html(SPEC, [(PICTURE, "good")], height=300)


@pytest.mark.parametrize(
    "spec", ['{"kind": "frames"', "[]", '{"kind": "other", "title": ""}', '{"kind": "frames"}', "NaN"]
)
def test_a_player_whose_data_cannot_be_read_stays_as_it_is(spec):
    made = f'<div class="labkit-player"><iframe srcdoc=\'<script type="application/json" id="spec">{spec}</script>\'></iframe></div>'  # noqa: E501
    assert player.refreshed(made) == made
    assert player.refreshed("<table></table>") == "<table></table>"
