"""What is said of reconstructions and draws without a classifier."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import data, metrics, models


@pytest.fixture(scope="module")
def faces():
    return data.load("rendered_faces", n_train=60, n_test=24)


def test_a_perfect_reconstruction_has_no_error_and_a_blurred_one_is_less_sharp(faces):
    x = faces.x_test
    same, blurred = (metrics.rebuilt_quality(x, y) for y in (x, metrics.spoiled(x)["blurred"]))
    assert_allclose(list(same.values()), [0, 1, 100], atol=1e-4)
    assert blurred["MSE_in_thousandths"] > 0.1 and blurred["ssim"] < 1 and blurred["sharpness"] < 60


def test_the_mse_is_per_pixel_and_times_1000(faces):
    x = 0.5 * faces.x_test
    assert_allclose(metrics.rebuilt_quality(x, x + 0.1)["MSE_in_thousandths"], 10, rtol=1e-4)


def test_draws_are_judged_by_every_measure(faces):
    x_train, x_test = faces.x_train, faces.x_test
    found = metrics.drawn_quality(x_train[:24], x_train, x_test)
    levels = metrics.patch_distances(x_train[:24], x_test)
    assert list(found) == ["scale_64", "scale_32", "scale_16", "scale_8", "mean", "sharpness", "nearest"]
    assert_allclose([found[f"scale_{side}"] for side in levels], list(levels.values()))
    assert_allclose(found["mean"], np.mean(list(levels.values())))
    assert found["nearest"] == metrics.memorisation(x_train[:24], x_train, x_test).ratio < 1  # copies
    over = metrics.drawn_spreads({"copies": [x_train[:24], x_train[24:48]]}, x_train, x_test)
    assert over["copies"]["mean"]["seeds"][0] == found["mean"]


def test_images_are_spoiled_as_is_said(faces):
    x = faces.x_train
    found = metrics.spoiled(x)
    assert all(y.shape == x.shape and y.min() >= 0 and y.max() <= 1 for y in found.values())
    assert (
        metrics.sharpness(found["blurred"]) < 0.6 * metrics.sharpness(x) < metrics.sharpness(found["grainy"])
    )
    assert_allclose(np.sort(found["noise"], axis=0), np.sort(x, axis=0))
    assert_allclose(np.std(found["grainy"] - x), 0.05, rtol=0.2)


def test_what_codes_do_is_what_the_parts_say(faces):
    vae, x = models.pooled_vae(8, seed=1), faces.x_test[:6]
    found = metrics.coded_quality(vae.encode, vae.decode, x)
    judged = metrics.elbo(vae.encode, vae.decoder, x)
    assert_allclose(found["kl"], judged.kl, rtol=1e-5)
    assert found["active_units"] == judged.active_units
    assert_allclose(found["MSE_in_thousandths"], 1e3 * metrics.mse(x, vae.reconstruct(x)))
