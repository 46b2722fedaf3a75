"""DiffAugment varies what a discriminator is shown, and what the discriminator says in training."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import models, training
from labkit.models import DiffAugment

NOTHING = {"brightness": 0.0, "contrast": 0.0, "translation": 0.0, "cutout": 0.0}
SMALL = {"filters": (4, 4), "pools": (2, 2), "image_shape": (16, 16, 1)}


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (200, 16, 16, 1)).astype("float32")


def only(**limits):
    return DiffAugment(**NOTHING | limits, seed=3)


def small_gan(varied):
    discriminator = models.pooled_discriminator(**SMALL)
    discriminator = models.shown_varied(discriminator) if varied else discriminator
    generator = models.upsampling_decoder((4, 4), (2,), 5, image_shape=(16, 16, 1))
    gan = models.GAN(generator, discriminator, output="logits", ema_decay=0.9)
    gan.compile()
    return gan


def test_nothing_changes_outside_training_or_without_limits(images):
    assert_array_equal(DiffAugment()(images), images)
    assert_array_equal(only()(images, training=True), images)


def test_brightness_adds_one_number_to_an_image(images):
    added = (only(brightness=0.5)(images, training=True) - images).numpy()
    assert_allclose(np.ptp(added, axis=(1, 2, 3)), 0, atol=1e-6)
    change = added[:, 0, 0, 0]
    assert -0.5 <= change.min() < -0.4 and 0.4 < change.max() <= 0.5
    assert abs(change.mean()) < 4 * 0.5 / np.sqrt(3 * len(images))


def test_contrast_scales_an_image_about_its_mean(images):
    made = only(contrast=0.5)(images, training=True).numpy()
    assert_allclose(made.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-5)
    factor = made.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 <= factor.min() < 0.6 and 1.4 < factor.max() <= 1.5


def test_translation_moves_by_whole_pixels_and_fills_with_grey(images):
    """The correlation with the original is 1 at one shift within the limit; beyond the edge there is 0."""
    made = only(translation=0.25)(images[:40], training=True).numpy()
    shifts = set()
    for image, moved in zip(images[..., 0], made[..., 0], strict=False):
        padded = np.pad(image, 4)
        found = [
            (i, j)
            for i in range(9)
            for j in range(9)
            if np.array_equal(padded[i : i + 16, j : j + 16], moved)
        ]
        assert len(found) == 1
        shifts |= set(found)
    assert len(shifts) > 20


def test_cutout_makes_a_square_grey_and_leaves_the_rest(images):
    made = only(cutout=0.5)(images, training=True).numpy()[..., 0]
    for image, cut in zip(images[..., 0], made, strict=True):
        rows, columns = np.nonzero(cut != image)
        assert 1 <= np.ptp(rows) + 1 <= 8 and 1 <= np.ptp(columns) + 1 <= 8
        assert not cut[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].any()
    cut_out = (made == 0).mean()
    assert 0.1 < cut_out < 0.25  # a quarter, less what lies beyond the edge


def test_the_gradient_reaches_the_images_through_all_of_it(images):
    x = tf.constant(images[:8])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.square(DiffAugment(seed=1)(x, training=True)))
    slopes = tape.gradient(total, x).numpy()
    assert np.isfinite(slopes).all() and np.all(np.abs(slopes).sum((1, 2, 3)) > 0)


def test_every_call_draws_anew_and_equal_seeds_draw_alike(images):
    first, second = DiffAugment(seed=5), DiffAugment(seed=5)
    assert_array_equal(first(images, training=True), second(images, training=True))
    assert not np.array_equal(first(images, training=True), DiffAugment(seed=5)(images, training=True))


@pytest.mark.parametrize("limit", [{"cutout": -0.1}, {"translation": 1.5}, {"contrast": 2.0}])
def test_limits_are_checked(limit):
    with pytest.raises(ValueError, match="from 0 to"):
        DiffAugment(**limit)


def test_a_varied_discriminator_has_the_weights_of_its_own_and_trains(images):
    plain = models.pooled_discriminator(**SMALL)
    varied = models.shown_varied(plain)
    assert varied.count_params() == plain.count_params()
    assert_allclose(varied(images[:4]), plain(images[:4]), rtol=1e-5)
    gan = small_gan(varied=True)
    before = [w.numpy() for w in gan.discriminator.trainable_weights]
    history = training.fit(gan, 0.5 + 0.5 * images[:64], epochs=1, batch_size=16)
    assert np.isfinite(history["d_loss"]).all()
    changed = [
        not np.array_equal(a, b) for a, b in zip(before, gan.discriminator.trainable_weights, strict=True)
    ]
    assert all(changed)


def test_a_resumed_varied_gan_goes_on_as_if_it_had_not_stopped(images, tmp_path):
    x = 0.5 + 0.5 * images[:64]
    options = {"batch_size": 16, "precision": "float32"}
    whole = training.fit(small_gan(True), x, epochs=2, out=tmp_path / "whole", **options)
    training.fit(small_gan(True), x, epochs=1, out=tmp_path / "cut", **options)
    resumed = training.fit(small_gan(True), x, epochs=2, out=tmp_path / "cut", resume=True, **options)
    assert_allclose(resumed["g_loss"], whole["g_loss"], rtol=1e-6)


def test_what_d_says_in_training_uses_the_batchs_statistics_and_changes_nothing(images):
    gan, x = small_gan(varied=False), 0.5 + 0.5 * images
    before = [w.numpy() for w in gan.discriminator.weights]
    said = models.said_in_training(gan, x, size=50)
    by_hand = gan.discriminator(images[:50], training=True)
    for weight, value in zip(gan.discriminator.weights, before, strict=True):
        weight.assign(value)
    assert said.shape == (200,)
    assert_allclose(said[:50], tf.sigmoid(by_hand)[:, 0], rtol=1e-5)
    models.said_in_training(gan, x[:7], size=3)
    for weight, value in zip(gan.discriminator.weights, before, strict=True):
        assert_array_equal(weight, value)
    with pytest.raises(ValueError, match="batches of"):
        models.said_in_training(gan, x[:7], size=8)
