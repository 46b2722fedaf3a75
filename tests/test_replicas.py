"""Two devices that share each batch make the step that one would, and no device goes its own way."""

import json
import subprocess
import sys

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tests import two_devices


def on_two_devices(case, tmp_path):
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.two_devices", case, out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text(encoding="utf-8"))
    assert "2 GPUs share each batch" in found["road"]
    assert found["as it was"]
    return found


def noise_and_rest(devices):
    """What the devices hold: seeds, which differ, and the rest, in which they agree bit for bit."""
    differ = [first != second for first, second in devices]
    noise = [pair for pair, other in zip(devices, differ, strict=True) if other]
    return noise, sum(not other for other in differ)


def test_two_devices_make_the_steps_of_one(tmp_path):
    found = on_two_devices("autoencoder", tmp_path)
    model = two_devices.autoencoder()
    history = two_devices.fit(model)
    for name in ("loss", "val_loss"):
        assert_allclose(found["history"][name], history[name], rtol=1e-6)
    for mine, theirs in zip(found["weights"], model.get_weights(), strict=True):
        assert_allclose(mine, theirs, atol=1e-6)
    assert noise_and_rest(found["devices"])[0] == []


def test_a_vae_on_two_devices_draws_other_noise_on_each_shares_its_steps_and_resumes(tmp_path):
    found = on_two_devices("vae", tmp_path)
    assert np.all(np.isfinite(found["history"]["loss"]))
    noise, rest = noise_and_rest(found["devices"])
    assert len(noise) == 1 and rest > 10
    for name in ("loss", "kl_loss", "val_loss"):
        assert_array_equal(found["resumed"]["history"][name], found["history"][name], err_msg=name)
    assert found["resumed"]["weights"] == found["weights"]
    assert found["traced"] == 1
    one = two_devices.fit(two_devices.vae(seed=1))
    assert_allclose(found["history"]["loss"], one["loss"], rtol=0.05)  # other noise for half of the images


def test_a_gan_with_batch_normalisation_dropout_and_an_average_trains_on_two_devices(tmp_path):
    found = on_two_devices("gan", tmp_path)
    for name, values in found["history"].items():
        assert np.all(np.isfinite(values)), name
    noise, rest = noise_and_rest(found["devices"])
    assert len(noise) == 2  # the latents', and dropout's
    assert rest > 20
