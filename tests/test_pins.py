"""Numbers in the text are those of the published runs, and a local run's stand behind them."""

import importlib.util
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.project import ROOT
from labkit.reports.pins import PinError, formatted, published, renew, value_at, with_local

METRICS = {
    "elbo": 151.52455,
    "n": 10000,
    "lab1": {"kl": 5.8, "test −ELBO (nats), β = 1": -3.25, "seeds": [150.0, 152.0]},
    "share": 0.3412,
    "name": "text",
    "minutes": 10.4,
}


def lookup(lab, keys):
    if lab != "01":
        raise KeyError(f"reports/{lab}_…/metrics.json")
    return value_at(METRICS, keys)


def pin(path, form, value):
    return f"<!--=lab01.{path}:{form}-->{value}<!---->"


@pytest.mark.parametrize(
    ("path", "form", "value"),
    [
        ("elbo", ".1f", "151.5"),
        ("n", ",d", "10,000"),
        ("lab1.kl", ".2f", "5.80"),
        ("lab1.test −ELBO (nats), β = 1", ".2f", "−3.25"),
        ("lab1.test −ELBO (nats), β = 1", "+.1f", "−3.2"),
        ("lab1.seeds.1", ".0f", "152"),
        ("share", ".0%", "34%"),
        ("minutes", ".0f", "10"),
    ],
)
def test_a_pin_takes_the_value_of_its_path_in_its_format(path, form, value):
    assert (
        renew(f"It is **{pin(path, form, 'old')}**, yes.", lookup)
        == f"It is **{pin(path, form, value)}**, yes."
    )


@given(st.text(alphabet=st.characters(exclude_characters="<"), max_size=60))
def test_text_without_pins_stays_as_it_is(text):
    assert renew(text, lookup) == text
    assert with_local(text, lookup, "01") == text


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_renewing_twice_changes_nothing_more(value, digits):
    def own(lab, keys):
        return value

    once = renew(pin("x", f".{digits}f", "?"), own)
    assert renew(once, own) == once
    shown = once.split("-->")[1].split("<!--")[0].replace("−", "-")
    assert math.isclose(float(shown), value, abs_tol=0.51 * 10**-digits)


def test_several_pins_a_line_are_each_their_own():
    text = f"| {pin('elbo', '.1f', '')} | {pin('lab1.kl', '.1f', '1')} |\n{pin('n', 'd', 'x')}"
    assert (
        renew(text, lookup)
        == f"| {pin('elbo', '.1f', '151.5')} | {pin('lab1.kl', '.1f', '5.8')} |\n{pin('n', 'd', '10000')}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pin("elbow", ".1f", "1"), r"lab01\.elbow: .*no 'elbow'"),
        (pin("lab1.kl.x", ".1f", "1"), r"lab01\.lab1\.kl\.x"),
        ("<!--=lab09.elbo:.1f-->1<!---->", r"lab09\.elbo: .*reports/09"),
        (pin("name", ".1f", "1"), r"lab01\.name does not take the format '\.1f'"),
        (pin("lab1", ".1f", "1"), r"lab01\.lab1 does not take"),
        ("<!--=lab01.elbo:.1f-->151.5", "no whole pin"),
        ("<!--=lab1.elbo:.1f-->151.5<!---->", "no whole pin"),
        ("<!--=lab01.elbo-->151.5<!---->", "no whole pin"),
        (f"<!--=lab01.elbo:.1f-->1 {pin('n', 'd', '2')}", "no whole pin"),
    ],
)
def test_a_pin_that_cannot_be_renewed_is_an_error_that_names_it(text, message):
    with pytest.raises(PinError, match=message):
        renew(text, lookup)


def test_a_whole_number_stored_as_a_float_takes_the_format_of_whole_numbers():
    assert formatted(10000.0, ",d") == "10,000"


def local(lab, keys):
    return value_at({"elbo": 172.3, "share": 0.3409, "n": 10000}, keys)


def test_a_local_value_that_reads_otherwise_stands_behind():
    for space in ("", " "):  # nbconvert writes the empty comment with a space
        text = pin("elbo", ".1f", "151.5").replace("<!---->", f"<!--{space}-->")
        assert with_local(f"a {text} b", local, "01_vae_mnist") == f"a {text} (here 172.3) b"


def test_a_local_value_that_reads_the_same_adds_nothing():
    for text in (pin("share", ".0%", "34%"), pin("n", ",d", "10,000")):
        assert with_local(text, local, "01_vae_mnist") == text


def test_a_value_that_the_local_run_lacks_is_a_dash():
    assert with_local(pin("lab1.kl", ".1f", "5.8"), local, "01").endswith("5.8<!----> (here –)")


def test_pins_of_other_labs_stay_as_they_are():
    text = "<!--=lab02.elbo:.1f-->99.0<!---->"
    assert with_local(text, local, "01_vae_mnist") == text


def test_published_values_come_from_the_reports_with_the_minutes_of_the_run(tmp_path):
    folder = tmp_path / "01_vae_mnist"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(METRICS | {"minutes": 0}), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"seconds": 624}), encoding="utf-8")
    own = published(tmp_path)
    assert own("01", ("lab1", "kl")) == 5.8
    assert own("01", ("minutes",)) == pytest.approx(10.4)
    with pytest.raises(KeyError, match="reports/02"):
        own("02", ("elbo",))


@pytest.fixture
def script():
    """The module scripts/renew_numbers.py."""
    spec = importlib.util.spec_from_file_location("renew_numbers", ROOT / "scripts" / "renew_numbers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notebooks_and_readme_state_the_published_numbers(script):
    assert list(script.renewed_files(published(ROOT / "reports"))) == [], "run make numbers"


def test_the_script_renews_markdown_and_leaves_code_alone(script, tmp_path):
    import nbformat

    cells = [
        nbformat.v4.new_markdown_cell(pin("elbo", ".1f", "1")),
        nbformat.v4.new_code_cell(f"# {pin('elbo', '.1f', '1')}"),
    ]
    path = tmp_path / "01_x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    text = script.renewed_notebook(path, lookup)
    after = nbformat.reads(text, as_version=4)
    assert [cell.source for cell in after.cells] == [pin("elbo", ".1f", "151.5"), cells[1].source]
    path.write_text(text, encoding="utf-8")
    assert script.renewed_notebook(path, lookup) == text
