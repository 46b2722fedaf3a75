"""Notebook 01's checks by hand fail when the loss is wrong; a notebook's parameters may be others."""

import json
import subprocess
import sys

import keras
import nbformat
import numpy as np
import pytest
from keras import ops

from labkit import claims, config, losses, metrics, models
from labkit.models import vae as vae_module

NOTEBOOK = nbformat.read(config.find_lab("01").path, as_version=4)


def cell_that_claims(name):
    (source,) = [c.source for c in NOTEBOOK.cells if c.cell_type == "code" and f'"{name}"' in c.source]
    return source


def checks(monkeypatch):
    """Run the cell of checks by hand on eight random images; say which of its claims hold."""
    monkeypatch.setattr(claims, "LEDGER", claims.Ledger())
    x = np.random.default_rng(0).random((8, 28, 28, 1), dtype="float32")
    vae = models.dense_vae((16,), 2, beta=1.0, seed=0)
    vae.encoder.layers[-1].bias.assign([0.5, -0.5])  # so that the KL counts
    cfg = config.Config("01_vae_mnist", "smoke", {"seed": 0, "beta": 1.0})
    names = {"np": np, "x_train": x, "vae": vae, "cfg": cfg}
    names |= {"claims": claims, "losses": losses, "metrics": metrics}
    exec(cell_that_claims("01.loss-by-hand"), names)
    return {name: made["holds"] for name, made in claims.LEDGER.made.items()}


def test_the_checks_hold_for_the_loss_as_it_is(monkeypatch):
    held = checks(monkeypatch)
    assert set(held) == {"01.kl-by-hand", "01.nll-by-hand", "01.kl-sampled", "01.loss-by-hand"}
    assert all(held.values())


def without_the_half(z_mean, z_log_var):
    return ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var, axis=1)


def over_the_batch(z_mean, z_log_var):
    return 0.5 * ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var)


def mean_over_latents(z_mean, z_log_var):
    return 0.5 * ops.mean(ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var, axis=1)


@pytest.mark.parametrize("wrong", [without_the_half, over_the_batch, mean_over_latents])
def test_a_wrong_kl_is_a_check_that_fails(monkeypatch, wrong):
    monkeypatch.setattr(vae_module, "kl_divergence", wrong)
    assert not checks(monkeypatch)["01.loss-by-hand"]
    monkeypatch.setattr(losses, "kl_divergence", wrong)
    assert not checks(monkeypatch)["01.kl-by-hand"]
    assert "CHECK FAILED" in repr(claims.table("smoke"))


def test_pixels_that_are_averaged_are_a_check_that_fails(monkeypatch):
    def averaged(x, logits):
        return ops.mean(keras.losses.binary_crossentropy(x, logits, from_logits=True), axis=(1, 2))

    monkeypatch.setattr(losses, "bernoulli_nll", averaged)
    assert not checks(monkeypatch)["01.nll-by-hand"]


OTHERS = {"latent_dim": 8, "beta": 4.0, "batch_size": 32}
OWN = {"03": {"latent_dim": 16}}  # its code is a map of 4×4 places


def run_with_others(number, folder):
    """Run a lab under smoke with other parameters; its record, and its claims by id."""
    lab = config.find_lab(number)
    changes = {name: value for name, value in OTHERS.items() if name in lab.parameters} | OWN.get(number, {})
    command = [sys.executable, "-m", "labkit", "run", number, "--profile", "smoke", "--out", str(folder)]
    for name, value in changes.items():
        command += ["-p", name, str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    record = json.loads((folder / lab.name / "run.json").read_text())
    assert changes == {name: record["parameters"][name] for name in changes}
    return record, {claim["id"]: claim for claim in record["claims"]}


@pytest.mark.smoke
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", ["02"])
def test_a_notebook_runs_with_other_parameters_and_its_calculations_still_come_out(number, tmp_path):
    record, made = run_with_others(number, tmp_path)
    known = claims.known_claims()
    checks = [name for name in made if (known[name].kind, known[name].needs) == ("check", "smoke")]
    assert checks and record["departures"]
    assert [name for name in checks if made[name]["holds"] is False] == []


@pytest.mark.smoke
@pytest.mark.timeout(1200)
def test_the_notebook_runs_with_other_parameters_and_follows_them(tmp_path):
    _, made = run_with_others("01", tmp_path)
    encoder = (784 * 256 + 256) + 2 * (256 * 8 + 8)
    assert made["01.parameters"]["holds"] and made["01.parameters"]["numbers"]["counted"][0] == encoder
    assert not made["01.lab1-networks"]["holds"], "the handout's networks have two latents"
    assert made["01.printed"]["holds"] and made["01.loss-by-hand"]["holds"]
    assert made["01.week2-networks"]["holds"], "Week II's stay as the handout has them"
