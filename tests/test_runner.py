"""Running labs for real, in processes of their own: what is recorded, published and left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import nbformat
import psutil
import pytest

from labkit.project import ROOT

PARAMETERS = (
    "profile = None  # smoke, quick or full\nfail = False  # whether to fail\nseed = 3  # of all randomness"
)
FIGURE = """import io
from PIL import Image
from IPython import display
buffer = io.BytesIO()
Image.new("L", (4, 4), 128).save(buffer, "png")
about = {"alt": "A grey square", "name": "Grey square", "width": 40}
display.display(display.Image(buffer.getvalue(), metadata=about))"""
METRICS = "from labkit.reports import save_metrics\nsave_metrics({'nats': 1.5, 'profile': profile})"
GOOD = [
    (PARAMETERS, ["parameters"]),
    (FIGURE, ["handout:lab1.1"]),
    "if fail: raise ValueError('on demand')",
    METRICS,
]
KILL_KERNEL = """import os, subprocess
subprocess.Popen(['sleep', '778'], start_new_session=True)
os.kill(os.getpid(), 9)"""
WRITE_NAN = """import os, pathlib
pathlib.Path(os.environ['LABKIT_RUN_DIR'], 'metrics.json').write_text('{"a": NaN}')"""
LIE = """import json, os, pathlib
pathlib.Path(os.environ['LABKIT_RUN_DIR'], 'run.json').write_text('{"status": "completed"}')"""
SLEEP = "print('before the long part', flush=True)\nimport time; time.sleep(600)"

NOTEBOOKS = {
    "01_good": GOOD,
    "02_error": ["1", LIE, "import labkit\nraise ValueError(labkit.__file__)", "2"],
    "03_exit": ["1", "import sys; sys.exit(0)", "2"],
    "04_kernel": ["1", KILL_KERNEL, "2"],
    "05_worker": ["1", "import os, time\nos.kill(os.getppid(), 9); time.sleep(600)", "2"],
    "06_metrics": ["1", WRITE_NAN],
    "07_allowed": [("1 / 0", ["raises-exception"]), "2", ("1 / 0", ["skip-execution"])],
    "08_os_exit": ["import os; os._exit(0)", "2"],
    "09_blocked": ["1"],
    "10_locked": ["1"],
}


def write_notebook(path, sources):
    """Write a notebook of a title and code cells, given as source or (source, tags)."""
    cells = [nbformat.v4.new_markdown_cell(f"# The lab {path.stem}")]
    for source in sources:
        source, tags = source if isinstance(source, tuple) else (source, [])
        cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    kernel = {"name": "a-kernel-nobody-has", "display_name": "none"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


class Workshop:
    """A folder with notebooks and reports of its own, and the command that runs them."""

    def __init__(self, folder, notebooks):
        self.folder, self.out = folder, folder / "out"
        (folder / "notebooks").mkdir()
        for name, sources in notebooks.items():
            write_notebook(folder / "notebooks" / f"{name}.ipynb", sources)

    def start(self, *arguments, preexec_fn=None, **env):
        """Start `labkit run` on its own."""
        told = {"LABKIT_NOTEBOOKS": str(self.folder / "notebooks"), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "labkit", "run", "--profile", "smoke", "--out", str(self.out), *arguments],
            env={**os.environ, **told, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=preexec_fn,
        )

    def run(self, *arguments, **env):
        """Run it to its end; return the exit status and what it said."""
        process = self.start(*arguments, **env)
        said, _ = process.communicate(timeout=280)
        return process.returncode, said

    def record(self, lab, where="."):
        return json.loads((self.out / lab / where / "run.json").read_text())

    def report(self, lab, where="."):
        return (self.out / lab / where / "report.html").read_text()

    def notebook(self, lab, where="."):
        return nbformat.read(self.out / lab / where / "report.ipynb", as_version=4)

    def files(self, lab):
        """The lab's published files and what is in them, without those of failed runs."""
        found = (p for p in (self.out / lab).rglob("*") if p.is_file() and "failed" not in p.parts)
        return {str(p.relative_to(self.out)): p.read_bytes() for p in found}

    def wait_for_cell(self, lab):
        """Wait until a kernel runs a cell of `lab`."""
        executed = lambda: list((self.out / ".work" / lab).glob("*/.runner/executed.ipynb"))  # noqa: E731
        until(lambda: any('"status": "running"' in path.read_text() for path in executed()))


def until(condition, seconds=60):
    """Wait until `condition` holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def processes_of(text):
    """Processes whose command line or environment holds `text`."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(text in part for part in told) and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """All notebooks run once, two at a time; one cannot be published, one is run by another already."""
    made = Workshop(tmp_path_factory.mktemp("workshop"), NOTEBOOKS)
    (made.out / ".work").mkdir(parents=True)
    (made.out / "09_blocked").write_text("a file where the folder should be")
    holder = '{"process": 4711, "machine": "desk", "start": "2026-01-02"}'
    (made.out / ".work" / "10_locked.holder.json").write_text(holder)
    with filelock.FileLock(made.out / ".work" / "10_locked.lock"):
        made.status, made.said = made.run("--jobs", "2")
    return made


def test_a_failing_run_gives_exit_status_1_and_all_others_still_run(workshop):
    assert workshop.status == 1
    assert "2 of 10 labs are complete" in workshop.said
    assert (workshop.out / "index.html").exists()


@pytest.mark.parametrize(
    ("lab", "status", "cells", "error"),
    [
        ("01_good", "completed", (4, 4), None),
        ("02_error", "failed", (2, 4), "ValueError"),
        ("03_exit", "failed", (1, 3), "SystemExit"),
        ("04_kernel", "killed", (1, 3), "DeadKernelError"),
        ("05_worker", "killed", (1, 3), "WorkerDied"),
        ("06_metrics", "failed", (2, 2), "MetricsError"),
        ("07_allowed", "completed", (2, 2), None),
        ("08_os_exit", "failed", (0, 2), "DeadKernelError"),
    ],
)
def test_the_record_says_what_truly_happened(workshop, lab, status, cells, error):
    record = workshop.record(lab)
    assert record["status"] == status
    assert (record["cells_run"], record["cells_total"]) == cells
    assert (record["error"] or {}).get("ename") == error


def test_the_record_of_a_completed_run_is_whole(workshop):
    record = workshop.record("01_good")
    assert record["profile"] == "smoke"
    assert record["parameters"] == {"fail": False, "seed": 3}
    assert record["seed"] == 3
    assert record["error"] is record["failing_cell"] is None
    assert record["peak_memory_mb"] > 20
    assert record["versions"]["python"] and record["versions"]["papermill"]
    assert record["processor"]["cores"] >= 1
    assert record["accelerator"] == "none recorded"
    assert [cell["status"] for cell in record["cells"]] == ["ran"] * 4
    assert all(cell["seconds"] >= 0 for cell in record["cells"])
    assert record["start"].endswith("+00:00")


def test_the_failing_cell_is_named(workshop):
    cell = workshop.record("02_error")["failing_cell"]
    assert (cell["index"], cell["line"]) == (3, "import labkit")
    source = nbformat.read(workshop.folder / "notebooks" / "02_error.ipynb", as_version=4)
    assert cell["id"] == source.cells[3].id


def test_figures_and_numbers_are_published(workshop):
    assert list((workshop.out / "01_good" / "figures").iterdir()) == [
        workshop.out / "01_good" / "figures" / "Grey-square.png"
    ]
    metrics = json.loads((workshop.out / "01_good" / "metrics.json").read_text())
    assert metrics == {"nats": 1.5, "profile": "smoke"}
    assert not list(workshop.out.rglob("*.new-*"))


def test_cells_that_never_ran_say_so_in_the_notebook(workshop):
    notebook = workshop.notebook("04_kernel")
    banner, _, ran, killed, never = notebook.cells
    assert "not complete" in banner.source and "1 of 3 code cells ran" in banner.source
    assert ran.metadata.labkit.status == "ran" and ran.execution_count == 1
    assert killed.metadata.labkit.status == "interrupted"
    assert killed.outputs[-1].ename == "DeadKernelError"
    assert never.metadata.labkit.status == "not run" and never.execution_count is None
    assert "did not run" in never.outputs[0].text


def test_a_partial_report_has_a_banner(workshop):
    assert "This run is not complete" in workshop.report("02_error")
    assert "This run is not complete" not in workshop.report("01_good")


def test_nothing_published_tells_of_this_machine(workshop):
    for path in [p for p in workshop.out.rglob("*") if p.is_file() and ".work" not in p.parts]:
        if path.suffix in (".json", ".html", ".ipynb"):
            text = path.read_text()
            for secret in (str(ROOT), str(workshop.folder), str(Path.home()) + "/", sys.prefix + "/"):
                assert secret not in text, f"{path.name} of {path.parent.name} tells {secret}"
    assert "labkit/__init__.py" in workshop.report("02_error")


def test_what_a_dead_kernel_started_is_ended_too(workshop):
    assert not processes_of(str(workshop.folder))


def test_a_second_run_of_the_same_lab_is_refused(workshop):
    assert "another labkit run of 10_locked (process 4711 on desk, since 2026-01-02)" in workshop.said
    assert not (workshop.out / "10_locked").exists()


def test_results_that_cannot_be_written_make_the_run_fail(workshop):
    assert "09_blocked: the results could not be written" in workshop.said
    assert (workshop.out / "09_blocked").read_text() == "a file where the folder should be"


def test_a_failing_run_leaves_the_good_report_as_it_was(tmp_path):
    workshop = Workshop(tmp_path, {"01_good": GOOD})
    assert workshop.run("1")[0] == 0
    good = workshop.files("01_good")
    assert workshop.run("1", "-p", "fail", "True")[0] == 1
    assert workshop.files("01_good") == good
    assert workshop.record("01_good", "failed")["parameters"]["fail"] is True
    assert "failed/report.html" in (workshop.out / "index.html").read_text()
    status, said = workshop.run("1", "--resume")
    assert status == 0 and "skipped" in said


def test_a_run_that_takes_too_long_is_ended_and_keeps_what_it_printed(tmp_path):
    workshop = Workshop(tmp_path, {"01_slow": ["1", SLEEP, "2"]})
    assert workshop.run("--timeout", "20")[0] == 1
    record = workshop.record("01_slow")
    assert record["status"] == "timed_out" and record["failing_cell"]["index"] == 2
    assert "before the long part" in workshop.report("01_slow")
    assert not processes_of(str(workshop.folder))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_records_its_run_and_starts_no_other(tmp_path, number):
    workshop = Workshop(tmp_path, {"01_slow": ["1", SLEEP], "02_waits": ["1"]})
    process = workshop.start("--jobs", "1")
    workshop.wait_for_cell("01_slow")
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert workshop.record("01_slow")["status"] == "killed"
    assert "02_waits: not started" in said and not (workshop.out / "02_waits").exists()
    assert not processes_of(str(workshop.folder))


def test_a_killed_command_leaves_no_process_behind(tmp_path):
    workshop = Workshop(tmp_path, {"01_slow": ["1", SLEEP]})
    process = workshop.start()
    workshop.wait_for_cell("01_slow")
    process.kill()
    process.communicate()
    until(lambda: not processes_of(str(workshop.folder)), seconds=20)
    record = workshop.record("01_slow")
    assert record["status"] == "killed" and "was killed" in record["error"]["evalue"]


def test_a_run_whose_process_dies_is_run_again_and_goes_on_from_its_checkpoints(tmp_path):
    source = "import os, pathlib, psutil\nmarker = pathlib.Path(os.environ['LABKIT_RUN_DIR'], 'epoch1.npz')\n"
    kill = "again = marker.exists()\nmarker.touch()\nif not again: psutil.Process().parents()[1].kill()\n"
    tell = "print('again', os.environ.get('LABKIT_RESUME'))"
    wait = "import time; time.sleep(0 if again else 600)"
    workshop = Workshop(tmp_path, {"01_dies": [source + kill + wait, tell]})
    status, said = workshop.run()
    assert status == 0 and "it is run again" in said
    assert "again 1" in workshop.report("01_dies")


def test_a_run_that_kills_its_process_each_time_fails_and_the_rest_go_on(tmp_path):
    kill = "import psutil, time\npsutil.Process().parents()[1].kill()\ntime.sleep(600)"
    workshop = Workshop(tmp_path, {"01_kills": [kill], "02_good": ["1"]})
    status, said = workshop.run("--jobs", "1")
    assert status == 1 and "tried 3 times" in said and "1 of 2 labs are complete" in said
    assert workshop.record("01_kills")["status"] == "killed"
    assert workshop.record("02_good")["status"] == "completed"


def test_a_run_that_takes_too_much_memory_is_ended(tmp_path):
    take = "import time\ntaken = bytearray(600_000_000)\ntime.sleep(600)"
    workshop = Workshop(tmp_path, {"01_large": ["1", take]})
    assert workshop.run("--memory", "0.5")[0] == 1
    record = workshop.record("01_large")
    assert record["error"]["ename"] == "MemoryLimit" and "500 MB" in record["error"]["evalue"]
    assert record["failing_cell"]["index"] == 2 and not processes_of(str(workshop.folder))


def test_a_full_disk_keeps_the_good_report_and_says_so_in_the_record(tmp_path):
    resource = pytest.importorskip("resource")
    large = "print(('<' * 99 + '\\n') * (size // 100))"  # four times as much in HTML
    workshop = Workshop(tmp_path, {"01_lab": [("size = 1  # characters", ["parameters"]), large]})
    assert workshop.run()[0] == 0
    good = workshop.files("01_lab")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))  # noqa: E731
    status, said = workshop.run("-p", "size", "500_000", preexec_fn=limit)
    assert status == 1 and "the results could not be written: File too large" in said
    assert workshop.files("01_lab") == good
    assert "could not be written" in workshop.record("01_lab", "failed")["error"]["evalue"]


def test_papermill_runs_a_notebook_from_any_folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "elsewhere" / "out.ipynb"
    told = (
        "from labkit import configure\ncfg = configure('01_lab', globals())\nprint('latents', cfg.latent_dim)"
    )
    workshop = Workshop(tmp_path, {"01_lab": [("latent_dim = 2  # latents", ["parameters"]), told]})
    notebook = workshop.folder / "notebooks" / "01_lab.ipynb"
    env = {**os.environ, "LABKIT_NOTEBOOKS": str(notebook.parent), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "papermill", notebook, out, "-k", "python3", "-l", "python"]
    command += ["-p", "latent_dim", "8"]
    subprocess.run(command, cwd=tmp_path / "elsewhere", env=env, check=True, capture_output=True, timeout=120)
    assert "latents 8" in nbformat.read(out, as_version=4).cells[-1].outputs[0].text


def test_resuming_keeps_the_checkpoints_of_an_interrupted_run(tmp_path):
    source = "import os, pathlib\nhere = pathlib.Path(os.environ['LABKIT_RUN_DIR'])\n"
    count = source + "old = sorted(p.name for p in here.glob('*.npz'))\n(here / 'epoch1.npz').touch()\n"
    told = count + "print(old, os.environ.get('LABKIT_RESUME'))\nassert old, 'first time'"
    workshop = Workshop(tmp_path, {"01_train": [told]})
    assert workshop.run()[0] == 1
    assert workshop.run("--resume")[0] == 0
    assert "['epoch1.npz'] 1" in workshop.report("01_train")


def test_a_kernel_that_does_not_start_is_a_failed_run(tmp_path):
    workshop = Workshop(tmp_path, {"01_good": GOOD})
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "ipykernel_launcher.py").write_text("raise SystemExit(3)")
    assert workshop.run(PYTHONPATH=f"{tmp_path / 'fake'}{os.pathsep}{ROOT}")[0] == 1
    record = workshop.record("01_good")
    assert record["status"] == "failed" and record["cells_run"] == 0
    assert "ernel" in record["error"]["evalue"]
