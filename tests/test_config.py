"""Profiles, parameters and their errors."""

import json

import hypothesis.strategies as st
import nbformat
import pytest
from hypothesis import given

import labkit
from labkit import config

PARAMETERS = """profile = None  # smoke | quick | full
learning_rate = 1e-3  # of Adam
note = "a=b"  # a default with an equals sign
seed = 0  # of everything
epochs = None  # passes over the training set"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    cells = [nbformat.v4.new_markdown_cell("# A small lab"), nbformat.v4.new_code_cell(PARAMETERS)]
    cells[1].metadata.tags = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "03_small.ipynb")
    (tmp_path / "profiles.toml").write_text(
        "[03_small.smoke]\nepochs = 1\nsizes = [1, 2]\n[03_small.quick]\nepochs = 5\nsizes = [1, 2, 4]\n"
    )
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    return tmp_path


def test_a_lab_is_found_by_number_or_name(lab):
    assert {config.find_lab(name).name for name in ("3", "03", "03_small", "03_small.ipynb")} == {"03_small"}
    assert config.find_lab("03").title == "A small lab"


def test_a_copy_is_no_lab_and_a_shared_number_is_ambiguous(lab):
    for name in ("03_small-Copy1", "03_other"):
        (lab / f"{name}.ipynb").write_text((lab / "03_small.ipynb").read_text())
    assert list(config.labs()) == ["03_other", "03_small"]
    with pytest.raises(config.ConfigError, match="may be 03_other or 03_small"):
        config.find_lab("3")


def test_parameters_come_with_defaults_and_comments(lab):
    parameters = config.find_lab("03").parameters
    assert {p.name: p.default for p in parameters.values()} == {
        "profile": None, "learning_rate": 1e-3, "note": "a=b", "seed": 0, "epochs": None,
    }  # fmt: skip
    assert parameters["learning_rate"].comment == "of Adam"


def test_none_means_the_profile_s_value(lab):
    assert labkit.configure("03_small", "smoke", epochs=None, seed=3).epochs == 1
    assert labkit.configure("03_small", "quick", sizes=None).sizes == (1, 2, 4)
    assert labkit.configure("03_small", "smoke", epochs=7).epochs == 7


def test_profile_comes_from_the_argument_then_the_environment_then_quick(lab, monkeypatch):
    assert labkit.configure("03_small").profile == "quick"
    monkeypatch.setenv("LABKIT_PROFILE", "smoke")
    assert labkit.configure("03_small").profile == "smoke"
    assert labkit.configure("03_small", "quick").profile == "quick"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: labkit.configure("03_smal"), "did you mean '03_small'"),
        (lambda: labkit.configure("03_small", "smok"), "did you mean 'smoke'"),
        (lambda: labkit.configure("03_small", epoch=3), "did you mean 'epochs'"),
        (lambda: labkit.configure("03_small", banana=3), "no parameter 'banana'; known"),
        (lambda: labkit.configure("03_small", learning_rate=None), "no value for it"),
        (lambda: labkit.configure("03_small", epochs=0), "at least 1"),
        (lambda: labkit.configure("03_small", epochs=True), "int like"),
        (lambda: labkit.configure("03_small", epochs="ten"), "int like"),
        (lambda: labkit.configure("03_small", learning_rate=-1.0), "negative"),
        (lambda: labkit.configure("03_small", learning_rate=0.0), "positive"),
        (lambda: labkit.configure("03_small", learning_rate=float("nan")), "negative"),
        (lambda: labkit.configure("03_small", learning_rate=float("inf")), "finite"),
        (lambda: labkit.configure("03_small", sizes=[]), "empty"),
        (lambda: config.find_lab("²"), "no lab '²'"),
        (lambda: config.find_lab("8"), "no lab '8'"),
    ],
)
def test_what_does_not_exist_or_fit_is_named(lab, call, message):
    with pytest.raises(config.ConfigError, match=message):
        call()


def test_an_unknown_attribute_is_named(lab):
    with pytest.raises(AttributeError, match="did you mean 'epochs'"):
        _ = labkit.configure("03_small", epochs=1).epoch


def test_an_int_stands_for_a_float(lab):
    assert labkit.configure("03_small", learning_rate=1).learning_rate == 1


@pytest.mark.parametrize(
    "line", ["epochs = 1 + 1", "x, y = 1, 2", "import os", "epochs = open('f')", "a = ("]
)
def test_a_parameters_cell_holds_literals_only(line):
    with pytest.raises(config.ConfigError):
        config.parse_parameters(line)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_literal_is_read_back(value):
    assert config.parse_parameters(f"name = {value!r}  # unit")["name"].default == value


def test_a_file_that_is_no_notebook_is_named(lab):
    (lab / "04_broken.ipynb").write_text("{not json")
    with pytest.raises(config.ConfigError, match=r"04_broken.ipynb is not a readable"):
        config.find_lab("04")


def test_the_table_shows_values_and_where_they_came_from(lab):
    text = labkit.configure("03_small", "smoke", epochs=None, note="<b>")._repr_html_()
    assert "from profile smoke" in text and "&lt;b&gt;" in text and "<b>" not in text


def test_the_kernel_s_resolved_values_go_into_the_record(lab, tmp_path):
    labkit.configure("03_small", "smoke", epochs=None)
    (line,) = (tmp_path / "run" / "facts.jsonl").read_text().splitlines()
    assert json.loads(line)["parameters"] == {"epochs": 1}


def test_replacing_leaves_the_old_file_when_something_is_raised(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), config.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    with config.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_the_project_s_own_profiles_cover_every_knob_that_is_none():
    for lab in config.labs().values():
        knobs = {name for name, p in lab.parameters.items() if p.default is None and name != "profile"}
        for profile in config.PROFILES:
            assert set(config.profile_values(lab.name, profile)) == knobs, (lab.name, profile)
