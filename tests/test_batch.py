"""The loop over many runs, how many runs a machine takes, results over the wire; nothing is executed."""

import json
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from labkit import batch, config
from labkit.batch import machine, wire
from labkit.batch.jobs import Outcome
from labkit.batch.local import WorkerLost
from labkit.batch.renewal import Renewal
from labkit.reports import runner
from labkit.reports.request import prepare, vary


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """Maker of requests for runs of one lab with different seeds."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cell = nbformat.v4.new_code_cell("seed = 0  # of all", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "01_lab.ipynb")
    (folder / "claims.toml").write_text("")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    monkeypatch.setattr(runner, "give_up", lambda request, why: None)

    def make(count, **options):
        first = prepare(config.find_lab("1"), "smoke", {}, tmp_path / "out", **options)
        return [vary(first, {"seed": seed}, f"seed={seed}") for seed in range(count)]

    return make


class Pool:
    """An executor that answers at once, by a function of (folder, try)."""

    lost = (WorkerLost,)

    def __init__(self, answer, room=2):
        self.answer, self.size = answer, room
        self.begun, self.running, self.most, self.stopped = [], 0, 0, False
        self.batch = None

    def submit(self, request):
        self.begun.append(request.folder)
        self.running += 1
        self.most = max(self.most, self.running)
        self.batch.take(request.folder, {"event": "begin"})
        future = Future()
        try:
            answer = self.answer(request.folder, self.begun.count(request.folder))
            if answer is not None:
                future.set_result(answer)
        except Exception as error:
            future.set_exception(error)
        return future

    def delivered(self, future, request):
        self.running -= 1
        return future.result()

    def broken(self):
        return ""

    def room(self):
        return self.size

    def stop(self):
        self.stopped = True


class Cancelled(Future):
    """A future that tells those who wait for it when it is cancelled, as Dask's executor does."""

    def cancel(self):
        return super().cancel() and not self.set_running_or_notify_cancel()


class Silent:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.notes, self.ends = [], {}

    def start(self, request): ...
    def event(self, request, event): ...
    def close(self): ...

    def note(self, line):
        self.notes.append(line)

    def end(self, request, words, *, good=True):
        self.ends[request.folder] = words


def run(requests, answer, pool_class=Pool, **options):
    """The results of a batch over such a pool, the pool, and what the progress heard."""
    pool, progress = pool_class(answer, **options), Silent()
    pool.batch = batch.Batch(requests, progress, lambda result: None)
    return pool.batch.run(pool), pool, progress


def completed(folder, tries):
    return Outcome("completed", seconds=1.0)


def test_results_come_in_the_order_of_the_requests_and_never_more_run_than_there_is_room(requests):
    asked = requests(20)
    results, pool, _ = run(asked, completed, room=3)
    assert [result.request.folder for result in results] == [request.folder for request in asked]
    assert all(result.good for result in results) and pool.most == 3


def test_a_run_whose_worker_dies_is_run_again(requests):
    def dies_once(folder, tries):
        if folder == "seed=1" and tries == 1:
            raise WorkerLost("ended by signal 9")
        return Outcome("completed")

    results, pool, progress = run(requests(3), dies_once)
    assert all(result.good for result in results)
    assert pool.begun.count("seed=1") == 2 and "run again" in progress.notes[0]


def test_a_run_that_kills_its_worker_three_times_fails_and_the_rest_go_on(requests, monkeypatch):
    noted = []
    monkeypatch.setattr(runner, "give_up", lambda request, why: noted.append((request.folder, why)))

    def kills(folder, tries):
        if folder == "seed=1":
            raise WorkerLost("ended by signal 9")
        return Outcome("completed")

    results, pool, _ = run(requests(5), kills)
    assert [result.outcome for result in results] == ["completed", "killed", *["completed"] * 3]
    assert pool.begun.count("seed=1") == 3
    assert "tried 3 times" in results[1].message and noted == [("seed=1", results[1].message)]


def test_a_process_that_dies_before_it_begins_its_job_is_not_tried_for_ever(requests):
    class Silently(Pool):
        def submit(self, request):
            self.begun.append(request.folder)
            future = Future()
            future.set_exception(WorkerLost("ended by exit status 1"))
            return future

    results, pool, _ = run(requests(1), completed, Silently)
    assert results[0].outcome == "killed" and len(pool.begun) == 3


def test_a_job_that_a_scheduler_begins_a_fourth_time_is_taken_back(requests):
    class Scheduler(Pool):
        def submit(self, request):
            super().submit(request)
            future = Cancelled()
            for _ in range(3):  # the scheduler tries again on its own, as often as it is set to
                self.batch.take(request.folder, {"event": "begin"})
            return future

    results, _, _ = run(requests(1), lambda folder, tries: None, Scheduler)
    assert results[0].outcome == "killed" and "tried 3 times" in results[0].message


def test_without_a_scheduler_nothing_is_tried_again(requests):
    class Gone(Pool):
        def broken(self):
            return "the scheduler is lost"

    def cut(folder, tries):
        raise WorkerLost("")

    results, pool, _ = run(requests(3), cut, Gone)
    assert {result.message for result in results} == {"the scheduler is lost"} and len(pool.begun) == 3


def test_after_a_wish_to_stop_what_waits_is_not_started(requests):
    def stops(folder, tries):
        pool_batch.stop.set()
        return Outcome("killed", "interrupted")

    pool = Pool(stops, room=1)
    pool_batch = pool.batch = batch.Batch(requests(3), Silent(), lambda result: None)
    results = pool_batch.run(pool)
    assert [result.outcome for result in results] == ["killed", "not started", "not started"]


def test_a_completed_run_is_skipped_and_an_unknown_error_is_that_run_s_failure(requests):
    asked = requests(2, resume=True)
    asked[0].report_dir.mkdir(parents=True)
    stored = {"status": "completed", "profile": "smoke", "parameters": {"seed": 0}, "data": []}
    identity = asked[0].identity
    stored |= {"code_digest": identity.code, "labkit_digest": identity.labkit, "versions": identity.versions}
    (asked[0].report_dir / "run.json").write_text(json.dumps(stored))

    def breaks(folder, tries):
        raise ZeroDivisionError("once")

    results, pool, _ = run(asked, breaks)
    assert [result.outcome for result in results] == ["skipped", "failed"]
    assert results[1].message == "ZeroDivisionError: once" and pool.begun == ["seed=1"]


@pytest.mark.parametrize(
    ("cores", "free", "runs", "jobs"),
    [(8, 100_000, 20, 8), (8, 100_000, 3, 3), (8, 3000, 20, 2), (8, 100, 20, 1), (1, 100_000, 20, 1)],
)
def test_as_many_runs_at_once_as_cores_and_memory_allow(requests, monkeypatch, cores, free, runs, jobs):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "free_memory_mb", lambda: free)
    assert machine.default_jobs(requests(runs)) == jobs


def test_what_an_earlier_run_held_counts(requests, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "free_memory_mb", lambda: 10_000)
    asked = requests(8)
    asked[0].report_dir.mkdir(parents=True)
    (asked[0].report_dir / "run.json").write_text('{"profile": "smoke", "peak_memory_mb": 8000}')
    assert machine.default_jobs(asked) == 1
    assert machine.default_jobs([replace(request, memory_mb=1000) for request in asked]) == 8


def test_a_container_s_limits_count(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine.project, "usable_cores", lambda: 16)
    assert machine.cores() == 16
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    (tmp_path / "memory.max").write_text(str(300 * 2**20))
    (tmp_path / "memory.current").write_text(str(100 * 2**20))
    assert machine.cores() == 2 and machine.free_memory_mb() == 200
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.cores() == 16


def test_a_page_is_made_now_and_then_and_a_full_disk_stops_nothing(monkeypatch):
    now, made = [0.0], []
    monkeypatch.setattr("labkit.batch.renewal.time.monotonic", lambda: now[0])

    def make():
        made.append(now[0])
        now[0] += 1.0  # it takes a second
        raise OSError("no space left")

    renew = Renewal(make)
    for _ in range(1000):
        now[0] += 0.1
        renew()
    assert 3 <= len(made) <= 100 * 0.06 + 1


@pytest.fixture
def job(requests, tmp_path):
    """A job as it leaves for a worker that shares no folder."""
    (request,) = requests(1)
    token = wire.Token(request.out)
    made = wire.make_job(request, "topic", token)
    token.remove()
    return made


def results_of(request, status="completed"):
    """What a run leaves, in its folder or, with a good one in place, in failed/."""
    folder = request.report_dir
    folder = folder / "failed" if (folder / "run.json").exists() and status != "completed" else folder
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a.png").write_bytes(b"picture")
    (folder / "report.html").write_text(f"page {status}")
    (folder / "run.json").write_text(json.dumps({"status": status}))


def test_results_come_over_the_wire_as_files(job, tmp_path):
    with wire.workplace(job, tmp_path / "worker") as (request, env):
        assert request.lab.path.is_file() and Path(env["LABKIT_NOTEBOOKS"]) == request.lab.path.parent
        assert tmp_path / "worker" in request.out.parents
        results_of(request)
        files = wire.collect(request, job)
    assert not list((tmp_path / "worker").iterdir())
    assert wire.put_in_place(Outcome("completed"), files, job.request).status == "completed"
    place = job.request.report_dir
    assert (place / "figures" / "a.png").read_bytes() == b"picture"
    assert (place / "report.html").read_text() == "page completed"


def test_over_the_wire_too_a_failed_run_leaves_the_good_one_in_place(job, tmp_path):
    results_of(job.request)
    kept = replace(job, kept=True)
    with wire.workplace(kept, tmp_path / "worker") as (request, _):
        results_of(request, "failed")
        files = wire.collect(request, kept)
    wire.put_in_place(Outcome("failed"), files, job.request)
    place = job.request.report_dir
    assert (place / "report.html").read_text() == "page completed"
    assert (place / "failed" / "report.html").read_text() == "page failed"


def test_a_worker_that_shares_the_folder_works_in_it(job, tmp_path):
    token = wire.Token(job.request.out)
    shared = replace(job, token=token)
    with wire.workplace(shared, tmp_path / "worker") as (request, _):
        assert request == shared.request and wire.collect(request, shared) is None
    token.remove()
    assert not (tmp_path / "worker").exists()


def test_events_of_a_run_that_has_ended_are_not_shown(requests):
    (request,) = requests(1)
    progress = Silent()
    progress.event = pytest.fail
    made = batch.Batch([request], progress, lambda result: None)
    threading.Thread(target=made.take, args=(request.folder, {"event": "tick"})).run()
