"""What a notebook shows besides figures: tables and the package's own source code."""

from __future__ import annotations

import inspect
import numbers
import textwrap


class Table:
    """Rows under headings, shown as Markdown, so that page and code host both render it.

    Args:
        headings: one text a column.
        rows: one sequence a row, as long as `headings`; numbers are formatted.
        digits: decimals of a float.

    Raises:
        ValueError: a row is not as long as the headings.
    """

    def __init__(self, headings, rows, digits=2):
        self.headings, self.rows, self.digits = list(headings), [list(row) for row in rows], digits
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(f"row {row} has {len(row)} entries for {len(self.headings)} headings")

    def _repr_markdown_(self) -> str:
        lines = [
            [self.text(heading) for heading in self.headings],
            [self.alignment(i) for i in range(len(self.headings))],
        ]
        lines += [[self.text(value) for value in row] for row in self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

    def __repr__(self) -> str:
        return self._repr_markdown_()

    def alignment(self, column) -> str:
        """Numbers to the right, text to the left."""
        numeric = all(isinstance(row[column], numbers.Number) or row[column] == "" for row in self.rows)
        return "--:" if numeric else ":--"

    def text(self, value) -> str:
        """One entry: 1,234 for whole numbers, `digits` decimals for others, | escaped."""
        if isinstance(value, bool) or not isinstance(value, numbers.Number):
            return str(value).replace("|", r"\|")
        if isinstance(value, numbers.Integral):
            return f"{value:,}"
        return f"{value:,.{self.digits}f}"


def layer_table(model) -> Table:
    """Layers of a Keras model: name, kind, output shape, parameters; the total last."""
    rows = []
    for layer in model.layers:
        shape = "×".join(str(n) for n in layer.output.shape[1:])
        rows.append([f"`{layer.name}`", type(layer).__name__, shape, layer.count_params()])
    rows.append(["**total**", "", "", model.count_params()])
    return Table(["layer", "kind", "output", "parameters"], rows)


def source_of(item) -> str:
    """Source code of a function, class or method; a method is headed by its class."""
    code = textwrap.dedent(inspect.getsource(item)).rstrip()
    owner, _, method = item.__qualname__.rpartition(".")
    return f"# {method} of class {owner}\n{code}" if owner else code


class Source:
    """The source code of functions or methods, shown in colour.

    Args:
        objects: functions, methods or classes of labkit.
    """

    def __init__(self, *objects):
        self.code = "\n\n".join(map(source_of, objects))

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.code}\n```"

    def __repr__(self) -> str:
        return self.code
