"""Nobody's files are lost, and nothing that one can type or pipe ends in a traceback."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import nbformat
import pytest

from labkit import config
from labkit.cli import main
from labkit.parameters import ConfigError, Parameter
from labkit.project import ROOT
from labkit.reports.files import read_bytes, read_json
from labkit.reports.guard import refusal
from labkit.reports.metrics import MetricsError, read_metrics, save_metrics
from labkit.reports.process import event_in
from labkit.reports.record import RunRecord, read_facts
from labkit.reports.results import put_results

V4 = nbformat.v4
RECORD = RunRecord(
    lab="01_lab", title="A lab", profile="quick", parameters={}, status="completed", cells_run=1, cells_total=1,  # noqa: E501
    start="2026-01-02T03:04:05+00:00", seconds=1.0, cells=[], processor={"model": "p", "cores": 2},
)  # fmt: skip


def lay(path, content="mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda out: lay(out / "index.html", "<p>mine"), "index.html"),
        (lambda out: lay(out / "01_lab" / "report.html", "<p>mine"), "report.html"),
        (lambda out: lay(out / "01_lab" / "run.json", "[1]"), "run.json"),
        (lambda out: (out / "01_lab" / "run.json").mkdir(parents=True), "run.json"),
        (lambda out: lay(out / ".work"), ".work is a file"),
        (lambda out: (out.mkdir(), (out / "01_lab").symlink_to(out.parent)), "link"),
        (lambda out: (out.mkdir(), (out / ".work").symlink_to(out.parent)), "link"),
        (
            lambda out: ((out / ".work").mkdir(parents=True), (out / ".work/01_lab").symlink_to(out.parent)),
            "link",
        ),
        (lambda out: (out.mkdir(), (out / "index.html").symlink_to(out.parent / "x")), "index.html"),
    ],
)
def test_a_folder_with_files_of_others_in_the_way_is_refused(tmp_path, make, said):
    out = tmp_path / "out"
    make(out)
    assert said in refusal(out, ["01_lab"])


def test_a_folder_of_labkits_is_taken_with_what_else_lies_in_it(tmp_path):
    out = tmp_path / "out"
    assert refusal(out, ["01_lab"]) == ""
    put_results(RECORD, {}, V4.new_notebook(), out / "01_lab", out, keep=False)
    lay(out / "notes.txt")
    lay(out / "01_lab" / "notes.txt")
    (out / "02_other").symlink_to(out / "nowhere")
    assert refusal(out, ["01_lab"]) == ""
    (out / "01_lab" / "run.json").write_text('{"la')  # damaged, but the page beside it is labkit's
    assert refusal(out, ["01_lab"]) == ""


def test_what_others_put_into_a_report_stays(tmp_path):
    out = tmp_path / "out"
    place = out / "01_lab"
    for status in ("completed", "failed", "completed"):
        record = RunRecord(**{**asdict(RECORD), "status": status})
        put_results(record, {}, V4.new_notebook(), place, out, keep=place.exists())
        lay(place / "figures" / "mine.png")
        lay(place / "notes.txt")
        if status == "failed":
            lay(place / "failed" / "mine.txt")
    assert (place / "figures" / "mine.png").read_text() == (place / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in (place / "failed").iterdir()) == ["mine.txt"]


def test_only_regular_files_are_read_up_to_a_size(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with open(tmp_path / "large", "wb") as file:
        file.truncate(5 * 2**30)
    for name in ("pipe", "folder", "large", "/dev/zero"):
        with pytest.raises(OSError, match=r"regular|larger|directory"):
            read_bytes(tmp_path / name)
        assert read_json(tmp_path / name) is None
        assert name == "none" or read_facts(tmp_path / name)[1]
        with pytest.raises(MetricsError, match="read"):
            read_metrics(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a": ' + "9" * 4000 + "}",
        '{"a": 1',
    ],
)
def test_what_is_no_json_of_ours_is_refused_and_facts_beside_it_are_kept(tmp_path, content):
    path = tmp_path / "x"
    path.write_text(content)
    assert read_json(path) is None
    with pytest.raises(MetricsError):
        read_metrics(path)
    path.write_text(
        f'{{"kind": "data", "name": "a"}}\n{content.replace(chr(34) + "a", chr(34) + "kind", 1)}\n'
    )
    facts, said = read_facts(path)
    assert facts == [{"kind": "data", "name": "a"}] and "no facts" in said


def test_facts_and_metrics_are_bounded(tmp_path):
    path = tmp_path / "facts.jsonl"
    path.write_text(
        "".join(json.dumps({"kind": "data", "name": str(i), "note": "x" * 9000}) + "\n" for i in range(1000))
    )
    facts, _ = read_facts(path)
    assert len(facts[0]["note"]) < 3000
    path.write_text('{"kind": "data"}\n' * 9000)
    assert len(read_facts(path)[0]) == 5000 and "too many" in read_facts(path)[1]
    for bad in ({"a": 10**5000}, {str(i): i for i in range(400_000)}):
        with pytest.raises(MetricsError, match=r"digits|values"):
            save_metrics(bad)


@pytest.mark.parametrize(
    "line",
    ["GARBAGE", "[1, 2]", '{"event": "other"}', '{"event": "end"}', '{"event": "end", "cell": [1], "error": null}',  # noqa: E501
     '{"event": "end", "cell": 1, "error": "x"}', '{"event": "end", "cell": 1, "seconds": "x"}', "[" * 9999, "\udcff"],  # noqa: E501
)  # fmt: skip
def test_what_a_worker_never_says_is_no_event(line):
    assert event_in(line) is None


@pytest.mark.parametrize(
    "value", [10**12, 10**5000, 2**40, -(10**12), 1e300, "x" * 40_000, [1] * 5000], ids=range(7)
)
def test_absurd_values_are_refused_in_a_line(value):
    with pytest.raises(ConfigError) as problem:
        Parameter("size", value if isinstance(value, str | list) else 1, "").check(value)
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize("lab", config.labs().values(), ids=lambda lab: lab.name)
def test_a_batch_of_more_images_than_there_are_is_refused_in_every_lab(lab):
    for name in [name for name in lab.parameters if name.endswith("batch_size")]:
        with pytest.raises(ConfigError, match=f"'{name}' is 10001; it must be at most"):
            config.resolve(lab, "smoke", {name: 10_001})


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "9" * 5000], ["run", "x" * 40_000], ["run", "x/" * 3000], ["run", "01", "--out", "o" * 300],
        ["run", "01", "--out", ""], ["run", "01", "--jobs", "9" * 5000], ["run", "01", "--jobs", "²"],
        ["run", "01", "--timeout", "x" * 40_000], ["run", "01", "-p", "seed", "[" * 20_000],
        ["run", "01", "-p", "seed", "9" * 5000], ["run", "01", "-p", "s" * 40_000, "1"],
        ["run", "01", "-p", "batch_size", "1000000000000"], ["run", "01", "--profile", "p" * 40_000],
        ["data", "d" * 40_000], ["z" * 40_000], ["run", "01\n02"], ["run", "a\0b"], ["render", "9" * 5000],
    ],
    ids=lambda arguments: " ".join(arguments)[:30].replace("\0", "0"),
)  # fmt: skip
def test_whatever_is_typed_is_answered_in_a_line(arguments, capsys):
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr().err
    assert status == 2 and said.count("\n") == 1 and len(said) < 1000


def shell(line, **env):
    """A line in a shell, with `labkit` for the command of this checkout."""
    command = f"{sys.executable} -m labkit"
    told = {**os.environ, "PYTHONPATH": str(ROOT), "LABKIT_OFFLINE": "1", **env}
    return subprocess.run(
        ["bash", "-c", line.replace("labkit", command, 1)], capture_output=True, text=True, env=told
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("labkit labs | head -1 >/dev/null; exit ${PIPESTATUS[0]}", 0),
        ("labkit labs > /dev/full", 2),
        ("labkit --help > /dev/full", 2),
        ("labkit labs >&-", 0),
        ("labkit run nothing 2> /dev/full", 2),
        ("d=$(mktemp -d); cd $d; rmdir $d; labkit labs > /dev/null", 2),
    ],
)
def test_pipes_full_disks_and_folders_that_are_gone(line, status):
    ended = shell(line)
    assert ended.returncode == status and "Traceback" not in ended.stderr and ended.stderr.count("\n") <= 1


def test_a_console_that_is_not_utf8_gets_what_it_can_show():
    ended = shell("labkit labs > /dev/null", PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0 and not ended.stderr
