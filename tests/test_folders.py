"""Where files go: read-only course folders, no home, full disks, names that are taken already."""

import builtins
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import project
from labkit.cli import main


def homeless():
    raise RuntimeError("Could not determine home directory.")


def test_the_next_free_name_is_taken_and_nothing_is_overwritten(tmp_path):
    (tmp_path / "x.corrupt").write_text("older")
    (tmp_path / "x.corrupt1").symlink_to("nowhere")  # which a rename would overwrite too
    (tmp_path / "x").write_text("bad")
    assert project.set_aside(tmp_path / "x") == "; set aside as x.corrupt2"
    assert (tmp_path / "x.corrupt").read_text() == "older"
    assert os.path.lexists(tmp_path / "x.corrupt1") and (tmp_path / "x.corrupt2").read_text() == "bad"


def test_a_user_without_a_home_has_a_cache_that_can_be_written(monkeypatch):
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert project.home() is None
    assert project.can_write(project.user_cache()) and "~" not in str(project.user_cache())


def test_whether_a_folder_can_be_written_is_known_before_it_is_there(tmp_path, monkeypatch):
    assert project.can_write(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not project.can_write(tmp_path / "file" / "b")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert not project.can_write(tmp_path / "a")


def test_reports_from_a_read_only_course_folder_go_where_the_user_may_write(tmp_path, monkeypatch):
    monkeypatch.delenv("LABKIT_RUN_DIR")
    course, mine, home = (tmp_path / name for name in ("course", "mine", "home"))
    monkeypatch.setattr(project, "CHECKOUT", course)
    monkeypatch.setattr(project, "home", lambda: home)
    mine.mkdir()
    monkeypatch.chdir(mine)
    assert project.local_reports() == course / "reports" / "local"
    monkeypatch.setattr(project, "can_write", lambda folder: not folder.is_relative_to(course))
    assert project.local_reports() == mine / "reports" / "local"
    monkeypatch.setattr(project, "can_write", lambda folder: False)
    assert project.local_reports() == home / "labkit-reports"
    assert project.live_dir("01_x") == home / "labkit-reports" / ".work" / "01_x-live"


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(project, "can_write", lambda folder: False)
    assert main(["run", "01", "--profile", "smoke", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "may not write to. Name another folder" in line


def test_a_full_disk_costs_the_note_and_not_the_run(monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(builtins, "open", full)
    with pytest.warns(UserWarning, match="record lacks 'data': No space left on device"):
        project.record("data", {"name": "mnist"})


def test_a_user_who_does_not_exist_is_a_name_as_any_other():
    assert project.expanded("~nosuchuser/x") == Path("~nosuchuser/x")


def test_a_user_without_name_and_home_sees_the_data():
    nobody = (
        "import pwd\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "from labkit.cli import main\n"
        "raise SystemExit(main(['data', 'status']))"
    )
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = kept | {"LABKIT_OFFLINE": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", nobody], env=environment, cwd="/", capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0 and "mnist: 10,000 + 2,000 images" in shown.stdout, shown.stderr
