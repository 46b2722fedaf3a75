"""The command: what it accepts, what it says, and its exit status."""

import json
import subprocess
import sys

import nbformat
import pytest

from labkit import batch, project
from labkit.cli import main, runs
from labkit.parameters import literal

HEAVY = {"tensorflow", "keras", "papermill", "nbconvert", "nbformat", "matplotlib", "jupyter_client"}


@pytest.fixture
def labs(tmp_path, monkeypatch):
    """Two labs: both have a seed, the first has latents too."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    sources = {
        "01_vae": "seed = 0  # of all\nlatent_dims = [1, 2]  # sweep\nepochs = None  # passes",
        "02_gan": "seed = 0",
    }
    for name, source in sources.items():
        cells = [nbformat.v4.new_markdown_cell(f"# Title of {name}"), nbformat.v4.new_code_cell(source)]
        cells[1].metadata["tags"] = ["parameters"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    (folder / "profiles.toml").write_text(
        "".join(f"[01_vae.{p}]\nepochs = 2\n" for p in ("smoke", "quick", "full"))
    )
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    return folder


@pytest.fixture
def ran(monkeypatch):
    """The requests that would have been run; each is said to have ended well."""
    requests = []

    def run_all(given, jobs, **options):
        requests.extend(given)
        return [batch.Result(request, "completed") for request in given]

    monkeypatch.setattr(batch, "run_all", run_all)
    return requests


def test_the_command_itself_imports_nothing_heavy():
    told = "import sys, labkit.cli; labkit.cli.parser(); print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_labs_are_listed_with_their_parameters(labs, capsys):
    assert main(["labs"]) == 0
    said = capsys.readouterr().out
    assert "Title of 01_vae" in said and "by profile" in said and "sweep" in said


def test_labs_as_json(labs, capsys):
    assert main(["labs", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["name"], second["name"]) == ("01_vae", "02_gan")
    assert first["parameters"]["latent_dims"] == {"default": [1, 2], "comment": "sweep"}
    assert first["profiles"]["full"] == {"epochs": 2}


def test_without_names_all_labs_run(labs, ran, capsys):
    assert main(["run"]) == 0
    assert [request.lab.name for request in ran] == ["01_vae", "02_gan"]
    assert "2 of 2 labs are complete" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["1", "01", "01_vae", "01_vae.ipynb"])
def test_a_lab_is_named_by_number_or_name(labs, ran, name):
    assert main(["run", name, "01"]) == 0
    assert [request.lab.name for request in ran] == ["01_vae"]


def test_parameters_profile_and_limit_reach_the_run(labs, ran, tmp_path):
    arguments = ["run", "1", "-p", "latent_dims", "[4, 8]", "-p", "seed", "7", "--profile", "full"]
    assert main([*arguments, "--out", str(tmp_path / "x"), "--timeout", "12.5"]) == 0
    (request,) = ran
    assert dict(request.parameters) == {"seed": 7, "latent_dims": [4, 8], "epochs": 2}
    assert (request.profile, request.timeout, request.out) == ("full", 12.5, tmp_path / "x")
    assert not request.no_faces


def test_limits_cluster_and_shares_reach_the_batch(labs, monkeypatch):
    told = {}

    def run_all(requests, jobs, *, scheduler, needs, on_result):
        told.update(jobs=jobs, scheduler=scheduler, needs=needs, memory=requests[0].memory_mb)
        return [batch.Result(request, "completed") for request in requests]

    monkeypatch.setattr(batch, "run_all", run_all)
    options = ["--memory", "1.5", "--cores", "2", "--gpus", "1", "--scheduler", "tcp://first:8786"]
    assert main(["run", "1", *options]) == 0
    assert told == {
        "jobs": None, "scheduler": "tcp://first:8786", "needs": batch.Needs(2, 1), "memory": 1500
    }  # fmt: skip


def test_a_parameter_given_twice_is_an_error_that_names_the_sweep(labs, ran, capsys):
    assert main(["run", "1", "-p", "seed", "2", "-p", "seed", "5"]) == 2
    assert "labkit sweep 01 seed=2,5" in capsys.readouterr().err
    assert not ran


def test_a_notebook_is_named_by_its_path(labs, ran, tmp_path):
    copy = tmp_path / "01-smith.ipynb"
    copy.write_text((labs / "01_vae.ipynb").read_text())
    assert main(["run", str(copy), "02"]) == 0
    assert [request.lab.name for request in ran] == ["01-smith", "02_gan"]


def test_two_notebooks_of_one_name_do_not_share_a_folder(labs, ran, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "lab.ipynb").write_text((labs / "02_gan.ipynb").read_text())
    assert main(["run", str(tmp_path / "a" / "lab.ipynb"), str(tmp_path / "b" / "lab.ipynb")]) == 2
    assert "two notebooks are named lab" in capsys.readouterr().err and not ran


def test_reports_go_to_the_local_folder_and_the_published_one_is_refused(labs, ran, capsys):
    assert main(["run", "1"]) == 0
    assert ran[0].out == project.ROOT / "reports" / "local"
    assert "Open " in capsys.readouterr().out
    assert main(["run", "1", "--out", str(project.ROOT / "reports")]) == 2
    assert "only --publish writes there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "profile full"), (["--profile", "full", "-p", "seed", "3"], "departs")],
)
def test_what_could_not_be_published_is_refused_before_it_runs(labs, ran, capsys, arguments, said):
    assert main(["run", "1", "--publish", *arguments]) == 2
    assert said in capsys.readouterr().err and not ran


def test_resume_says_first_what_it_will_do(labs, ran, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "data_now", dict)
    assert main(["run", "1", "--resume", "--out", str(tmp_path / "x")]) == 0
    assert "01_vae: trains everything: there is no earlier run here" in capsys.readouterr().out


def test_copies_of_the_notebooks_never_replace_a_file(tmp_path, capsys):
    (tmp_path / "01_vae_mnist.ipynb").write_text("mine")
    assert main(["notebooks", str(tmp_path)]) == 0
    assert (tmp_path / "01_vae_mnist.ipynb").read_text() == "mine"
    assert "01_vae_mnist.ipynb: already there" in capsys.readouterr().out
    assert (tmp_path / "02_vae_to_gan.ipynb").read_bytes() == (
        project.own_notebooks() / "02_vae_to_gan.ipynb"
    ).read_bytes()


def test_faces_are_left_out_when_asked_for(labs, ran):
    assert main(["run", "--no-faces"]) == 0
    assert all(request.no_faces for request in ran)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "9"], "no lab '9'"),
        (["run", "01_vea"], "did you mean '01_vae'"),
        (["run", "--profile", "quik"], "did you mean 'quick'"),
        (["run", "1", "-p", "latent_dim", "[2]"], "did you mean 'latent_dims'"),
        (["run", "1", "-p", "seed", "many"], "'seed' is 'many'"),
        (["run", "-p", "latent_dims", "[2]"], "02_gan"),  # all labs, and the second has no such parameter
    ],
)
def test_what_does_not_exist_or_fit_is_named_before_anything_runs(labs, ran, capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not ran


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["walk"],
        ["run", "--jobs", "0"],
        ["run", "--memory", "0"],
        ["sweep", "1"],
        ["run", "--timeout", "-1"],
        ["run", "--timeout", "nan"],
        ["run", "-p", "seed"],
    ],
)
def test_bad_usage_is_exit_status_2(labs, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_file_that_is_no_notebook_is_named(labs, capsys):
    (labs / "03_broken.ipynb").write_text('{"cells": [')
    assert main(["run"]) == 2
    assert "03_broken.ipynb is not a readable Jupyter notebook" in capsys.readouterr().err


def test_a_failed_run_is_exit_status_1(labs, monkeypatch, capsys):
    def failed(requests, jobs, **options):
        return [batch.Result(request, "failed", "it broke") for request in requests]

    monkeypatch.setattr(batch, "run_all", failed)
    assert main(["run", "1"]) == 1
    assert "01_vae: it broke" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 1e-3), ("[1, 2]", [1, 2]), ("None", None), ("mnist", "mnist"), ("a b", "a b")],
)
def test_a_value_is_a_literal_or_a_text(text, value):
    assert literal(text) == value


def test_data_status_and_verify_say_what_is_there(monkeypatch, capsys):
    from types import SimpleNamespace as Made

    from labkit import data

    train, test = Made(images=range(10_000)), Made(images=range(2_000))
    found = Made(name="mnist", train=train, test=test, source="data/mini", problems=("a bad file",))
    monkeypatch.setattr(data, "status", lambda: [found])
    assert main(["data"]) == 0
    assert "mnist: 10,000 + 2,000 images from data/mini\n    a bad file" in capsys.readouterr().out
    good, bad = (data.FileCheck("mnist", "data/mini", "x.gz", problem) for problem in (None, "wrong magic"))
    monkeypatch.setattr(data, "verify", lambda: [good])
    assert main(["data", "verify"]) == 0
    own = data.FileCheck("faces", "data/cache", "ck.mat", None, "readable, 12 faces of your own")
    monkeypatch.setattr(data, "verify", lambda: [good, own])
    assert main(["data", "verify"]) == 0
    assert "ck.mat in data/cache: readable, 12 faces of your own" in capsys.readouterr().out
    monkeypatch.setattr(data, "verify", lambda: [good, bad])
    assert main(["data", "verify"]) == 1
    assert "x.gz in data/mini: wrong magic" in capsys.readouterr().out


def test_data_that_cannot_be_fetched_is_exit_status_1(monkeypatch, capsys):
    from labkit import data

    def fetch(progress):
        raise data.DataError("no mirror has it")

    monkeypatch.setattr(data, "fetch", fetch)
    assert main(["data", "fetch"]) == 1
    assert "no mirror has it" in capsys.readouterr().err
