"""RandomAugmentation training images: each limit does what it says, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import models, training
from labkit.training import RandomAugmentation, augmentation
from labkit.training.checkpoints import fingerprint

SEED = [3, 4]


@pytest.fixture
def images():
    return np.random.default_rng(0).random((200, 9, 9, 1), dtype="float32")


def bump(x, y, side=33, width=3.0):
    """An image (1, side, side, 1) with a soft spot at (x, y), in pixels."""
    i = np.arange(side)
    spot = np.exp(-(np.square(i - x)[None, :] + np.square(i - y)[:, None]) / (2 * width**2))
    return spot[None, ..., None].astype("float32")


def centre(image):
    """Centre of mass (x, y) of an image (h, w, 1)."""
    weight = np.asarray(image, "float64")[..., 0]
    y, x = np.indices(weight.shape)
    return (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()


def test_without_limits_nothing_changes(images):
    assert_array_equal(RandomAugmentation()(images, SEED), images)


def test_half_of_the_images_are_mirrored_and_the_others_as_they_were(images):
    made = RandomAugmentation(mirror=True)(images, SEED).numpy()
    mirrored = np.abs(made - images[:, :, ::-1]).max((1, 2, 3)) < 1e-5
    same = np.abs(made - images).max((1, 2, 3)) < 1e-5
    assert np.all(mirrored ^ same)
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(images))


def test_a_spot_goes_where_shift_turn_zoom_and_mirror_say():
    """The maps' inverse, applied to a place, is where it is then found."""
    varied = RandomAugmentation(shift=4, turn=40, zoom=0.2, mirror=True)
    x = np.repeat(bump(20, 12), 50, axis=0)
    draws = tf.random.stateless_uniform((7, 50), SEED, -1.0, 1.0).numpy()
    for image, (turn, zoom, dx, dy, side, *_) in zip(varied(x, SEED).numpy(), draws.T, strict=True):
        angle, size = np.radians(40 * turn), 1 + 0.2 * zoom
        u, v = (20 - 16) * (-1 if side < 0 else 1), 12 - 16  # from the middle; mirrored first
        expected = (
            16 + 4 * dx + size * (np.cos(angle) * u + np.sin(angle) * v),
            16 + 4 * dy + size * (np.cos(angle) * v - np.sin(angle) * u),
        )
        assert_allclose(centre(image), expected, atol=0.2)


def test_edges_are_repeated_where_the_image_does_not_reach():
    made = RandomAugmentation(shift=5, turn=30, zoom=0.3)(np.full((20, 9, 9, 1), 0.7, "float32"), SEED)
    assert_allclose(made, 0.7, atol=1e-6)


def test_light_is_one_gain_an_image_within_its_limit(images):
    made = RandomAugmentation(light=0.2)(0.8 * images, SEED).numpy()
    gain = (made / (0.8 * images)).reshape(len(images), -1)
    assert np.ptp(gain, axis=1).max() < 1e-4
    assert 0.8 <= gain.min() < 0.85 and 1.15 < gain.max() <= 1.2
    assert RandomAugmentation(light=0.5)(images, SEED).numpy().max() <= 1


def test_a_blend_lies_between_an_image_and_another_of_the_batch(images):
    made = RandomAugmentation(blend=0.6)(images, SEED).numpy()
    apart = images[::-1] - images
    share = ((made - images) * apart).sum((1, 2, 3)) / np.square(apart).sum((1, 2, 3))
    assert_allclose(made, images + share[:, None, None, None] * apart, atol=1e-5)
    assert 0 <= share.min() < 0.05 and 0.55 < share.max() <= 0.6


def test_same_seed_same_images_another_seed_others(images):
    varied = RandomAugmentation(shift=2, light=0.1)
    assert_array_equal(varied(images, SEED), varied(images, SEED))
    assert np.any(varied(images, SEED) != varied(images, [3, 5]))


def test_it_serves_as_a_transform_and_its_settings_are_part_of_a_run_s_checkpoint(images):
    encoder = models.dense_encoder((4,), 2, image_shape=(9, 9, 1))
    vae = models.VAE(encoder, models.dense_decoder((4,), 2, image_shape=(9, 9, 1)))
    vae.compile(optimizer="adam")
    facts = [fingerprint(vae, images, 8, 0, RandomAugmentation(shift=s)) for s in (1, 1, 2)]
    assert facts[0] == facts[1] != facts[2]
    history = training.fit(
        vae, images, epochs=1, batch_size=50, transform=RandomAugmentation(shift=1, mirror=True)
    )
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"shift": -1}, "shift is -1"),
        ({"zoom": 1.0}, "zoom is 1.0"),
        ({"light": float("nan")}, "light is nan"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        augmentation.RandomAugmentation(**limits)
