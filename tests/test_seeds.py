"""Values over seeds: what is shown, what is stored, and how far means are apart."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from labkit import metrics
from labkit.reports import save_metrics
from labkit.reports.metrics import plain


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_a_spread_has_median_and_both_ends(values):
    spread = metrics.Spread(values)
    assert spread["median"] == pytest.approx(np.median(values))
    assert (spread["min"], spread["max"]) == (min(values), max(values))
    assert plain(spread, "") == dict(spread) and json.dumps(dict(spread))


def test_a_spread_reads_as_its_median_with_both_ends_and_one_value_alone():
    assert str(metrics.Spread([2.0, -1.0, 3.04])) == "2.0 (−1.0 to 3.0)"
    assert str(metrics.Spread([1234.567], digits=2)) == "1,234.57"
    with pytest.raises(ValueError, match="one a seed"):
        metrics.Spread([])


def test_a_spread_is_saved_under_its_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path))
    save_metrics({"lab1": {"kl": metrics.Spread([5.0, 6.0, 7.0])}})
    stored = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert stored == {"lab1": {"kl": {"median": 6.0, "min": 5.0, "max": 7.0, "seeds": [5.0, 6.0, 7.0]}}}


def rows():
    return {
        1: {"negative_elbo": metrics.Spread([3.0, 4.0]), "kl": metrics.Spread([1.0, 2.0])},
        2: {"negative_elbo": metrics.Spread([5.0, 6.0]), "kl": metrics.Spread([0.5, 0.0])},
    }


def test_a_table_of_spreads_has_a_row_each_and_readable_headings():
    table = metrics.spread_table("D", rows())
    assert table.headings == ["D", "test −ELBO", "KL"]
    assert [row[0] for row in table.rows] == [1, 2]
    assert "5.5 (5.0 to 6.0)" in table._repr_markdown_()
    named = metrics.spread_table("", {"dense_line": rows()[1]})
    assert named.rows[0][0] == "dense line"


def test_curves_by_seed_have_a_row_a_seed_and_a_column_a_row_of_the_table():
    curves = metrics.by_seed(rows(), "negative_elbo", "kl")
    assert_allclose(curves["test −ELBO"], [[3.0, 5.0], [4.0, 6.0]])
    assert_allclose(curves["KL"], [[1.0, 0.5], [2.0, 0.0]])


def test_elbo_spreads_hold_the_parts_and_those_add_up():
    x = np.random.default_rng(0).random((20, 4, 4, 1), dtype="float32")

    def encode(x):
        return np.zeros((len(x), 2), "float32"), np.full((len(x), 2), -1.0, "float32")

    def decode(z):
        return np.zeros((len(z), 4, 4, 1), "float32")

    parts = metrics.elbo_spreads([metrics.elbo(encode, decode, x, seed=s) for s in (0, 1)])
    assert_allclose(
        parts["reconstruction"]["median"] + parts["kl"]["median"], parts["negative_elbo"]["median"]
    )
    assert_allclose(parts["reconstruction"]["seeds"], 16 * np.log(2), rtol=1e-5)


def test_codes_far_apart_have_a_spread_a_width_and_a_mismatch():
    mean = 3.0 * np.random.default_rng(1).standard_normal((400, 2))
    parts = metrics.code_spreads([(mean, np.full((400, 2), 2 * np.log(0.1)))])
    assert_allclose(parts["spread_of_codes"]["median"], 3.0, rtol=0.1)
    assert_allclose(parts["sigma"]["median"], 0.1)
    kl = parts["information_low"]["median"] + parts["mismatch_high"]["median"]
    exact = 0.5 * (np.square(mean) + 0.01 - 1 - np.log(0.01)).sum(axis=1).mean()
    assert_allclose(kl, exact)


def test_gap_spreads_are_the_means_over_images():
    gaps = metrics.Gaps(np.array([-10.0, -20.0]), np.array([-13.0, -25.0]), np.array([-11.0, -22.0]))
    parts = metrics.gap_spreads([gaps, gaps])
    assert [parts[name]["median"] for name in ("approximation", "amortisation")] == [1.5, 2.5]


def test_standard_errors_apart_of_known_draws():
    rng = np.random.default_rng(2)
    first, second = rng.normal(0, 1, (500, 400)), rng.normal(0, 3, (500, 400))
    apart = metrics.standard_errors_apart(first, second)
    assert apart.shape == (500,)
    assert_allclose(np.mean(apart), np.sqrt(2 / np.pi), rtol=0.1)  # the mean of |N(0, 1)|
    moved = metrics.standard_errors_apart(first + 1.0, first)
    assert_allclose(moved, 1 / np.sqrt(2 * first.var(axis=1) / 400))


@pytest.mark.parametrize(
    ("mean", "log_var"), [([0.8, -1.5], [-1.0, 0.4]), ([0.0], [0.0]), ([2.0, 0, 1], [1.0, -3, 0])]
)
def test_the_sampled_kl_agrees_with_the_closed_form(mean, log_var):
    value, error = metrics.sampled_kl(mean, log_var, draws=40_000, seed=3)
    exact = 0.5 * np.sum(np.square(mean) + np.exp(log_var) - 1 - np.array(log_var))
    assert abs(value - exact) <= 4.5 * error + 1e-12


def test_over_seeds_has_a_spread_for_each_number_of_a_measure():
    found = metrics.over_seeds(lambda a, b: {"sum": a + b, "product": a * b}, [1, 2, 3], [4, 5, 6])
    assert found["sum"]["seeds"] == [5, 7, 9] and found["product"]["seeds"] == [4, 10, 18]
    with pytest.raises(ValueError, match="shorter"):
        metrics.over_seeds(lambda a, b: {"sum": a + b}, [1, 2], [3])


def test_counts_and_shares_have_decimals_of_their_own():
    found = metrics.over_seeds(lambda k: {"classes": k, "copies": k / 7, "fcd": k / 7}, [3])
    assert [str(spread) for spread in found.values()] == ["3", "0.429", "0.43"]
