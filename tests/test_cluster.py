"""Runs on a real Dask cluster of several worker processes, one of which is killed."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import nbformat
import pytest

from labkit import batch, config
from labkit.batch import wire
from labkit.cli import main
from labkit.parameters import ConfigError
from labkit.reports.request import prepare, vary

distributed = pytest.importorskip("distributed", reason="Dask is in the extra [batch]")

PARAMETERS = "seed = 0  # of all\ndo = ''  # what happens\nmarker = ''  # a file"
CELL = """import pathlib, psutil, time
if do == "kill":
    psutil.Process().parents()[2].kill()
    time.sleep(600)
if do == "wait" and not pathlib.Path(marker).exists():
    pathlib.Path(marker).write_text("begun")
    time.sleep(600)
if do == "pause":
    pathlib.Path(marker).write_text("begun")
    time.sleep(3)
from labkit.reports import save_metrics
save_metrics({"seed": seed})"""
SECONDS_CUT = float(os.environ.get("LABKIT_SECONDS_CUT", "4"))


@pytest.fixture(scope="module")
def cluster():
    """Three workers, each a process; one that is killed is started again."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, resources={"CPU": 2}
    ) as made:
        yield made


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """Maker of requests of one lab from the parameters of each."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(CELL),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_lab.ipynb")
    (folder / "profiles.toml").write_text("")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))

    def make(*given):
        first = prepare(config.find_lab("1"), "smoke", {}, tmp_path / "out")
        return [vary(first, one, f"run-{i}") for i, one in enumerate(given)]

    return make


def record_of(request):
    return json.loads((request.report_dir / "run.json").read_text())


def kill_worker_of(cluster, marker: Path):
    """Kill the worker whose job has written `marker`; its key is the one that runs longest."""
    with distributed.Client(cluster) as client:
        while not marker.exists():
            time.sleep(0.1)
        pids = client.run(os.getpid)
        busy = [address for address, keys in client.processing().items() if keys]
        while len(busy) != 1:  # the other jobs end soon
            time.sleep(0.2)
            busy = [address for address, keys in client.processing().items() if keys]
        os.kill(pids[busy[0]], signal.SIGKILL)


def test_a_killed_worker_s_job_runs_elsewhere(cluster, requests, tmp_path):
    marker = tmp_path / "marker"
    asked = requests({"do": "wait", "marker": str(marker)}, {"seed": 1}, {"seed": 2})
    killer = threading.Thread(target=kill_worker_of, args=(cluster, marker))
    killer.start()
    results = batch.run_all(asked, scheduler=cluster.scheduler_address)
    killer.join()
    assert [result.outcome for result in results] == ["completed"] * 3
    assert [record_of(request)["status"] for request in asked] == ["completed"] * 3


def test_a_job_that_kills_its_worker_three_times_fails_and_the_rest_go_on(cluster, requests):
    asked = requests({"do": "kill"}, {"seed": 1}, {"seed": 2})
    results = batch.run_all(asked, scheduler=cluster.scheduler_address)
    assert [result.outcome for result in results] == ["killed", "completed", "completed"]
    assert "tried 3 times" in results[0].message
    assert record_of(asked[0])["status"] == "killed"


def test_without_a_shared_folder_results_come_as_files(cluster, requests, monkeypatch):
    monkeypatch.setattr(wire, "write_atomically", lambda path, content: None)  # no worker sees the token
    asked = requests({"seed": 7})
    needs = batch.Needs(cores=2)
    (result,) = batch.run_all(asked, scheduler=cluster.scheduler_address, needs=needs)
    assert result.good and record_of(asked[0])["parameters"]["seed"] == 7
    assert json.loads((asked[0].report_dir / "metrics.json").read_text()) == {"seed": 7}
    assert (asked[0].report_dir / "report.html").is_file()
    assert not (asked[0].out / ".work" / "run-0").exists()


def test_what_no_worker_offers_is_said_at_once(cluster, requests):
    with pytest.raises(ConfigError, match=r"no worker .* offers GPU; .*--resources 'GPU=1'"):
        batch.run_all(requests({}), scheduler=cluster.scheduler_address, needs=batch.Needs(gpus=1))


def test_an_address_where_nothing_answers_is_exit_status_2(requests, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("labkit.batch.cluster.SECONDS_TO_CONNECT", 1)
    requests()
    asked = ["run", "1", "--profile", "smoke", "--out", str(tmp_path / "out")]
    assert main([*asked, "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err


class Line:
    """A line to a port that can be cut: nothing gets through until it is joined again."""

    def __init__(self, port: int):
        self.port, self.open = port, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        self.is_cut = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.server.accept()
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.port))
            self.open += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while block := source.recv(65_536):
                sink.sendall(block)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float):
        self.is_cut = True
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self.is_cut = False


def test_a_network_that_is_cut_for_a_while_loses_no_run(cluster, requests, tmp_path):
    line = Line(int(cluster.scheduler_address.rpartition(":")[2]))
    marker = tmp_path / "marker"
    asked = requests({"do": "pause", "marker": str(marker)}, *({"seed": seed} for seed in range(1, 6)))

    def cut():
        while not marker.exists():
            time.sleep(0.1)
        line.cut(SECONDS_CUT)

    cutter = threading.Thread(target=cut)
    cutter.start()
    results = batch.run_all(asked, scheduler=line.address)
    cutter.join()
    assert [result.outcome for result in results] == ["completed"] * 6
    assert [record_of(request)["status"] for request in asked] == ["completed"] * 6


def test_ctrl_c_ends_runs_on_the_workers_with_a_record(cluster, requests, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    asked = requests({"do": "wait", "marker": str(marker)}, *({"seed": seed} for seed in range(1, 6)))
    made = []
    monkeypatch.setattr(batch, "stop_on_signals", lambda stop: made.append(stop) or NoSignals())

    def interrupt():
        while not marker.exists():
            time.sleep(0.1)
        made[0].set()

    threading.Thread(target=interrupt).start()
    results = batch.run_all(asked, 1, scheduler=cluster.scheduler_address)
    assert results[0].outcome == "killed" and record_of(asked[0])["error"]["ename"] == "Interrupted"
    assert [result.outcome for result in results[1:]] == ["not started"] * 5


class NoSignals:
    """A context in which signals do what they always do."""

    def __enter__(self): ...
    def __exit__(self, *error): ...
