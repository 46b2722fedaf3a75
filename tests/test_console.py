"""What the command writes gets through consoles that are not UTF-8; what it reads may have a mark."""

import io
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given

from labkit import claims, config
from labkit.cli import main
from labkit.cli.console import spelled, write_what_can_be_written
from labkit.reports import about, handouts

ENCODINGS = ["cp1252", "ascii", "latin-1", "cp437", "utf-8"]


def written(text, encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_what_can_be_written()
    sys.stdout.write(text)
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_list_of_labs_gets_through_any_console(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert main(["labs"]) == 0
    sys.stdout.flush()
    shown = raw.getvalue().decode(encoding)
    assert "01_vae_mnist" in shown and "?" not in shown


def test_what_an_encoding_lacks_is_spelled_in_ascii(monkeypatch):
    assert written("β ≤ −1, 28×28 … é ✓ 😀", "ascii", monkeypatch) == "beta <= -1, 28x28 ... e yes ?"
    assert written("28×28 é – β", "cp1252", monkeypatch) == "28×28 é – beta"
    assert written("28×28 β 😀", "utf-8", monkeypatch) == "28×28 β 😀"


@given(st.characters())
def test_every_character_is_spelled_in_ascii(character):
    assert spelled(character).isascii()


def test_half_a_character_does_not_stop_utf_8(monkeypatch):
    assert written("a\udcff", "utf-8", monkeypatch) == "a?"


def test_the_course_s_tables_may_begin_with_a_byte_order_mark(tmp_path, monkeypatch):
    requirement = 'requirement = [{ id = "x.1", text = "Do it", notebooks = ["01_x"] }]'
    tables = {
        "profiles": "[01_x.smoke]\nepochs = 3\n",
        "claims": '[claims."01.a"]\nsentence = "It is"\n',
        "handouts": f'[[handout]]\ntitle = "X"\n{requirement}\n',
        "labs": '[01_x]\nquestion = "Why?"\n',
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8-sig")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    assert config.profile_values("01_x", "smoke") == {"epochs": 3}
    assert [*claims.known_claims()] == ["01.a"]
    assert [requirement.id for requirement in handouts.requirements()] == ["x.1"]
    assert about.about_labs()["01_x"].question == "Why?"
