"""The conditional GAN: its labels reach both networks, and without them it is the GAN."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import models, training
from labkit.models.gan import one_by_one

SHAPE, CLASSES, LATENT = (6, 6, 1), 4, 3
IMAGES = np.random.default_rng(0).random((40, *SHAPE), dtype="float32")
LABELS = np.random.default_rng(1).integers(0, CLASSES, 40)
Z = np.random.default_rng(2).standard_normal((5, LATENT), dtype="float32")


def pair(seed=0, dropout=0.0, initializer="normal"):
    size = {"kernel_size": 3, "seed": seed, "initializer": initializer}
    generator = models.conv_generator(LATENT + CLASSES, base=(2, 2, 2), filters=(2,), strides=(1, 3), **size)
    options = {"filters": (2,), "dense": (5,), "dropout": dropout, "n_classes": CLASSES} | size
    return generator, models.conv_discriminator(SHAPE, **options)


def small_gan(networks=None, **options):
    gan = models.ConditionalGAN(*(networks or pair()), **options)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return gan


def fit(gan, **options):
    data, val = (IMAGES, LABELS), (IMAGES[:10], LABELS[:10])
    return training.fit(gan, data, val, **{"epochs": 2, "batch_size": 8, **options})


def test_the_label_joins_image_and_noise():
    gan = small_gan()
    real = np.asarray(gan.reals(((IMAGES[:3], LABELS[:3]),)))
    assert_allclose(real, np.hstack([2 * IMAGES[:3].reshape(3, -1) - 1, np.eye(CLASSES)[LABELS[:3]]]))
    assert (gan.latent_dim, gan.n_classes) == (LATENT, CLASSES)
    assert_allclose(gan.generate(Z, LABELS[:5]), 0.5 + 0.5 * gan(np.hstack([Z, np.eye(CLASSES)[LABELS[:5]]])))


def test_fakes_are_of_all_classes_and_carry_the_label_they_were_drawn_for():
    gan = small_gan()
    state = gan.seed_generator.state.numpy()
    fakes = np.asarray(gan.fakes(400, training=False))
    one_hot = fakes[:, 36:]
    assert_array_equal(np.sort(one_hot, axis=1)[:, -2:], np.tile([0, 1], (400, 1)))
    assert_allclose(one_hot.mean(axis=0), 1 / CLASSES, atol=4 * np.sqrt(3 / 16 / 400))
    gan.seed_generator.state.assign(state)
    z = keras.random.normal((400, LATENT), seed=gan.seed_generator)
    again = np.asarray(gan(np.hstack([z, one_hot])))
    assert_allclose(fakes[:, :36], again.reshape(400, -1), atol=1e-6)


def test_the_logit_is_the_features_score_plus_their_product_with_the_class():
    _, network = pair()
    joined = np.asarray(small_gan().reals(((IMAGES[:7], LABELS[:7]),)))
    features = keras.Model(network.input, network.get_layer("dense_1_act").output)(joined)
    of_class = network.get_layer("class").get_weights()[0][LABELS[:7]]  # (7, 5)
    expected = network.get_layer("logit")(features)[:, 0] + np.sum(features * of_class, axis=1)
    assert_allclose(network(joined)[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_with_labels_ignored_it_is_the_gan():
    generator, discriminator = pair()
    discriminator.get_layer("class").set_weights([np.zeros((CLASSES, 5))])
    plain = models.conv_discriminator(SHAPE, filters=(2,), dense=(5,), dropout=0, kernel_size=3)
    shared = [layer for layer in discriminator.layers if layer.name != "class"]
    plain.set_weights([weight for layer in shared for weight in layer.get_weights()])
    joined = small_gan().reals(((IMAGES, LABELS),))
    assert_allclose(discriminator(joined), plain(2 * IMAGES - 1), atol=1e-6)
    kernel, *others = generator.get_weights()
    kernel[LATENT:] = 0
    generator.set_weights([kernel, *others])
    gan = small_gan((generator, discriminator))
    assert_array_equal(gan.generate(Z, [0] * 5), gan.generate(Z, [3] * 5))


def test_real_and_fake_go_through_the_discriminator_in_one_pass():
    assert one_by_one(pair(dropout=0.3)[1])


def test_r1_is_half_its_weight_times_the_squared_slope_in_the_pixels_with_the_labels_as_they_are():
    gan, plain = small_gan(pair(initializer="glorot"), r1=3.0), small_gan(pair(initializer="glorot"))
    real, fake = (gan.reals(((IMAGES[i : i + 20], LABELS[i : i + 20]),)) for i in (0, 20))
    with_r1, without = (g.discriminator_loss(real, fake, training=True) for g in (gan, plain))
    pixels = tf.constant(real[:, :36])
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logits = plain.discriminator(tf.concat([pixels, real[:, 36:]], axis=1), training=True)
    slopes = np.sum(np.square(tape.gradient(logits, pixels)), axis=1)
    assert_allclose(with_r1 - without, 1.5 * np.mean(slopes), rtol=1e-4)
    assert np.isfinite(fit(gan, epochs=1)["d_loss"]).all()


def test_spectral_normalisation_holds_the_vectors_of_the_classes_too():
    network = models.conv_discriminator(SHAPE, filters=(2,), dense=(5,), n_classes=CLASSES, spectral=True)
    assert isinstance(network.get_layer("class_spectral"), models.SpectralNormalization)
    assert one_by_one(network)


def test_training_logs_what_a_gan_logs_and_is_the_same_for_the_same_seed():
    first, again, other = fit(small_gan()), fit(small_gan()), fit(small_gan(seed=1))
    shared = {"d_loss", "g_loss", "d_real", "d_fake"}
    own = {"epoch", "seconds", "d_grad_norm", "g_grad_norm"}
    assert set(first) == own | shared | {f"val_{name}" for name in shared}
    assert_array_equal(first["g_loss"], again["g_loss"])
    assert np.abs(np.subtract(first["g_loss"], other["g_loss"])).max() > 1e-6


def test_the_average_takes_its_statistics_from_all_classes():
    gan = small_gan(ema_decay=0.9)
    fit(gan)
    inputs = np.asarray(gan.typical_inputs(1024))
    assert_allclose(inputs[:, LATENT:].mean(axis=0), 1 / CLASSES)
    expected = 0.5 + 0.5 * np.asarray(gan.ema_generator.network(inputs, training=True))
    drawn = gan.generate(inputs[:, :LATENT], np.arange(1024) % CLASSES)
    assert_allclose(drawn, expected, atol=1e-4)
    assert np.abs(gan.sample(LABELS, 1) - gan.sample(LABELS, 1, averaged=False)).max() > 1e-4


def test_a_generator_learns_to_draw_the_class_asked_for():
    """Two classes that differ in brightness alone."""
    labels = np.arange(400) % 2
    images = np.broadcast_to(0.2 + 0.6 * labels[:, None], (400, 2)).astype("float32").reshape(400, 2, 1, 1)
    generator = models.dense_generator((16,), 4, image_shape=(2, 1, 1))
    x = keras.Input((4,))
    h = keras.layers.Dense(16, activation="relu")(x)
    gan = small_gan((generator, keras.Model(x, keras.layers.Dense(1)(h))))
    training.fit(gan, (images, labels), epochs=12, batch_size=20)
    dark, light = (gan.sample([label] * 100).mean() for label in (0, 1))
    assert light - dark > 0.3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (IMAGES, r"a pair \(images, labels\)"),
        ((IMAGES, LABELS + 1), "labels run from 1 to 4"),
        ((IMAGES * 2, LABELS), r"\[0, 1\] was expected"),
        ((IMAGES[:, :5], LABELS), r"\(n, 6, 6, 1\) was expected"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        training.fit(small_gan(), data, epochs=1)


def test_networks_without_room_for_the_label_are_refused():
    generator, discriminator = pair()
    with pytest.raises(ValueError, match="Flattened pixels and a one-hot label"):
        models.ConditionalGAN(generator, models.conv_discriminator(SHAPE, filters=(2,)))
    with pytest.raises(ValueError, match="takes more than the label"):
        models.ConditionalGAN(models.dense_generator((2,), CLASSES, image_shape=SHAPE), discriminator)
    with pytest.raises(ValueError, match="gradient_penalty is not for a conditional GAN"):
        models.ConditionalGAN(generator, discriminator, gradient_penalty=1.0)


def test_noise_and_labels_are_checked():
    gan = small_gan()
    with pytest.raises(ValueError, match=r"\(batch, 3\) was expected"):
        gan.generate(np.zeros((2, 4)), [0, 1])
    with pytest.raises(ValueError, match="labels run from 7"):
        gan.generate(np.zeros((1, LATENT)), [7])
    with pytest.raises(ValueError, match="one a row"):
        gan.generate(np.zeros((2, LATENT)), [1])
