"""The Dirac GAN plays with labkit's own losses; the ring tells covered modes from missing ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from labkit import losses, models, toys, training

places = st.floats(-3, 3)


@given(places, places, st.sampled_from(sorted(toys.DIRAC_PULLS)), st.floats(0, 2))
def test_the_field_is_minus_the_gradient_of_the_losses_that_train_gans(theta, psi, loss, r1):
    of_discriminator, of_generator = losses.GAN_LOSSES[loss]
    theta, psi = (tf.constant([[value]], tf.float64) for value in (theta, psi))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([theta, psi])
        d_loss = of_discriminator(0.0 * psi, theta * psi) + 0.5 * r1 * tf.square(psi)
        g_loss = of_generator(theta * psi)
    expected = -tape.gradient(g_loss, theta), -tape.gradient(d_loss, psi)
    found = toys.dirac_field(theta.numpy(), psi.numpy(), loss=loss, r1=r1)
    assert_allclose(found, expected, atol=1e-6)


def test_r1_of_the_dirac_gan_is_the_squared_slope_of_its_discriminator():
    x = tf.constant([[0.0], [0.0]])
    assert_allclose(models.squared_slope(lambda x: 0.7 * x, x), [0.49, 0.49], rtol=1e-6)


def test_simultaneous_steps_move_outwards_and_alternating_ones_stay():
    """Of the Wasserstein game: a factor of √(1 + rate²) a step, and a closed curve."""
    options = {"steps": 200, "rate": 0.1, "loss": "wasserstein"}
    away = np.linalg.norm(toys.dirac_path((1, 0), update="simultaneous", **options), axis=1)
    assert_allclose(away, 1.01 ** (np.arange(201) / 2), rtol=1e-9)
    near = np.linalg.norm(toys.dirac_path((1, 0), update="alternating", **options), axis=1)
    assert near.min() > 0.9 and near.max() < 1.1


@pytest.mark.parametrize("r1", [0.3, 0.6])
def test_r1_damps_by_half_its_weight(r1):
    """Below γ = 1 the Jacobian at the equilibrium has the real parts −γ/2."""
    rate, steps = 1e-3, 40_000
    path = toys.dirac_path((1e-3, 0), steps=steps, rate=rate, r1=r1)
    length = np.linalg.norm(path, axis=1)
    crossings = np.flatnonzero(np.diff(np.sign(path[:, 0])))  # half turns apart, so at equal phases
    first, last = crossings[0], crossings[-1]
    decay = np.log(length[first] / length[last]) / (rate * (last - first))
    assert_allclose(decay, r1 / 2, rtol=2e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: toys.dirac_field(0, 0, loss="hinge"), "no loss 'hinge'"),
        (lambda: toys.dirac_path((0, 0), steps=1, rate=1, update="both"), "'alternating' or 'simultaneous'"),
        (lambda: toys.ring_quality(np.zeros((3, 3))), r"\(n, 2\) was expected"),
    ],
)
def test_what_the_games_do_not_have_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_ring_has_eight_modes_of_equal_share_in_the_unit_square():
    points = toys.eight_gaussians(8000, seed=1)
    quality = toys.ring_quality(points)
    assert points.min() >= 0 and points.max() <= 1
    assert quality.modes == 8 and quality.near > 0.998
    nearest = np.linalg.norm(points[:, None] - toys.ring_centres(), axis=2).argmin(axis=1)
    assert_allclose(np.bincount(nearest) / 8000, 1 / 8, atol=4 * np.sqrt(1 / 8 * 7 / 8 / 8000))


def test_missing_modes_and_stray_points_are_seen():
    points = np.repeat(toys.ring_centres()[:3], [500, 490, 10], axis=0)
    assert toys.ring_quality(points).modes == 3
    assert toys.ring_quality(points[:-1]).modes == 2  # under 1 % is too few
    half = toys.ring_quality(np.concatenate([points, np.full((1000, 2), 0.5)]))
    assert (half.modes, half.near) == (2, 0.5)


def test_a_gan_trains_on_points_as_on_images():
    points = toys.eight_gaussians(256)
    networks = (
        models.dense_generator((4,), 2, image_shape=(2,)),
        models.dense_discriminator((4,), image_shape=(2,)),
    )
    gan = models.GAN(*networks, r1=1.0)
    gan.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)))
    history = training.fit(gan, points, epochs=1, batch_size=64)
    assert np.isfinite(history["d_loss"]).all()
    assert gan.sample(5).shape == (5, 2)
