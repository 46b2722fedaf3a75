"""Tables and source code as Markdown."""

import pytest

from labkit import display, models


def test_numbers_are_formatted_and_aligned():
    text = repr(display.Table(["name", "count", "value"], [["a|b", 1234567, 3.14159], ["c", 2, 1e4]]))
    assert text.splitlines() == [
        "| name | count | value |",
        "| :-- | --: | --: |",
        r"| a\|b | 1,234,567 | 3.14 |",
        "| c | 2 | 10,000.00 |",
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="1 entries for 2"):
        display.Table(["a", "b"], [[1]])


def test_layer_table_ends_with_the_model_s_count():
    rows = display.layer_table(models.dense_encoder((256,), 2)).rows
    assert rows[-1][-1] == 201_988 == sum(row[-1] for row in rows[:-1])
    assert ["`hidden_1`", "Dense", "256", 200_960] in rows


def test_source_is_the_code_itself_without_its_indent():
    text = display.Source(models.Sampling.call)._repr_markdown_()
    assert text.startswith("```python\n# call of class Sampling\ndef call(self, inputs):\n    ")
    assert text.endswith("```")
