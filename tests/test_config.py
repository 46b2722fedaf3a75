"""Profiles, parameters and their errors."""

import json
import sys

import hypothesis.strategies as st
import nbformat
import pytest
from hypothesis import given
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import labkit
from labkit import config, parameters, project

PARAMETERS = """profile = None  # smoke | quick | full
learning_rate = 1e-3  # of Adam, above 0
note = "a=b"  # a default with an equals sign
seed = 0  # of everything
sizes = [1]  # of the sweep, at least 1, at most 64
epochs = None  # passes over the training set, at least 1"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    cells = [nbformat.v4.new_markdown_cell("# A small lab"), nbformat.v4.new_code_cell(PARAMETERS)]
    cells[1].metadata.tags = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "03_small.ipynb")
    (tmp_path / "profiles.toml").write_text("[03_small.smoke]\nepochs = 1\n[03_small.quick]\nepochs = 5\n")
    return tmp_path


def configured(profile=None, **values):
    """The lab configured as its notebook does it, with these values in the parameters cell."""
    return labkit.configure("03_small", {"profile": profile, "other": object(), **values})


def test_a_lab_is_found_by_number_or_name(lab):
    assert {config.find_lab(name).name for name in ("3", "03", "03_small", "03_small.ipynb")} == {"03_small"}
    assert config.find_lab("03").title == "A small lab"


def test_a_copy_is_no_lab_and_a_shared_number_is_ambiguous(lab):
    for name in ("03_small-Copy1", "03_other"):
        (lab / f"{name}.ipynb").write_text((lab / "03_small.ipynb").read_text())
    assert list(config.labs()) == ["03_other", "03_small"]
    with pytest.raises(parameters.ConfigError, match="may be 03_other or 03_small"):
        config.find_lab("3")


def test_parameters_come_with_defaults_and_comments(lab):
    parameters = config.find_lab("03").parameters
    assert {p.name: p.default for p in parameters.values()} == {
        "profile": None, "learning_rate": 1e-3, "note": "a=b", "seed": 0, "sizes": [1], "epochs": None,
    }  # fmt: skip
    assert parameters["learning_rate"].comment == "of Adam, above 0"


def test_what_a_student_saved_does_not_say_which_number_is_next(lab):
    notebook = nbformat.read(lab / "03_small.ipynb", as_version=4)
    notebook.cells[1].source = PARAMETERS.replace("1e-3", "0").replace("None  # passes", "3.0  # passes")
    nbformat.write(notebook, lab / "03_small.ipynb")
    assert configured(learning_rate=1e-2, epochs=None).epochs == 5
    with pytest.raises(parameters.ConfigError, match="a whole number like 5"):
        configured(learning_rate=1e-2)
    with pytest.raises(parameters.ConfigError, match="a whole number like 0"):
        config.resolve(config.find_lab("03"), "quick", {"learning_rate": 1e-2, "epochs": 3})


def test_none_means_the_profile_s_value_and_what_is_not_given_the_default(lab):
    assert configured("smoke", epochs=None, seed=3).epochs == 1
    assert configured("quick").epochs == 5 and configured("quick").seed == 0
    assert configured("smoke", epochs=7).epochs == 7
    assert configured("smoke", sizes=[2, 4]).sizes == (2, 4)


def test_profile_comes_from_the_argument_then_the_environment_then_quick(lab, monkeypatch):
    assert configured().profile == "quick"
    monkeypatch.setenv("LABKIT_PROFILE", "smoke")
    assert configured().profile == "smoke"
    assert configured("quick").profile == "quick"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: labkit.configure("03_smal", {}), "did you mean '03_small'"),
        (lambda: configured("smok"), "did you mean 'smoke'"),
        (lambda: config.resolve(config.find_lab("3"), None, {"epoch": 3}), "did you mean 'epochs'"),
        (lambda: config.resolve(config.find_lab("3"), None, {"banana": 3}), "no parameter 'banana'; known"),
        (lambda: configured(learning_rate=None), "no value for it"),
        (lambda: configured(epochs=0), "at least 1"),
        (lambda: configured(epochs=True), "a whole number like 5"),
        (lambda: configured(epochs="ten"), "a whole number like 5"),
        (lambda: configured(epochs=2.5), "a whole number like 5"),
        (lambda: configured(seed="one"), "a number like 0"),
        (lambda: configured(learning_rate=-1.0), "above 0"),
        (lambda: configured(learning_rate=0.0), "above 0"),
        (lambda: configured(learning_rate=float("nan")), "finite"),
        (lambda: configured(learning_rate=float("inf")), "finite"),
        (lambda: configured(sizes=[]), "empty"),
        (lambda: configured(sizes=[2, 65]), "at most 64"),
        (lambda: config.find_lab("²"), "no lab '²'"),
        (lambda: config.find_lab("8"), "no lab '8'"),
    ],
)
def test_what_does_not_exist_or_fit_is_named(lab, call, message):
    with pytest.raises(parameters.ConfigError, match=message):
        call()


def test_an_unknown_attribute_is_named(lab):
    with pytest.raises(AttributeError, match="did you mean 'epochs'"):
        _ = configured(epochs=1).epoch


def test_bounds_are_read_from_the_comment_beside_the_value():
    declared = parameters.parse_parameters("rate = 0.5  # above 0, at most 1e-0\nn = 3  # at least −2")
    assert declared["rate"].bounds == [("above", 0.0), ("at most", 1.0)]
    assert declared["n"].bounds == [("at least", -2.0)]


def test_another_parameter_may_be_a_bound():
    batch = parameters.Parameter("batch", 8, "images, at least 1, at most n_train")
    batch.check_relations({"batch": 8, "n_train": 8})
    with pytest.raises(parameters.ConfigError, match="'batch' is 9; it must be at most n_train, which is 8"):
        batch.check_relations({"batch": 9, "n_train": 8})
    parameters.Parameter("n", 4, "at least once a minute").check_relations({"n": 4})


@given(st.integers(-5, 70))
def test_a_value_passes_exactly_where_all_bounds_hold(value):
    parameter = parameters.Parameter("n", 4, "pixels; at least 2, below 64")
    if 2 <= value < 64:
        assert parameter.check(value) == value
    else:
        with pytest.raises(parameters.ConfigError, match="'n' is"):
            parameter.check(value)


def test_a_copy_anywhere_is_found_by_its_path_and_keeps_its_lab_s_profile(lab, tmp_path):
    copy = tmp_path / "handed in" / "smith.ipynb"
    copy.parent.mkdir()
    notebook = nbformat.read(lab / "03_small.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell('cfg = labkit.configure("03_small", globals())'))
    nbformat.write(notebook, copy)
    found = config.find_lab(str(copy))
    assert (found.name, found.of) == ("smith", "03_small")
    assert config.resolve(found, "smoke", {}).epochs == 1
    with pytest.raises(parameters.ConfigError, match="no notebook"):
        config.find_lab(str(tmp_path / "missing.ipynb"))


def test_an_int_stands_for_a_float(lab):
    assert configured(learning_rate=1).learning_rate == 1


@pytest.mark.parametrize(
    "line", ["epochs = 1 + 1", "x, y = 1, 2", "import os", "epochs = open('f')", "a = ("]
)
def test_a_parameters_cell_holds_literals_only(line):
    with pytest.raises(parameters.ConfigError):
        parameters.parse_parameters(line)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_literal_is_read_back(value):
    assert parameters.parse_parameters(f"name = {value!r}  # unit")["name"].default == value


def test_a_file_that_is_no_notebook_is_named(lab):
    (lab / "04_broken.ipynb").write_text("{not json")
    with pytest.raises(parameters.ConfigError, match=r"04_broken.ipynb is not a readable"):
        config.find_lab("04")


def test_the_table_shows_values_and_where_they_came_from(lab):
    text = configured("smoke", note="<b>")._repr_html_()
    assert "from profile smoke" in text and "&lt;b&gt;" in text and "<b>" not in text


def test_the_kernel_s_resolved_values_go_into_the_record(lab, tmp_path):
    configured("smoke")
    (line,) = (tmp_path / "run" / "facts.jsonl").read_text().splitlines()
    assert json.loads(line)["parameters"]["epochs"] == 1


def test_replacing_leaves_the_old_file_when_something_is_raised(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), project.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    with project.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_the_project_s_own_profiles_cover_every_knob_that_is_none():
    for lab in config.labs().values():
        knobs = {name for name, p in lab.parameters.items() if p.default is None and name != "profile"}
        for profile in config.PROFILES:
            assert set(config.profile_values(lab.name, profile)) == knobs, (lab.name, profile)


def test_in_a_notebook_a_wrong_value_is_one_line(lab, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own there
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_cell("import labkit; epochs = 0; labkit.configure('03_small', globals())")
    finally:
        InteractiveShell.clear_instance()
    said = "".join(capsys.readouterr()).strip()
    assert said == "ConfigError: parameter 'epochs' is 0; it must be at least 1"
