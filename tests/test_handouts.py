"""Every requirement of the handouts is met by a cell of the notebook it belongs to."""

import nbformat
import pytest

from labkit import config, project
from labkit.claims import Claim
from labkit.parameters import ConfigError
from labkit.reports import handouts
from labkit.reports.handouts import checklist, requirement_ids, requirements
from labkit.reports.judged import Judged

NOTEBOOKS = {
    "01_vae_mnist",
    "02_vae_to_gan",
    "03_ae_vs_vae_fashion",
    "04_dcgan_fashion",
    "05_ck_faces",
    "06_vae_cvae_mnist",
    "07_gan_lsgan_dcgan_mnist",
}
PRESENT = [project.ROOT / "notebooks" / f"{name}.ipynb" for name in config.lab_names()]


def test_every_requirement_has_a_unique_id_a_text_and_a_notebook():
    found = requirements()
    assert len({requirement.id for requirement in found}) == len(found) == 70
    assert all(requirement.text and set(requirement.notebooks) <= NOTEBOOKS for requirement in found)
    assert {name for requirement in found for name in requirement.notebooks} == NOTEBOOKS


@pytest.mark.parametrize("path", PRESENT, ids=lambda path: path.stem)
def test_a_notebook_meets_what_is_asked_of_it_and_names_nothing_else(path):
    notebook = nbformat.read(path, as_version=4)
    tagged = {name for cell in notebook.cells for name in requirement_ids(cell)}
    wanted = {requirement.id for requirement in requirements() if path.stem in requirement.notebooks}
    assert not wanted - tagged, "requirements that no cell is tagged with"
    assert not tagged - {requirement.id for requirement in requirements()}, "tags that no handout knows"


def lab_notebook(*cells):
    made = []
    for kind, name, status in cells:
        new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        made.append(new("## Part" if kind == "markdown" else "x", metadata={"tags": [f"handout:{name}"]}))
        if status:
            made[-1].metadata["labkit"] = {"status": status}
    return nbformat.v4.new_notebook(cells=made)


def states_of(notebook, judged=()):
    checks, warnings = checklist(notebook, "02_vae_to_gan", judged)
    assert not warnings
    return {check.requirement.id: check.state for check in checks}


@pytest.fixture
def no_answers(tmp_path, monkeypatch):
    """labkit's own notebook of lab 02 answers nothing in words."""
    monkeypatch.setattr(handouts, "own_notebooks", lambda: tmp_path)


@pytest.mark.usefixtures("no_answers")
def test_a_tag_is_an_answer_to_be_read_and_no_tick():
    notebook = lab_notebook(
        ("markdown", "lab1.8", None), ("code", "lab1.8", "ran"), ("code", "lab1.9", "ran"),
        ("code", "lab1.9", "not run"), ("markdown", "lab1.12", None),
    )  # fmt: skip
    assert states_of(notebook) == {
        "lab1.8": "answered",
        "lab1.9": "not run",
        "lab1.10": "unanswered",
        "lab1.11": "unanswered",
        "lab1.12": "answered",
    }


@pytest.mark.usefixtures("no_answers")
@pytest.mark.parametrize(
    ("states", "kind", "expected"),
    [
        (["holds"], "finding", "checked"),
        (["holds", "fails"], "check", "failed"),
        (["holds", "fails"], "target", "failed"),
        (["holds", "fails"], "finding", "answered"),  # a prediction may come out otherwise
        (["holds", "too short"], "check", "answered"),
        ([], "finding", "answered"),
    ],
)
def test_only_claims_that_hold_are_a_tick(states, kind, expected):
    claim = Claim("02.x", "It is so.", answers=("lab1.8",), kind=kind)
    judged = [Judged(claim, state, "") for state in states]
    assert states_of(lab_notebook(("code", "lab1.8", "ran")), judged)["lab1.8"] == expected


@pytest.fixture
def original(tmp_path, monkeypatch):
    """labkit's own notebook of lab 02, with an answer to lab1.8."""
    own = V4.new_markdown_cell(ANSWER, metadata={"tags": ["handout:lab1.8"]})
    nbformat.write(V4.new_notebook(cells=[own]), tmp_path / "02_vae_to_gan.ipynb")
    monkeypatch.setattr(handouts, "own_notebooks", lambda: tmp_path)
    return tmp_path


def test_code_ticks_no_answer_in_words(original):
    answered = V4.new_markdown_cell(ANSWER, metadata={"tags": ["handout:lab1.8"]})
    claim = Claim("02.x", "It is so.", answers=("lab1.8",))
    made = V4.new_notebook(cells=[answered])
    assert states_of(made, [Judged(claim, "holds", "")])["lab1.8"] == "answered"


V4 = nbformat.v4
ANSWER = (
    "**Answer.** The decoder maps a latent to an image, and so does a generator; its FCD is "
    "<!--=lab02.fcd:.1f-->23.3<!---->.\n\nMore about it."
)


@pytest.mark.parametrize(
    ("text", "state", "differs"),
    [
        (ANSWER, "answered", False),
        (ANSWER.replace("23.3", "24.1"), "answered", False),  # a pinned number was renewed
        (ANSWER.replace("More about it.", "Less."), "answered", False),
        (ANSWER.replace("so does a generator", "a generator does not do that"), "answered", True),
        ("TODO: ask a friend", "unanswered", True),
        ("**Answer.** TODO", "unanswered", True),
    ],
)
def test_an_answer_is_compared_with_the_original_and_an_empty_one_is_none(original, text, state, differs):
    cell = V4.new_markdown_cell(text, metadata={"tags": ["handout:lab1.8"]})
    checks, _ = checklist(V4.new_notebook(cells=[cell]), "02_vae_to_gan")
    (check,) = [check for check in checks if check.requirement.id == "lab1.8"]
    assert (check.state, check.differs) == (state, differs)


def test_a_tag_that_no_handout_knows_is_a_warning():
    _, warnings = checklist(lab_notebook(("code", "lab1.88", "ran")), "02_vae_to_gan")
    assert "lab1.88" in warnings[0] and "did you mean 'lab1.8'" in warnings[0]


@pytest.mark.parametrize("text", ["handout = 3", "[[handout]]\nid = 1", "not toml"])
def test_a_list_that_cannot_be_read_is_an_error(tmp_path, monkeypatch, text):
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    (tmp_path / "handouts.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"handouts\.toml"):
        requirements()


def test_an_id_that_comes_twice_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    row = '{id = "a.1", text = "t", notebooks = ["01_x"]}'
    (tmp_path / "handouts.toml").write_text(f'[[handout]]\ntitle = "A"\nrequirement = [{row}, {row}]')
    with pytest.raises(ConfigError, match=r"a\.1"):
        requirements()
