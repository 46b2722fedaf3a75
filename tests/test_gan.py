"""GANs: each step moves one network, averages and penalties agree with their formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from labkit import models, training
from labkit.models import averaging
from labkit.training import checkpoints, roads

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).random((40, *SHAPE), dtype="float32")


def small_generator(seed=0):
    """Noise of 3 → 2×2×2 → 6×6×1, with batch normalisation."""
    return models.conv_generator(3, base=(2, 2, 2), filters=(2,), strides=(1, 3), kernel_size=3, seed=seed)


def dense_pair(**options):
    return (
        models.dense_generator((8,), 3, image_shape=SHAPE),
        models.dense_discriminator((8,), image_shape=SHAPE, **options),
    )


def small_gan(learning_rate=1e-2, networks=None, **options):
    """A GAN of tiny dense networks, or of those given, compiled."""
    gan = models.GAN(*(networks or dense_pair()), **options)
    gan.compile(keras.optimizers.Adam(learning_rate), keras.optimizers.Adam(learning_rate))
    return gan


def stateful_gan(**options):
    """A GAN whose networks hold all that has state: BN, dropout, spectral norms."""
    discriminator = models.conv_discriminator(SHAPE, filters=(2,), kernel_size=3, dropout=0.3, spectral=True)
    return small_gan(networks=(small_generator(), discriminator), **options)


def fit(gan, epochs=4, **options):
    return training.fit(gan, IMAGES, IMAGES[:10], epochs=epochs, batch_size=8, **options)


def assert_equal_weights(mine, theirs):
    for one, other in zip(mine, theirs, strict=True):
        assert_array_equal(one, other)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


# ---- Builders


def test_parameter_counts_of_fully_connected_networks():
    assert models.dense_generator((1024, 1024), 96).count_params() == 1_952_528
    assert models.dense_discriminator((256, 256), slope=0.01).count_params() == 267_009


def test_parameter_counts_of_the_report_s_dcgan():
    generator = models.conv_generator(
        96, dense=(1024,), base=(7, 7, 128), filters=(64,), strides=(2, 2), kernel_size=4, slope=0,
        norm="after",
    )  # fmt: skip
    discriminator = models.conv_discriminator(
        filters=(32, 64), strides=1, padding="valid", pool=2, dense=(1024,), slope=0.01, dropout=0
    )
    assert trainable(generator) == 6_675_009
    assert discriminator.count_params() == 1_102_721


def test_parameter_counts_and_maps_of_the_tutorial_s_dcgan():
    generator, discriminator = models.conv_generator(), models.conv_discriminator()
    assert generator.count_params() == 2_330_944
    assert discriminator.count_params() == 212_865
    maps = [layer.output.shape[1:] for layer in generator.layers if "Conv" in type(layer).__name__]
    assert maps == [(7, 7, 128), (14, 14, 64), (28, 28, 1)]


def test_discriminator_may_mirror_an_encoder():
    encoder = models.dense_encoder((256,), 1, gaussian=False)
    assert models.dense_discriminator((256,), slope=0).count_params() == encoder.count_params()


def test_normal_initialisation_has_a_deviation_of_002_and_its_own_seed_a_layer():
    first, again, other = (models.conv_discriminator(seed=seed).get_weights() for seed in (1, 1, 2))
    assert_equal_weights(first, again)
    assert np.abs(first[2] - other[2]).max() > 0
    assert_allclose(first[2].std(), 0.02, rtol=4 / np.sqrt(2 * first[2].size))


def test_a_generator_s_logits_are_those_of_its_pixels():
    size = {"base": (2, 2, 2), "filters": (2,), "strides": (1, 3), "kernel_size": 3}
    pixels, logits = (models.conv_generator(3, **size, output=output) for output in ("tanh", "logits"))
    z = np.random.default_rng(0).standard_normal((5, 3), dtype="float32")
    assert_allclose(pixels(z), np.tanh(logits(z)), atol=1e-6)


def test_generators_make_pixels_in_minus_1_to_1():
    z = 10 * np.random.default_rng(0).standard_normal((5, 3), dtype="float32")
    for generator in (small_generator(), dense_pair()[0]):
        x_fake = np.asarray(generator(z))
        assert x_fake.shape == (5, *SHAPE)
        assert np.abs(x_fake).max() <= 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.conv_generator(0), "latent_dim is 0"),
        (lambda: models.conv_generator(strides=(2, 2)), "strides has 2 entries"),
        (lambda: models.conv_generator(norm="batch"), "norm is 'batch'"),
        (lambda: models.conv_generator(output="sigmoid"), "output is 'sigmoid'"),
        (lambda: models.conv_discriminator(filters=(64, 0)), r"filters\[1\] is 0"),
        (lambda: models.dense_discriminator((-1,)), r"hidden\[0\] is -1"),
        (lambda: models.dense_discriminator(initializer="xavier"), "initializer is 'xavier'"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# ---- What a GAN is given


def test_networks_that_do_not_fit_are_refused_with_both_shapes():
    generator, discriminator = dense_pair()
    with pytest.raises(ValueError, match=r"\(28, 28, 1\).*\(6, 6, 1\)"):
        models.GAN(models.dense_generator((8,), 3), discriminator)
    with pytest.raises(ValueError, match="one logit"):
        models.GAN(generator, models.dense_encoder((8,), 2, gaussian=False, image_shape=SHAPE))
    sigmoid = keras.Sequential([discriminator, keras.layers.Dense(1, activation="sigmoid")])
    with pytest.raises(ValueError, match="leave it out"):
        models.GAN(generator, sigmoid)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "least_square"}, "did you mean 'least_squares'"),
        ({"output": "sigmoid"}, "'tanh' or 'logits'"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"label_smoothing": 0.1, "loss": "hinge"}, "no target to smooth"),
        ({"gradient_penalty": -1.0}, "at least 0"),
        ({"r1": -1.0}, "r1 is -1.0"),
        ({"d_steps": 0}, "d_steps is 0"),
        ({"update": "both"}, "'alternating' or 'simultaneous'"),
        ({"update": "simultaneous", "d_steps": 2}, "one step of each"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.GAN(*dense_pair(), **options)


def test_one_optimizer_for_both_networks_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="each network needs its own"):
        models.GAN(*dense_pair()).compile(adam, adam)


@pytest.mark.parametrize(
    ("images", "message"), [(IMAGES[:, :5], r"5, 6, 1\)"), (IMAGES * 2 - 1, r"\[0, 1\]")]
)
def test_images_of_another_shape_or_range_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        training.fit(small_gan(), images, epochs=1)


def test_noise_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"\(batch, 3\) was expected"):
        models.GAN(*dense_pair()).generate(np.zeros((2, 4)))


# ---- Steps


def test_each_step_leaves_the_other_network_bit_equal():
    gan = stateful_gan()
    x_real = ops.convert_to_tensor(2 * IMAGES - 1)
    generator, discriminator = gan.generator.get_weights(), gan.discriminator.get_weights()
    gan.generator_step(20)
    assert_equal_weights(gan.discriminator.get_weights(), discriminator)
    assert np.abs(gan.generator.get_weights()[0] - generator[0]).max() > 0
    before = [v.numpy() for v in gan.generator.trainable_variables]
    gan.discriminator_step(x_real)
    assert_equal_weights([v.numpy() for v in gan.generator.trainable_variables], before)
    assert np.abs(gan.discriminator.get_weights()[0] - discriminator[0]).max() > 0


def test_the_discriminator_s_gradient_is_that_of_its_loss():
    generator, discriminator = dense_pair()
    gan = models.GAN(generator, discriminator)
    gan.compile(d_optimizer=keras.optimizers.SGD(1.0))
    x_real = ops.convert_to_tensor(2 * IMAGES - 1)
    x_fake = models.GAN(generator, discriminator).fakes(40, training=True)  # the same seed, so the same
    kernel = discriminator.layers[-1].kernel
    before = kernel.numpy()
    h = keras.Model(discriminator.input, discriminator.layers[-2].output)
    real = ops.sigmoid(discriminator(x_real)) - 1.0
    fake = ops.sigmoid(discriminator(x_fake))
    expected = (ops.transpose(h(x_real)) @ real + ops.transpose(h(x_fake)) @ fake) / 40.0
    gan.discriminator_step(x_real)
    assert_allclose(before - kernel.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", ["non_saturating", "minimax", "least_squares", "hinge", "wasserstein"])
def test_history_has_both_networks_losses_scores_and_gradient_norms(loss):
    gan = small_gan(loss=loss, gradient_penalty=1.0 if loss == "wasserstein" else 0.0)
    history = fit(gan, epochs=1)
    shared = {"d_loss", "g_loss", "d_real", "d_fake"}
    expected = {
        "epoch",
        "seconds",
        "d_grad_norm",
        "g_grad_norm",
        *shared,
        *(f"val_{name}" for name in shared),
    }
    assert set(history) == expected
    assert np.isfinite([values[-1] for values in history.values()]).all()


def test_scores_are_probabilities_under_cross_entropy_and_raw_elsewhere():
    for loss, expected in (("non_saturating", 0.5), ("least_squares", 0.0)):
        gan = models.GAN(*dense_pair(), loss=loss)
        gan.discriminator.layers[-1].kernel.assign(np.zeros((8, 1)))  # every logit is 0
        gan.discriminator_loss(ops.convert_to_tensor(IMAGES), gan.fakes(40, False), training=False)
        assert_allclose(gan.trackers["d_real"].result(), expected)
        assert_allclose(gan.trackers["d_fake"].result(), expected)


class MeanPixel(keras.layers.Layer):
    """A discriminator's output that is the mean of the pixels it was given."""

    def call(self, x):
        return ops.mean(x, axis=(1, 2))  # (batch, 1)


@pytest.mark.parametrize(("pixel", "seen"), [(0.0, -1.0), (0.5, 0.0), (1.0, 1.0)])
def test_the_discriminator_sees_real_pixels_in_minus_1_to_1(pixel, seen):
    discriminator = keras.Sequential([keras.Input(SHAPE), MeanPixel()])
    gan = models.GAN(dense_pair()[0], discriminator, loss="least_squares")
    gan.compile()
    logs = gan.test_step(ops.full((5, *SHAPE), pixel))
    assert_allclose(logs["d_real"], seen, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"spectral": True}])
def test_one_pass_over_real_and_fake_gives_what_two_passes_give(options):
    gan = small_gan(networks=dense_pair(**options))
    x_real, x_fake = (ops.convert_to_tensor(2 * IMAGES[i : i + 20] - 1) for i in (0, 20))
    assert models.gan.one_by_one(gan.discriminator)
    real, fake = gan.discriminate(x_real, x_fake, training=False)
    assert_allclose(real, gan.discriminator(x_real), atol=1e-5)
    assert_allclose(fake, gan.discriminator(x_fake), atol=1e-5)


def test_batch_normalisation_sees_real_and_fake_images_apart():
    h = keras.layers.BatchNormalization()(keras.layers.Flatten()(x := keras.Input(SHAPE)))
    gan = models.GAN(dense_pair()[0], keras.Model(x, keras.layers.Dense(1)(h)))
    white, black = ops.ones((8, *SHAPE)), -ops.ones((8, *SHAPE))
    real, fake = gan.discriminate(white, black, training=True)
    assert_allclose(real, fake, atol=1e-5)  # each is normalised to 0


def test_a_simultaneous_update_is_the_two_gradients_of_one_pass():
    """Both networks move by their own loss's gradient at the weights from before the step."""
    gan = models.GAN(*dense_pair(), update="simultaneous")
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    x_real = ops.convert_to_tensor(2 * IMAGES - 1)
    state = gan.seed_generator.state.numpy()
    x_fake = gan.fakes(40, training=True)
    gan.seed_generator.state.assign(state)
    with tf.GradientTape(persistent=True) as tape:
        fake = gan.discriminator(x_fake)
        d_loss = ops.mean(ops.softplus(-gan.discriminator(x_real)) + ops.softplus(fake))
    d_gradients = tape.gradient(d_loss, gan.discriminator.trainable_variables)
    gan.seed_generator.state.assign(state)
    with tf.GradientTape() as tape:
        g_loss = ops.mean(ops.softplus(-gan.discriminator(gan.fakes(40, training=True))))
    g_gradients = tape.gradient(g_loss, gan.generator.trainable_variables)
    gan.seed_generator.state.assign(state)
    variables = [*gan.discriminator.trainable_variables, *gan.generator.trainable_variables]
    before = [v.numpy() for v in variables]
    gan.train_step(IMAGES)
    for variable, old, gradient in zip(variables, before, [*d_gradients, *g_gradients], strict=True):
        assert_allclose(variable, old - 0.1 * gradient.numpy(), atol=1e-6)


def test_gans_of_one_kind_share_their_steps_and_differ_by_seed():
    first, second, again = (fit(small_gan(ema_decay=0.9, seed=seed)) for seed in (0, 1, 0))
    assert_array_equal(first["g_loss"], again["g_loss"])
    assert np.abs(np.subtract(first["g_loss"], second["g_loss"])).max() > 1e-5


def test_more_steps_of_the_discriminator():
    gan = small_gan(d_steps=3)
    fit(gan, epochs=1)
    assert int(gan.d_optimizer.iterations) == 3 * int(gan.g_optimizer.iterations) == 15


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_nan_in_either_network_stops_the_run(network):
    gan = small_gan()
    bias = getattr(gan, network).trainable_variables[-1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(FloatingPointError, match=r"d_loss.*lower learning rate"):
        fit(gan)


# ---- Gradient penalty


def test_penalty_of_a_linear_critic_is_that_of_its_slope():
    w = np.array([[3.0], [4.0]], "float32")
    x_real, x_fake = tf.constant([[1.0, 0.0], [2.0, 5.0]]), tf.constant([[0.0, 1.0], [1.0, 1.0]])
    penalty = models.gradient_penalty(lambda x: x @ w, x_real, x_fake, tf.constant([[0.3], [0.9]]))
    assert_allclose(penalty, [16.0, 16.0], rtol=1e-5)  # (5 − 1)²


def test_penalty_is_taken_between_the_real_and_the_fake():
    x_real, x_fake = tf.constant([[1.0], [1.0]]), tf.constant([[0.0], [0.0]])
    penalty = models.gradient_penalty(lambda x: x**2, x_real, x_fake, tf.constant([[0.25], [1.0]]))
    assert_allclose(penalty, [(2 * 0.25 - 1) ** 2, 1.0], rtol=1e-4)


def test_penalty_of_a_flat_critic_has_a_finite_gradient():
    w = tf.Variable([[0.0], [0.0]])
    with tf.GradientTape() as tape:
        x = tf.ones((2, 2))
        penalty = tf.reduce_sum(models.gradient_penalty(lambda x: x @ w, x, x, tf.ones((2, 1))))
    assert_allclose(penalty, 2.0, rtol=1e-4)
    assert np.isfinite(tape.gradient(penalty, w)).all()


def test_r1_adds_half_its_weight_times_the_squared_slope_at_real_images():
    gan, plain = models.GAN(*dense_pair(), r1=3.0), models.GAN(*dense_pair())
    x_real, x_fake = (ops.convert_to_tensor(2 * IMAGES[i : i + 20] - 1) for i in (0, 20))
    losses = [g.discriminator_loss(x_real, x_fake, training=True) for g in (gan, plain)]
    slopes = models.squared_slope(plain.discriminator, x_real)
    assert slopes.shape == (20,)
    assert_allclose(losses[0] - losses[1], 1.5 * np.mean(slopes), rtol=1e-4)


def test_a_squared_slope_is_that_of_the_formula():
    x = tf.constant([[1.0, 2.0], [0.0, -3.0]])
    slopes = models.squared_slope(lambda x: tf.reduce_sum(x**2, axis=1, keepdims=True), x)
    assert_allclose(slopes, 4 * np.sum(np.square(x), axis=1), rtol=1e-5)


# ---- Average of the generator


def test_average_follows_its_closed_form():
    generator, _ = dense_pair()
    average = models.AveragedGenerator(generator, 0.5)
    values, weight = [generator.get_weights()[0]], generator.weights[0]
    for step in range(8, 11):  # (1 + 8) / (10 + 8) = ½, so from here on the decay is ½
        weight.assign(values[0] + step)
        values.append(weight.numpy())
        average.update_average(generator, step)
    expected = values[0] / 8 + values[1] / 8 + values[2] / 4 + values[3] / 2
    assert_allclose(average.network.get_weights()[0], expected, rtol=1e-5)


def test_average_begins_with_a_small_decay():
    generator, _ = dense_pair()
    average = models.AveragedGenerator(generator, 0.999)
    before = generator.get_weights()[0]
    generator.weights[0].assign(before + 1.0)
    average.update_average(generator, 1)
    assert_allclose(average.network.get_weights()[0], before + 9 / 11, rtol=1e-5)


@pytest.mark.parametrize(("pixels", "images"), [(36 * 7 + 1, 7), (2**20, 1024)])
def test_images_come_from_the_average_with_statistics_of_its_own(monkeypatch, pixels, images):
    """They are taken from 1,024 images, or from fewer where these are large."""
    monkeypatch.setattr(averaging, "MOST_PIXELS", pixels)
    gan = stateful_gan(ema_decay=0.9)
    fit(gan, epochs=2)
    z = keras.random.normal((images, 3), seed=0)
    in_training_mode = 0.5 + 0.5 * np.asarray(gan.ema_generator.network(z, training=True))
    assert_allclose(gan.generate(z), in_training_mode, atol=1e-4)


def test_images_come_from_the_weights_of_the_last_step_where_that_is_asked_for():
    gan = stateful_gan(ema_decay=0.9)
    fit(gan, epochs=2)
    z = keras.random.normal((5, 3), seed=0)
    last = 0.5 + 0.5 * np.asarray(gan.generator(z, training=False))
    assert_allclose(gan.generate(z, averaged=False), last, atol=1e-6)
    assert np.abs(gan.generate(z) - last).max() > 1e-3
    assert_allclose(gan.sample(4, seed=5, averaged=False), gan.sample(4, 5, False))


def test_images_are_the_same_for_the_same_noise_whatever_was_drawn_before():
    gan = small_gan(ema_decay=0.9)
    fit(gan, epochs=1)
    first = gan.sample(3, seed=5)
    gan.sample(7, seed=6)
    assert_array_equal(gan.sample(3, seed=5), first)
    assert first.shape == (3, *SHAPE)
    assert first.min() >= 0 and first.max() <= 1


def test_a_vae_s_decoder_is_a_generator():
    decoder = models.dense_decoder((8,), 3, image_shape=SHAPE)
    gan = models.GAN(decoder, dense_pair()[1], output="logits")
    z = np.random.default_rng(0).standard_normal((5, 3), dtype="float32")
    assert_allclose(gan.generate(z), ops.sigmoid(decoder(z)), atol=1e-6)


# ---- Runs


def test_same_seed_same_history():
    first, again, other = fit(small_gan()), fit(small_gan()), fit(small_gan(seed=1))
    assert_array_equal(first["g_loss"], again["g_loss"])
    assert np.abs(np.subtract(first["g_loss"], other["g_loss"])).max() > 1e-5


def test_an_interrupted_run_ends_like_one_that_was_not(tmp_path, killed_at):
    def make():
        gan = stateful_gan(ema_decay=0.9, loss="wasserstein", gradient_penalty=1.0, r1=1.0)
        return gan, training.SampleEvery(gan.generate, np.ones((2, 3), "float32"))

    whole, expected_images = make()
    expected = fit(whole, callbacks=[expected_images])
    killed, images = make()
    with pytest.raises(KeyboardInterrupt):
        fit(killed, out=tmp_path, callbacks=[images, killed_at(2)])
    resumed, images = make()
    history = fit(resumed, out=tmp_path, resume=True, callbacks=[images])
    for name in set(expected) - {"seconds"}:
        assert_array_equal(history[name], expected[name], err_msg=name)
    for mine, theirs in zip(
        checkpoints.state_variables(resumed), checkpoints.state_variables(whole), strict=True
    ):
        assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=mine.name)
    assert list(images.images) == [0, 1, 2, 3, 4]
    for epoch, array in expected_images.images.items():
        assert_array_equal(images.images[epoch], array)
    assert_array_equal(images.images[4], resumed.generate(images.z))


def test_a_finished_run_gives_back_its_images(tmp_path):
    gan = small_gan()
    history = fit(gan, out=tmp_path, callbacks=[kept := training.SampleEvery(gan.sample, 2, epochs=3)])
    assert list(kept.images) == [0, 3, 4]
    again = training.SampleEvery(gan.sample, 2, epochs=3)
    assert fit(small_gan(), out=tmp_path, resume=True, callbacks=[again]) == history
    assert_array_equal(again.images[3], kept.images[3])


@pytest.mark.parametrize("change", ["generator", "loss"])
def test_a_checkpoint_of_another_gan_is_not_taken(tmp_path, change):
    fit(small_gan(), out=tmp_path, epochs=1)
    other = small_gan(loss="minimax" if change == "loss" else "non_saturating")
    if change == "generator":
        other.generator.set_weights([weight + 0.01 for weight in other.generator.get_weights()])
    history = fit(other, out=tmp_path, epochs=1, resume=True)
    assert int(other.g_optimizer.iterations) == 5
    assert len(history["epoch"]) == 1


def test_xla_is_not_for_gans_with_any_convolution():
    gan = small_gan(networks=(small_generator(), dense_pair()[1]))
    assert not roads.choose_road(gan, 10**6, 128, 400_000, flags=(), gpus=()).xla
