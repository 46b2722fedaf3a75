"""How a notebook is built: what every one of them keeps to."""

import itertools
import statistics

import nbformat
import pytest

from labkit.config import labs

NOTEBOOKS = {lab.name: nbformat.read(lab.path, as_version=4) for lab in labs().values()}
each_notebook = pytest.mark.parametrize("notebook", list(NOTEBOOKS.values()), ids=list(NOTEBOOKS))


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def test_there_are_notebooks():
    assert "01_vae_mnist" in NOTEBOOKS


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
def test_there_is_as_much_prose_as_code(notebook):
    prose = sum(len(cell.source.split()) for cell in cells(notebook, "markdown"))
    code = sum(len(cell.source.split()) for cell in cells(notebook, "code") if "Markdown(" not in cell.source)
    assert prose >= 1000
    assert prose >= code


@each_notebook
def test_nothing_is_installed_printed_or_imported_from_odd_places(notebook):
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
