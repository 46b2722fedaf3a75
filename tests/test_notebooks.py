"""How a notebook is built: what every one of them keeps to, and the form of the second edition."""

import ast
import itertools
import re
import statistics

import nbformat
import pytest

from labkit.claims import known_claims
from labkit.config import labs
from labkit.reports.handouts import requirement_ids, requirements

NOTEBOOKS = {lab.name: nbformat.read(lab.path, as_version=4) for lab in labs().values()}
# evidence, claims and readings in cells of their own
SECOND_EDITION = [
    "01_vae_mnist",
    "02_vae_to_gan",
    "03_ae_vs_vae_fashion",
    "04_dcgan_fashion",
    "05_ck_faces",
    "06_vae_cvae_mnist",
    "07_gan_lsgan_dcgan_mnist",
]
each_notebook = pytest.mark.parametrize("notebook", list(NOTEBOOKS.values()), ids=list(NOTEBOOKS))
second_edition = pytest.mark.parametrize("name", SECOND_EDITION)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def tags(cell):
    return set(cell.metadata.get("tags", []))


# What a reader does not read as words: marks of pinned numbers, addresses, the inside of a formula.
UNREAD = {r"<!--.*?-->": "", r"\]\(http[^)]*\)": "]", r"\$\$.*?\$\$|\$[^$\n]+\$": "x"}


def words(text):
    """The words that a reader sees; a formula counts as one."""
    for pattern, replacement in UNREAD.items():
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    return [word for word in text.split() if re.search(r"[^\W_]", word)]


def test_there_are_notebooks():
    assert set(SECOND_EDITION) <= set(NOTEBOOKS)


@each_notebook
def test_imports_then_parameters_then_configure(notebook):
    first, *code = cells(notebook, "code")
    assert first.source.startswith("import labkit")  # where it is not there, the error shows this line
    assert code[0].source.lstrip().startswith(("import", "from"))
    assert len(code[0].source.splitlines()) <= 12
    assert "parameters" in tags(code[1])
    assert "labkit.configure(" in code[2].source
    assert "save_metrics(" in code[-1].source


@each_notebook
def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in cells(notebook, "code")]
    assert max(lengths) <= 25
    assert statistics.median(lengths) <= 8


@each_notebook
def test_nothing_is_installed_pickled_or_imported_from_odd_places(notebook):
    source = "\n".join(cell.source for cell in cells(notebook, "code"))
    for word in ("%pip", "!pip", "sys.path", "plt.show", "pickle"):
        assert word not in source


@each_notebook
def test_outputs_are_stored_where_nbval_compares_them_and_nowhere_else(notebook):
    checked = [cell for cell in cells(notebook, "code") if "nbval-check-output" in tags(cell)]
    assert len(checked) >= 3
    for cell in checked:
        assert "keep_output" in tags(cell), "nbstripout would strip it"
        assert cell.outputs and cell.execution_count, "nbval compares nothing without both; run make outputs"
    for cell in cells(notebook, "code"):
        if cell not in checked:
            assert not cell.outputs, "depends on the run; strip it"


@each_notebook
def test_cell_ids_are_unique(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@each_notebook
def test_headings_go_down_one_level_at_a_time(notebook):
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    levels = [len(line) - len(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@second_edition
def test_configure_takes_one_line(name):
    configure = cells(NOTEBOOKS[name], "code")[3].source
    assert configure.splitlines()[0] == f'cfg = labkit.configure("{name}", globals())'


@second_edition
def test_markdown_outweighs_code(name):
    prose, code = (
        sum(len(words(cell.source)) for cell in cells(NOTEBOOKS[name], kind)) for kind in ("markdown", "code")
    )
    assert prose >= 1.3 * code
    assert 1500 <= prose <= 2500
    assert len(cells(NOTEBOOKS[name], "code")) <= 40


def texts(source):
    """Every text in code, f-strings with their fixed parts joined; docstrings apart."""
    tree = ast.parse(source)
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    docstrings = {id(node.body[0].value) for node in scopes if ast.get_docstring(node)}
    inside = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for v in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value for v in node.values if isinstance(v, ast.Constant)]
            yield " ".join(parts), False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value, id(node) in docstrings


@second_edition
def test_code_builds_no_sentences(name):
    """A label may have a few words, a docstring a sentence; prose stands in Markdown."""
    for cell in cells(NOTEBOOKS[name], "code"):
        assert "Markdown(" not in cell.source and "print(" not in cell.source
        for text, is_docstring in texts(cell.source):
            assert len(words(text)) <= (20 if is_docstring else 8), text


@second_edition
def test_each_requirement_is_answered_in_one_to_three_cells(name):
    found = [r for cell in NOTEBOOKS[name].cells for r in requirement_ids(cell)]
    wanted = {r.id for r in requirements() if name in r.notebooks}
    assert {r: found.count(r) for r in wanted if not 1 <= found.count(r) <= 3} == {}
    assert set(found) == wanted


@second_edition
def test_each_question_of_a_handout_has_an_answer_in_markdown(name):
    questions = [r.id for r in requirements() if name in r.notebooks and r.text.startswith("Question")]
    answers = [cell for cell in cells(NOTEBOOKS[name], "markdown") if "**Answer.**" in cell.source]
    answered = [r for cell in answers for r in requirement_ids(cell)]
    assert set(questions) <= set(answered)
    assert all(requirement_ids(cell) for cell in answers), "an answer to nothing that was asked"
    for cell in answers:
        (paragraph,) = [p for p in cell.source.split("\n\n") if "**Answer.**" in p]
        assert paragraph.startswith("**Answer.**") and 15 <= len(words(paragraph)) <= 110


@second_edition
def test_plumbing_is_folded_under_a_title(name):
    folded = 0
    for cell in cells(NOTEBOOKS[name], "code"):
        titled = cell.source.startswith("# @title ")
        hidden = bool(cell.metadata.get("jupyter", {}).get("source_hidden"))
        assert titled == hidden == (cell.metadata.get("cellView") == "form"), cell.source[:60]
        folded += titled
    assert folded


@second_edition
def test_a_figure_stands_between_a_question_and_a_reading(name):
    found = NOTEBOOKS[name].cells
    markdown = [i for i, cell in enumerate(found) if cell.cell_type == "markdown"]
    for i, cell in enumerate(found):
        if cell.cell_type == "code" and "plots." in cell.source and "data.load(" not in cell.source:
            before = found[max(k for k in markdown if k < i)].source
            after = found[min(k for k in markdown if k > i)].source
            assert "?" in before, f"no question before {cell.source[:60]!r}"
            assert len(words(after.split("\n## ")[0])) >= 12, f"no reading after {cell.source[:60]!r}"


@second_edition
def test_each_section_says_its_minutes(name):
    text = "\n".join(cell.source for cell in cells(NOTEBOOKS[name], "markdown"))
    sections = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    said = [re.match(r"\s*\*Reading (\d+) min( · running (\d+) s)?", section) for section in sections]
    assert all(said), "a section without its minutes"
    assert sum(int(match[1]) for match in said) <= 240, "longer than a lab of four hours"


@second_edition
def test_claims_and_their_sentences_belong_together(name):
    source = "\n".join(cell.source for cell in cells(NOTEBOOKS[name], "code"))
    made = re.findall(r"claims\.(?:check|compare)\(\s*\"([^\"]+)\"", source)
    known = {claim for claim in known_claims() if claim.startswith(f"{name[:2]}.")}
    assert sorted(made) == sorted(known), "each claim is made once, and each sentence is claimed"


def test_claims_answer_what_a_handout_asks():
    asked = {r.id: r.notebooks for r in requirements()}
    for name, claim in known_claims().items():
        for answer in claim.answers:
            assert any(lab.startswith(name[:2]) for lab in asked[answer]), (name, answer)
