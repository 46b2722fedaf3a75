"""From what was seen of a run to its record, without running anything."""

import io
import json
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import config, project
from labkit.parameters import ConfigError
from labkit.project import ROOT
from labkit.reports import record as records
from labkit.reports import runner, save_metrics, tables, texts
from labkit.reports.identity import Identity, code_digest
from labkit.reports.metrics import MetricsError, read_metrics
from labkit.reports.process import Ending
from labkit.reports.progress import Progress
from labkit.reports.request import prepare
from labkit.reports.verdict import Watch, build_record

PARAMETERS = "profile = None\nepochs = None  # passes\nrate = 0.1  # step\ndims = [1, 2]  # latents"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab of three code cells; its profile gives `epochs`."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# A lab\n\n## Start"),
        v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        v4.new_markdown_cell("### The middle ###"),
        v4.new_code_cell("# a comment\nx = 1"),
        v4.new_code_cell("  "),
        v4.new_code_cell("y = 2"),
    ]
    nbformat.write(v4.new_notebook(cells=cells), folder / "01_lab.ipynb")
    (folder / "profiles.toml").write_text("[01_lab.smoke]\nepochs = 1\n")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    return config.find_lab("1")


def request_for(lab, tmp_path, **given):
    return prepare(lab, "smoke", given, tmp_path / "out")


def seen(*events, running=None, finished=True):
    """A watch that saw these cells end: (place, error or None)."""
    watch = Watch()
    for place, error in events:
        watch({"event": "start", "cell": place})
        watch({"event": "end", "cell": place, "seconds": 0.5, "error": error})
    if running is not None:
        watch({"event": "start", "cell": running})
    if finished:
        watch({"event": "finished", "error": None})
    return watch


def error(status="failed", name="ValueError"):
    return {"status": status, "ename": name, "evalue": "wrong", "traceback": []}


def judged(request, watch, stopped_for=None, returncode=0):
    request.work.mkdir(parents=True, exist_ok=True)
    return build_record(
        request, watch, Ending(stopped_for, returncode, 100, 2.0), "2026-01-02T03:04:05+00:00", None
    )


def test_the_outline_holds_what_is_executed(lab, tmp_path):
    cells = request_for(lab, tmp_path).cells
    assert [(c.index, c.line, c.heading) for c in cells] == [
        (1, "profile = None", "Start"),
        (3, "x = 1", "The middle"),
        (5, "y = 2", "The middle"),
    ]


def test_parameters_are_resolved_before_anything_runs(lab, tmp_path):
    request = request_for(lab, tmp_path, dims=(4, 8))
    assert dict(request.parameters) == {"epochs": 1, "rate": 0.1, "dims": [4, 8]}
    assert runner.job(request)["parameters"] == {"profile": "smoke", "dims": [4, 8]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"rate": "fast"}, "'fast'"),
        ({"profile": "full"}, "--profile"),
        ({"dims": [1.5]}, "dims"),
    ],
)
def test_a_parameter_that_does_not_fit_is_an_error(lab, tmp_path, given, said):
    with pytest.raises(ConfigError, match=said):
        request_for(lab, tmp_path, **given)


@pytest.mark.parametrize(
    ("watch", "ending", "status", "place"),
    [
        (seen((1, None), (3, None), (5, None)), {}, "completed", None),
        (seen((1, None), (3, error())), {}, "failed", 3),
        (seen((1, None), (3, error("timed_out"))), {}, "timed_out", 3),
        (seen((1, None), (3, error("killed"))), {}, "killed", 3),
        (seen((1, None)), {}, "failed", 3),  # it says finished, but two cells never ran
        (seen((1, None), running=3, finished=False), {"returncode": -9}, "killed", 3),
        (seen((1, None), (3, error("killed")), finished=False), {"stopped_for": "timed_out"}, "timed_out", 3),
        (seen((1, None), running=3, finished=False), {"stopped_for": "killed"}, "killed", 3),
        # the limit was reached in the very moment in which it ended well
        (seen((1, None), (3, None), (5, None)), {"stopped_for": "timed_out"}, "completed", None),
    ],
)
def test_the_verdict_goes_by_what_the_cells_did(lab, tmp_path, watch, ending, status, place):
    record, _ = judged(request_for(lab, tmp_path), watch, **ending)
    assert record.status == status
    assert (record.failing_cell or {}).get("index") == place
    assert (record.error is None) == (status == "completed")
    assert (
        record.cells_run == sum(cell["status"] == "ran" for cell in record.cells) <= record.cells_total == 3
    )


def test_facts_of_the_kernel_stand_in_the_record(lab, tmp_path, monkeypatch):
    request = request_for(lab, tmp_path)
    monkeypatch.setenv("LABKIT_RUN_DIR", str(request.work))
    project.record("device", {"devices": ["GPU", "CPU"]})
    for _ in range(2):
        project.record(
            "data", {"name": "mnist", "source": "cache", "digest": "ab", "n_train": 6, "n_test": 1}
        )
    project.record("config", {"lab": "01_lab", "profile": "smoke", "parameters": {"epochs": 7}})
    with open(request.work / "facts.jsonl", "a") as file:
        file.write("no JSON\n[1]\n")
    record, _ = judged(request, seen((1, None), (3, None), (5, None)))
    assert record.accelerator == "CPU, GPU"
    assert [fact["name"] for fact in record.data] == ["mnist"]
    assert record.parameters["epochs"] == 1 and record.parameters_in_notebook == {"epochs": 7}
    assert any("other values" in text for text in record.warnings)


def test_trainings_of_an_earlier_run_are_counted_and_their_time_kept_apart(lab, tmp_path, monkeypatch):
    request, watch = request_for(lab, tmp_path), seen((1, None), (3, None), (5, None))
    monkeypatch.setenv("LABKIT_RUN_DIR", str(request.work))
    assert judged(request, watch)[0].resumed is None
    for seconds in (60.25, 0.5, "an hour"):
        project.record("resumed", {"epochs": 2, "seconds": seconds})
    assert judged(request, watch)[0].resumed == {"trainings": 2, "seconds": 60.8}


def test_parameters_on_which_all_agree_stand_once(lab, tmp_path, monkeypatch):
    request = request_for(lab, tmp_path)
    monkeypatch.setenv("LABKIT_RUN_DIR", str(request.work))
    config.configure("01_lab", {"profile": "smoke", "epochs": None, "rate": 0.1, "dims": [1, 2]})
    assert judged(request, seen((1, None), (3, None), (5, None)))[0].parameters_in_notebook is None


def in_place(request, **changes):
    """Put a completed run of the request in place, with some entries of its record changed."""
    record, _ = judged(request, seen((1, None), (3, None), (5, None)))
    request.report_dir.mkdir(parents=True, exist_ok=True)
    (request.report_dir / "run.json").write_text(json.dumps(vars(record) | changes))


def edit(lab, change):
    """Change the lab's notebook and return the request that a run of it would have now."""
    notebook = nbformat.read(lab.path, as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, lab.path)
    return config.find_lab("1")


def test_a_completed_run_is_done_for_the_same_code_and_parameters(lab, tmp_path):
    in_place(request_for(lab, tmp_path))
    assert request_for(lab, tmp_path).plan.kind == "skip"
    other = request_for(lab, tmp_path, rate=0.2).plan
    assert other.kind == "anew" and "rate is 0.2, was 0.1" in other.why
    edited = edit(lab, lambda cells: cells[3].update(source="x = 2"))
    assert "the notebook's code has changed" in request_for(edited, tmp_path).plan.why


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: cells[2].update(source="### Better words"),
        lambda cells: cells[3].update(source="x  =  1  # a comment\n"),
        lambda cells: cells[3].metadata.update(tags=["handout:lab1.1"]),
        lambda cells: cells.insert(0, nbformat.v4.new_markdown_cell("# A better title")),
        lambda cells: cells[3].update(outputs=[nbformat.v4.new_output("stream", text="hello")]),
    ],
)
def test_wording_comments_layout_tags_and_outputs_are_no_other_run(lab, tmp_path, change):
    in_place(request_for(lab, tmp_path))
    assert request_for(edit(lab, change), tmp_path).plan.kind == "skip"


@pytest.mark.parametrize("source", ["x = 1;", "x = 1.0", "%time x = 1", "x = 1\ny = 1"])
def test_what_a_cell_does_is_its_code(lab, source):
    cells = nbformat.read(lab.path, as_version=4).cells
    before = code_digest(cells)
    cells[3].source = source
    assert code_digest(cells) != before


def test_a_tag_that_changes_the_run_is_code(lab):
    cells = nbformat.read(lab.path, as_version=4).cells
    before = code_digest(cells)
    cells[3].metadata["tags"] = ["raises-exception"]
    assert code_digest(cells) != before


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"labkit_digest": "another"}, "labkit's code has changed"),
        ({"profile": "quick"}, "the profile is smoke, was quick"),
        ({"versions": {}}, "tensorflow is"),
        ({"data": [{"name": "mnist", "digest": "old"}]}, "the images of mnist are others"),
        ({"status": "failed"}, "not complete"),
    ],
)
def test_why_a_run_is_trained_anew_is_said(lab, tmp_path, changes, why):
    request = prepare(lab, "smoke", {}, tmp_path / "out", data={"mnist": "new"})
    in_place(request, **changes)
    assert request.plan.kind == "anew" and why in request.plan.why


def test_two_identities_are_the_same_exactly_when_they_do_not_differ():
    one = Identity("quick", {"a": 1, "b": [1, 2]}, "code", "labkit", {"python": "3.11"})
    same = Identity("quick", {"b": [1, 2], "a": 1}, "code", "labkit", {"python": "3.11"})
    assert one.differences(same) == [] and one.key == same.key
    other = Identity("quick", {"a": 1}, "code", "labkit", {"python": "3.11"})
    assert one.differences(other) == ["b is [1, 2], was None"] and one.key != other.key


def unfinished(request):
    """Leave what a run leaves that was ended: a checkpoint and the runner's mark."""
    (request.work / ".runner").mkdir(parents=True)
    for name in ["weights.h5", "facts.jsonl", "metrics.json"]:
        (request.work / name).write_text("old")
    request.unfinished.write_text('{"start": "2026-01-02"}')


def test_a_resumed_run_finds_the_checkpoints_of_its_own_unfinished_run(lab, tmp_path):
    request = prepare(lab, "smoke", {}, tmp_path / "out", resume=True)
    unfinished(request)
    assert request.plan.kind == "continue" and "2026-01-02" in request.plan.why
    runner.clear(request, "2026-01-03")
    assert (request.work / "weights.h5").exists()
    assert not (request.work / "facts.jsonl").exists() and not (request.work / "metrics.json").exists()


def completed(request):
    """A completed run of the request in place, with a checkpoint in its working folder."""
    in_place(request)
    request.work.mkdir(parents=True, exist_ok=True)
    (request.work / "weights.h5").write_text("trained")


@pytest.mark.parametrize(
    ("given", "kind"),
    [({"epochs": 3}, "longer"), ({"epochs": 3, "rate": 0.2}, "anew"), ({"rate": 0.2}, "anew"), ({}, "skip")],
)
def test_a_resumed_run_of_more_epochs_goes_on_from_the_completed_one(lab, tmp_path, given, kind):
    completed(request_for(lab, tmp_path))
    request = prepare(lab, "smoke", given, tmp_path / "out", resume=True)
    assert request.plan.kind == kind
    if kind == "longer":
        assert "goes on from the completed run: epochs is 3, was 1" in request.plan.why
        runner.clear(request, "2026-01-03")
        assert (request.work / "weights.h5").read_text() == "trained"
        assert prepare(lab, "smoke", {}, tmp_path / "out").plan.kind == "skip"  # it is as it was


def test_fewer_epochs_are_trained_anew(lab, tmp_path):
    completed(request_for(lab, tmp_path, epochs=3))
    assert request_for(lab, tmp_path, epochs=2).plan.kind == "anew"


def test_a_run_that_is_not_resumed_starts_with_an_empty_folder(lab, tmp_path):
    request = request_for(lab, tmp_path)
    unfinished(request)
    runner.clear(request, "2026-01-03")
    assert not (request.work / "weights.h5").exists()


def test_another_run_s_checkpoints_stay(lab, tmp_path):
    first, second = request_for(lab, tmp_path), request_for(lab, tmp_path, rate=0.2)
    unfinished(first)
    runner.clear(second, "2026-01-03")
    assert second.plan.kind == "anew"
    assert (first.work / "weights.h5").exists() and first.plan.kind == "continue"


def test_a_working_folder_that_is_a_link_is_refused(lab, tmp_path):
    request = request_for(lab, tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    request.works.mkdir(parents=True)
    request.work.symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="is a link"):
        runner.clear(request, "2026-01-03")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_parameters_that_are_not_the_lab_s_own_are_named_with_its_own(lab, tmp_path):
    assert dict(request_for(lab, tmp_path).departures) == {}
    assert dict(request_for(lab, tmp_path, dims=[4], rate=0.1).departures) == {"dims": [1, 2]}
    copy = tmp_path / "handed_in.ipynb"
    copy.write_text(lab.path.read_text().replace("rate = 0.1", "rate = 0.3"))
    copied = config.Lab("handed_in", copy, "t", config.find_lab(str(copy)).parameters, "01_lab")
    assert dict(request_for(copied, tmp_path).departures) == {"rate": 0.1}


def test_threads_are_set_only_when_asked_for(lab, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    request = request_for(lab, tmp_path)
    assert "OMP_NUM_THREADS" not in runner.environment(request)
    env = runner.environment(prepare(lab, "smoke", {}, tmp_path, threads=2))
    assert env["OMP_NUM_THREADS"] == env["TF_NUM_INTRAOP_THREADS"] == "2"
    assert env["LABKIT_PROFILE"] == "smoke"


def test_metrics_are_merged_and_plain(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path))
    save_metrics({"a": np.float32(1.5), "b": {"c": np.arange(2)}})
    save_metrics({"a": 2, "d": [True, None, "text"]})
    assert read_metrics(tmp_path / "metrics.json") == {"a": 2, "b": {"c": [0, 1]}, "d": [True, None, "text"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), object()])
def test_a_metric_that_is_no_finite_value_is_named(tmp_path, monkeypatch, value):
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path))
    with pytest.raises(MetricsError, match=r"test\.elbo\[1\]"):
        save_metrics({"test": {"elbo": [1.0, value]}})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ['{"a": NaN}', "[1]", "{", '{"a": {"b": Infinity}}'])
def test_a_metrics_file_written_by_other_means_is_checked(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(MetricsError):
        read_metrics(tmp_path / "metrics.json")


FOLDERS = [str(ROOT), str(Path.home()), sys.prefix, "/somewhere/out"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", " ", "'", "(", "file://", ":", "é", "\n"]),
            st.sampled_from(FOLDERS),
            st.sampled_from(["", ".", "/", "/a.py", "/a b/c", ":12", "'", "\n", " "]),
        )
    )
)
def test_no_text_keeps_a_path_of_this_machine(paths):
    cleaned = texts.path_cleaner(Path("/somewhere/out"))(" ".join(map("".join, paths)))
    assert not [folder for folder in FOLDERS if folder in cleaned]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f'File "{ROOT}/labkit/config.py", line 3', 'File "labkit/config.py", line 3'),
        (f"in {ROOT}.", "in <project>."),
        (f"{Path.home()}/notes", "~/notes"),
        ("/somewhere/out/.work/01_lab", "out/.work/01_lab"),
        ("/somewhere/outer", "/somewhere/outer"),
        ("/tmp/ipykernel_12/345.py:1: UserWarning", "<cell>:1: UserWarning"),
    ],
)
def test_paths_are_written_relative_to_what_they_stand_for(text, clean):
    assert texts.path_cleaner(Path("/somewhere/out"))(text) == clean


def test_git_state_is_none_without_a_repository(monkeypatch):
    monkeypatch.setattr(records, "ROOT", Path("/"))
    assert records.git_state() is None
    monkeypatch.setenv("PATH", "")
    assert records.git("status") is None


def test_metrics_become_tables_that_can_be_read():
    single, sweep, rest = tables.metric_tables(
        {
            "best": 157.2345,
            "sweep": {"2": {"kl": 6.1, "nll": 150}, "16": {"kl": 22}},
            "lab1": {"a": 12345.6, "b": {"c": 1}},
        }
    )
    assert single.rows == (("best", "157.2"),)
    assert sweep.columns == ("kl", "nll")
    assert sweep.rows == (("2", "6.1", "150"), ("16", "22", ""))
    assert rest.rows == (("a", "12,346"), ("b · c", "1"))


def test_a_log_gets_a_line_for_slow_cells_only_and_time_left_from_the_last_good_run(lab, tmp_path):
    request, stream = request_for(lab, tmp_path), io.StringIO()
    record, _ = judged(request, seen((1, None), (3, None), (5, None)))
    progress = Progress(2, stream)
    progress.start(request)
    assert "no run before" in stream.getvalue()
    progress.end(request, "")
    request.report_dir.mkdir()
    (request.report_dir / "run.json").write_text(json.dumps(vars(record)))
    progress.start(request)
    assert "[2/2] 01_lab (smoke, 3 cells; about 2.0 s last time)" in stream.getvalue()
    for place, seconds in ((1, 0.1), (3, 60.0)):
        progress.event(request, {"event": "start", "cell": place})
        progress.event(request, {"event": "tick"})
        progress.event(request, {"event": "end", "cell": place, "seconds": seconds})
    progress.end(request, "completed")
    *_, slow, end = stream.getvalue().splitlines()
    assert "cell 3/3 The middle" in slow and "about 0.5 s left" in slow
    assert end == "  01_lab: completed" and len(stream.getvalue().splitlines()) == 4
