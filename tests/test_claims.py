"""Claims hold or do not, are recorded as they are, and are shown in the table they belong to."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import claims
from labkit.config import PROFILES
from labkit.parameters import ConfigError
from labkit.project import run_dir

TOML = """
[claims."01.collapse"]
sentence = "Lab 1 as printed learns no code | at all."
answers = ["lab1.5"]
kind = "finding"
needs = "quick"

[claims."01.kl"]
sentence = "The KL of N(0, I) is 0."
kind = "check"
needs = "smoke"

[claims."01.elbo"]
sentence = "The VAE is good."
kind = "target"
target = "≤ 158 nats"
"""
finite = st.floats(-1e6, 1e6)


@pytest.fixture(autouse=True)
def own_claims(tmp_path, monkeypatch):
    """Three claims of the test's own, and a session in which none was made."""
    (tmp_path / "claims.toml").write_text(TOML, encoding="utf-8")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(tmp_path))
    monkeypatch.setattr(claims, "LEDGER", claims.Ledger())
    return tmp_path


def recorded():
    lines = (run_dir() / "facts.jsonl").read_text(encoding="utf-8").splitlines()
    return [fact for fact in map(json.loads, lines) if fact.pop("kind") == "claim"]


def test_a_claim_is_recorded_with_its_numbers_as_plain_json():
    claims.check("01.kl", np.float32(0.0) == 0, kl=np.float64(0.5), units=np.int64(2), all=np.arange(3))
    assert recorded() == [
        {"id": "01.kl", "holds": True, "numbers": {"kl": 0.5, "units": 2, "all": [0, 1, 2]}}
    ]


def test_outside_a_batch_run_a_claim_is_made_all_the_same(monkeypatch):
    monkeypatch.delenv("LABKIT_RUN_DIR")
    claims.check("01.kl", True)
    assert "✓ holds" in repr(claims.table("smoke"))


def test_a_mistyped_id_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'01\.colapse'; did you mean '01\.collapse'"):
        claims.check("01.colapse", True)


@pytest.mark.parametrize("holds", [None, 1, "yes", np.array([True, False]), 0.3])
def test_only_a_truth_value_says_whether_a_claim_holds(holds):
    with pytest.raises(ValueError, match=r"01\.kl: holds is .*True or False"):
        claims.check("01.kl", holds)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), [1.0, float("nan")], "3", True, None, [0] * 33]
)
def test_a_number_that_is_none_is_refused_by_its_name(value):
    with pytest.raises(ValueError, match=r"01\.kl: gap is .*finite number"):
        claims.check("01.kl", True, gap=value)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=9), st.booleans())
def test_a_comparison_holds_only_if_it_does_in_every_seed(pairs, lower_is_better):
    better, worse = zip(*pairs, strict=True)
    claims.compare("01.collapse", better, worse, lower_is_better)
    made = claims.LEDGER.made["01.collapse"]
    won = [(b < w) if lower_is_better else (b > w) for b, w in pairs]
    assert made["holds"] is all(won)
    assert (made["numbers"]["ahead"], made["numbers"]["seeds"]) == (sum(won), len(pairs))
    assert made["numbers"]["better_median"] == pytest.approx(np.median(better))
    assert made["numbers"]["worse_range"] == [min(worse), max(worse)]


def test_a_comparison_reads_as_one():
    claims.compare("01.collapse", [1.0, 2.0, 3.5], [4.0, 1.5, 5.0])
    assert "in 2 of 3 seeds · 2 (1 to 3.5) < 4 (1.5 to 5)" in repr(claims.table("full"))
    claims.compare("01.collapse", [1.0], [4.0])
    assert "in 1 of 1 seeds · 1 < 4" in repr(claims.table("full"))


@pytest.mark.parametrize(("better", "worse"), [([], []), ([1.0], [1.0, 2.0])])
def test_a_comparison_needs_one_value_of_each_a_seed(better, worse):
    with pytest.raises(ValueError, match="one of each a seed"):
        claims.compare("01.collapse", better, worse)


@pytest.mark.parametrize("name", ["01.collapse", "01.kl", "01.elbo"])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("holds", [True, False])
def test_a_profile_shorter_than_a_claim_needs_says_nothing(name, profile, holds):
    long_enough = PROFILES.index(profile) >= PROFILES.index(claims.find_claim(name).needs)
    expected = ("holds" if holds else "fails") if long_enough else "too short"
    assert claims.state({"id": name, "holds": holds, "numbers": {}}, profile) == expected


def test_a_table_holds_what_was_claimed_since_the_one_before():
    claims.check("01.kl", True)
    assert [row[0].id for row in claims.table("full").rows] == ["01.kl"]
    claims.check("01.collapse", True)
    claims.check("01.elbo", False, elbo=160.25)
    assert [row[0].id for row in claims.table("full").rows] == ["01.collapse", "01.elbo"]
    assert [row[0].id for row in claims.summary("full").rows] == ["01.kl", "01.collapse", "01.elbo"]


def test_a_cell_run_again_replaces_its_claim_in_its_own_table():
    claims.check("01.kl", True)
    claims.check("01.collapse", True)
    claims.table("full")
    claims.check("01.elbo", True)
    claims.table("full")
    claims.check("01.collapse", False)
    first = {row[0].id: row[1] for row in claims.table("full").rows}
    assert first == {"01.kl": "holds", "01.collapse": "fails"}
    assert len(claims.summary("full").rows) == 3


def test_a_table_that_is_shown_again_is_not_empty():
    claims.check("01.kl", True)
    once, twice = claims.table("full"), claims.table("full")
    assert once.rows == twice.rows and len(twice.rows) == 1


def test_a_session_without_claims_shows_an_empty_table():
    assert claims.table("full").rows == [] and "claim" in repr(claims.table("full"))


def test_a_check_that_fails_is_red_and_a_finding_that_fails_is_not():
    claims.check("01.kl", False, kl=1.0)
    claims.check("01.collapse", False)
    shown = claims.table("full")
    red, plain = shown._repr_html_().split("<tbody>")[1].split("</tr>")[:2]
    assert claims.RED in red and "CHECK FAILED" in red
    assert claims.RED not in plain and "does not hold" in plain
    assert "CHECK FAILED" in shown._repr_markdown_()


def test_sentences_and_numbers_are_safe_in_markdown_and_html():
    claims.check("01.collapse", True, least_kl=-12345.6, parts=[1, 2.5])
    claims.check("01.elbo", True, neg_elbo=151.52455)
    shown = claims.table("full")
    lines = shown._repr_markdown_().splitlines()
    assert r"no code \| at all" in lines[2] and "least kl −12,346 · parts [1, 2.5]" in lines[2]
    assert "(target: ≤ 158 nats)" in lines[3] and "neg elbo 151.5" in lines[3]
    assert (
        "<script>"
        not in claims.ClaimsTable(
            [{"id": "01.kl", "holds": True, "numbers": {"<script>": 1}}], "full"
        )._repr_html_()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[claims."a"]\nsentence = " "', "empty sentence"),
        ('[claims."a"]\nkind = "check"', "sentence"),
        ('[claims."a"]\nsentence = "s"\nkind = "chek"', "did you mean 'check'"),
        ('[claims."a"]\nsentence = "s"\nneeds = "ful"', "did you mean 'full'"),
        ('[claims."a"]\nsentence = "s"\nanswer = []', "did you mean 'answers'"),
        ("claims = 3", "claims.toml"),
        ("[claims", "claims.toml"),
    ],
)
def test_a_list_of_claims_that_cannot_be_read_says_what_is_wrong(own_claims, text, message):
    (own_claims / "claims.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        claims.check("a", True)


def test_importing_claims_and_pins_imports_nothing_heavy():
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'numpy', 'papermill', 'nbconvert', 'requests'}"
    code = f"import sys, labkit.claims, labkit.reports.pins; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
