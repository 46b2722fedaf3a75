"""Each notebook runs with other parameters than the handout's, and its page says so."""

import json
import os
import subprocess
import sys

import pytest

from labkit.config import labs

OTHERS = {"latent_dim": 16, "beta": 4.0, "batch_size": 32}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lab", labs().values(), ids=lambda lab: lab.name)
def test_a_notebook_follows_other_parameters(lab, tmp_path):
    changes = {name: value for name, value in OTHERS.items() if name in lab.parameters}
    assert changes, "no notebook is without a latent_dim, a beta and a batch_size"
    command = [sys.executable, "-m", "labkit", "run", lab.name, "--profile", "smoke", "--out", str(tmp_path)]
    for name, value in changes.items():
        command += ["-p", name, str(value)]
    environment = {**os.environ, "LABKIT_OFFLINE": "1"}
    environment.pop("LABKIT_RUN_DIR", None)  # the tests' own
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    record = json.loads((tmp_path / lab.name / "run.json").read_text())
    defaults = lab.parameters
    departures = {name for name, value in changes.items() if defaults[name].default != value}
    assert {name: record["parameters"][name] for name in changes} == changes
    assert set(record["departures"]) == departures
    page = (tmp_path / lab.name / "report.html").read_text()
    assert all(name in page for name in departures)
