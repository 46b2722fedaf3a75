"""fit: same seed same history, resume as if never stopped, errors that say what to do."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from labkit import losses, models, training
from labkit.models import fast_layers
from labkit.reports.record import facts_of, read_facts
from labkit.training import batches, checkpoints, precision, rewriting, roads, steps

IMAGES = np.random.default_rng(0).random((40, 6, 6, 1), dtype="float32")


def small_vae(learning_rate=1e-2, beta=1.0, activation="relu", seed=0, nll=losses.bernoulli_nll):
    encoder = models.dense_encoder((8,), 2, image_shape=(6, 6, 1), seed=seed)
    encoder.get_layer("hidden_1").activation = keras.activations.get(activation)
    vae = models.VAE(encoder, models.dense_decoder((8,), 2, image_shape=(6, 6, 1)), beta, nll)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate))
    return vae


def small_conv_vae(**options):
    networks = (
        models.conv_encoder((3, 3), 2, image_shape=(6, 6, 1)),
        models.conv_decoder((3, 3), 2, image_shape=(6, 6, 1)),
    )
    vae = models.VAE(*networks, **options)
    vae.compile(optimizer=keras.optimizers.Adam(1e-2))
    return vae


def fit(vae, epochs=4, **options):
    return training.fit(vae, IMAGES, IMAGES[:10], epochs=epochs, batch_size=8, **options)


def test_same_seed_same_history_other_seed_another():
    first, again, other = fit(small_vae()), fit(small_vae()), fit(small_vae(), seed=1)
    assert_array_equal(first["loss"], again["loss"])
    assert np.abs(np.subtract(first["loss"], other["loss"])).max() > 1e-4


def test_history_has_a_row_an_epoch_and_the_test_losses():
    history = fit(small_vae())
    assert history["epoch"] == [1, 2, 3, 4]
    assert {"loss", "kl_loss", "reconstruction_loss", "val_loss", "seconds"} <= set(history)
    assert all(len(values) == 4 for values in history.values())


def test_an_interrupted_run_ends_with_the_same_history_and_weights(tmp_path, killed_at):
    whole = small_vae()
    expected = fit(whole)
    with pytest.raises(KeyboardInterrupt):
        fit(small_vae(), out=tmp_path, callbacks=[killed_at(2)])
    resumed, begun = small_vae(), []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    history = fit(resumed, out=tmp_path, resume=True, callbacks=[note])
    assert begun == [2, 3]
    for name in ("epoch", "loss", "kl_loss", "val_loss"):
        assert_array_equal(history[name], expected[name], err_msg=name)
    for mine, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        assert_array_equal(mine, theirs)


def test_a_run_that_goes_on_from_a_checkpoint_says_what_lay_before_it(tmp_path, killed_at, monkeypatch):
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path / "run"))
    facts = lambda: facts_of(read_facts(tmp_path / "run" / "facts.jsonl")[0], "resumed")  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        fit(small_vae(), out=tmp_path / "vae", callbacks=[killed_at(2)])
    assert facts() == []
    history = fit(small_vae(), out=tmp_path / "vae", resume=True)
    assert facts() == [{"epochs": 2, "seconds": sum(history["seconds"][:2])}]
    fit(small_vae(seed=1), out=tmp_path / "vae", resume=True)  # another run's checkpoint
    assert len(facts()) == 1


def test_every_step_s_transform_has_a_seed_of_its_own_and_the_same_after_a_resume():
    def seeds(first_epoch):
        pairs = np.zeros((40, 2), "int32")
        found = batches.training_batches(pairs, 8, 3, first_epoch, 4, lambda batch, seed: batch + seed)
        return [tuple(batch.numpy()[0]) for batch in found]

    assert len(set(seeds(0))) == 4 * 5
    assert seeds(2) == seeds(0)[2 * 5 :]


def test_dynamic_binarization_is_white_as_often_as_the_pixel_is_grey():
    grey = np.tile(np.array([0.0, 0.2, 0.7, 1.0], "float32"), (20_000, 1))
    white = training.dynamic_binarization(grey, [1, 2]).numpy()
    assert set(np.unique(white)) == {0.0, 1.0}
    error = np.sqrt(grey[0] * (1 - grey[0]) / len(grey))
    assert np.all(np.abs(white.mean(axis=0) - grey[0]) <= 4 * error)  # 0 and 1 are exact
    assert_array_equal(white, training.dynamic_binarization(grey, [1, 2]))
    assert np.any(white != training.dynamic_binarization(grey, [1, 3]))


def test_a_transform_changes_training_images_and_neither_the_test_images_nor_a_resume(tmp_path, killed_at):
    options = {"transform": training.dynamic_binarization}
    grey, black_and_white = fit(small_vae(learning_rate=1e-9)), fit(small_vae(learning_rate=1e-9), **options)
    assert_allclose(black_and_white["val_loss"], grey["val_loss"], rtol=1e-5)
    assert np.abs(np.subtract(black_and_white["loss"], grey["loss"])).min() > 1e-4
    expected = fit(small_vae(), **options)
    with pytest.raises(KeyboardInterrupt):
        fit(small_vae(), out=tmp_path, callbacks=[killed_at(2)], **options)
    resumed = fit(small_vae(), out=tmp_path, resume=True, **options)
    assert_array_equal(resumed["loss"], expected["loss"])
    other = fit(small_vae(), out=tmp_path, resume=True)
    assert_array_equal(other["loss"], fit(small_vae())["loss"])  # no checkpoint of another run


def test_what_is_measured_after_an_epoch_is_in_history_and_file(tmp_path):
    vae = small_vae()

    def mse():
        return {"mse": np.mean(np.square(IMAGES - vae.reconstruct(IMAGES)))}

    history = fit(vae, out=tmp_path, callbacks=[training.Measure(mse)])
    assert len(history["mse"]) == 4
    assert_allclose(history["mse"][-1], mse()["mse"], rtol=1e-5)
    with open(tmp_path / "history.csv", newline="") as file:
        assert_allclose([float(row["mse"]) for row in csv.DictReader(file)], history["mse"])


def test_measured_numbers_outlive_an_interruption(tmp_path, killed_at):
    epochs = iter(range(100))

    def measured():
        return training.Measure(lambda: {"number": next(epochs)})

    with pytest.raises(KeyboardInterrupt):
        fit(small_vae(), out=tmp_path, callbacks=[measured(), killed_at(2)])
    assert fit(small_vae(), out=tmp_path, resume=True, callbacks=[measured()])["number"] == [0, 1, 2, 3]


def test_a_finished_run_is_not_trained_again(tmp_path):
    vae = small_vae()
    history = fit(vae, out=tmp_path)
    weights = vae.get_weights()
    again = small_vae()
    assert fit(again, out=tmp_path, resume=True) == history
    for mine, theirs in zip(again.get_weights(), weights, strict=True):
        assert_array_equal(mine, theirs)


def test_resume_comes_from_the_environment_of_a_batch_run(tmp_path, monkeypatch):
    history = fit(small_vae(), out=tmp_path)
    monkeypatch.setenv("LABKIT_RESUME", "1")
    assert fit(small_vae(), out=tmp_path)["seconds"] == history["seconds"]
    monkeypatch.setenv("LABKIT_RESUME", "0")
    assert fit(small_vae(), out=tmp_path)["seconds"] != history["seconds"]


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 1e-3},
        {"beta": 2.0},
        {"activation": "tanh"},
        {"seed": 1},
        {"nll": losses.from_logits(losses.gaussian_nll)},
    ],
)
def test_a_checkpoint_of_another_run_is_not_taken(tmp_path, change):
    fit(small_vae(), out=tmp_path)
    assert_array_equal(
        fit(small_vae(**change), out=tmp_path, resume=True)["loss"], fit(small_vae(**change))["loss"]
    )


def test_a_checkpoint_that_cannot_be_read_is_warned_of_and_not_taken(tmp_path):
    history = fit(small_vae(), out=tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.warns(UserWarning, match="checkpoint.npz is not used: it cannot be read"):
        again = fit(small_vae(), out=tmp_path, resume=True)
    assert_array_equal(again["loss"], history["loss"])


def test_a_run_that_another_callback_stopped_early_is_finished(tmp_path):
    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    history = fit(small_vae(), out=tmp_path, callbacks=[Enough()])
    assert history["epoch"] == [1, 2]
    assert fit(small_vae(), out=tmp_path, resume=True) == history


def test_files_of_a_run_agree_with_its_history(tmp_path):
    vae = small_vae()
    history = fit(vae, out=tmp_path)
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert_allclose([float(row["val_loss"]) for row in rows], history["val_loss"])
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as saved:
        assert json.loads(str(saved["about"]))["epoch"] == 4
    assert (tmp_path / "best.weights.h5").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_best_weights_are_those_of_the_lowest_val_loss(tmp_path):
    class Ruin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                for variable in self.model.trainable_variables:
                    variable.assign(variable * 2)

    history = fit(small_vae(), out=tmp_path, callbacks=[Ruin()])
    lowest = int(np.argmin(history["val_loss"]))
    assert lowest < 3
    best, expected = small_vae(), small_vae()
    best.load_weights(tmp_path / "best.weights.h5")
    fit(expected, epochs=lowest + 1)
    for mine, theirs in zip(best.encoder.get_weights(), expected.encoder.get_weights(), strict=True):
        assert_array_equal(mine, theirs)


def test_every_image_is_seen_once_an_epoch_in_a_new_order():
    numbers = np.arange(12, dtype="float32").reshape(12, 1)
    seen = np.array(list(batches.training_batches(numbers, 4, seed=0, first_epoch=0, epochs=2)))
    first, second = seen.reshape(2, 12)
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(first) != list(second)


def test_order_of_an_epoch_does_not_depend_on_where_training_began():
    numbers = np.arange(12, dtype="float32").reshape(12, 1)
    from_start = np.array(list(batches.training_batches(numbers, 4, 0, 0, 3)))
    from_second = np.array(list(batches.training_batches(numbers, 4, 0, 1, 3)))
    assert_array_equal(from_start[3:], from_second)


@pytest.mark.parametrize("n", [1, 97, 400, 1000, 1001, 2003])
def test_validation_sees_every_image_once(n):
    seen = np.concatenate(list(batches.whole_batches(np.arange(n))))
    assert_array_equal(seen, np.arange(n))


def test_nan_loss_stops_with_what_to_try(tmp_path):
    vae = small_vae()
    vae.encoder.layers[-1].bias.assign(np.full(2, np.nan))
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 5.*lower learning rate"):
        fit(vae, out=tmp_path)
    assert not (tmp_path / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (IMAGES[:0], {}, "holds no images"),
        (np.full_like(IMAGES, np.nan), {}, "NaN or infinite"),
        (IMAGES, {"epochs": 0}, "epochs is 0"),
        (IMAGES, {"batch_size": 2.5}, "batch_size is 2.5"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        training.fit(small_vae(), x, **{"epochs": 1, **options})


def test_fewer_images_than_a_batch_make_one_batch():
    assert len(training.fit(small_vae(), IMAGES[:5], epochs=2, batch_size=128)["loss"]) == 2


# ---- The road


AMPERE, VOLTA = (8, 0), (7, 0)  # compute capabilities: with bfloat16 and without


def road(model, images=10**6, flags=(), gpus=(), batch_size=128, **options):
    return roads.choose_road(model, images, batch_size, 400_000, flags=flags, gpus=gpus, **options)


def conv_model():
    return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3)])


def test_xla_is_for_runs_of_dense_models_that_are_long_enough_and_for_gpus():
    assert road(small_vae()).xla
    assert not road(small_vae(), images=1000).xla
    assert not road(conv_model()).xla
    assert road(conv_model(), gpus=[VOLTA]).xla


def test_bfloat16_is_for_convolutions_on_a_processor_that_has_it():
    for flags in ({"avx512_bf16", "avx2"}, {"amx_bf16"}):
        assert road(conv_model(), flags=flags).precision == "bfloat16"
        assert road(small_vae(), flags=flags).precision == "float32"
    for flags in ({"avx2", "avx512f"}, ()):
        assert road(conv_model(), flags=flags).precision == "float32"
        assert road(conv_model(), flags=flags, precision="bfloat16").precision == "float32"


def test_bfloat16_is_for_convolutions_and_large_dense_layers_on_a_gpu_that_has_it():
    large = keras.Sequential([keras.Input((512,)), keras.layers.Dense(512), keras.layers.Dense(1)])
    for model, gpus, expected in (
        (conv_model(), [AMPERE], "bfloat16"),
        (large, [AMPERE], "bfloat16"),
        (small_vae(), [AMPERE], "float32"),
        (conv_model(), [VOLTA], "float32"),
        (conv_model(), [AMPERE, VOLTA], "float32"),
    ):
        assert road(model, gpus=gpus).precision == expected
    assert road(conv_model(), gpus=[AMPERE], precision="float32").precision == "float32"


def test_several_gpus_share_batches_that_are_large_enough_and_divide():
    gpus = [AMPERE] * 4
    vae = small_conv_vae()
    assert road(vae, gpus=gpus, batch_size=256).gpus == 4
    assert road(vae, gpus=gpus, batch_size=128).gpus == 2
    assert road(vae, gpus=gpus, batch_size=127).gpus == 1
    assert road(vae, gpus=[]).gpus == 0
    assert road(small_vae(), gpus=gpus).gpus == 1  # no convolutions
    assert road(conv_model(), gpus=gpus).gpus == 1  # of no class that says its settings
    several = road(vae, gpus=gpus)
    assert not several.xla and "2 GPUs share each batch" in str(several)


def test_precision_can_be_asked_for_by_argument_and_by_environment(monkeypatch):
    able = {"amx_bf16"}
    assert road(conv_model(), flags=able, precision="float32").precision == "float32"
    monkeypatch.setenv("LABKIT_PRECISION", "float32")
    assert road(conv_model(), flags=able).precision == "float32"
    assert "float32 was asked for" in str(road(conv_model(), flags=able))
    assert road(conv_model(), flags=able, precision="bfloat16").precision == "bfloat16"
    with pytest.raises(ValueError, match="did you mean 'bfloat16'"):
        road(conv_model(), precision="float16x")


def test_flags_are_read_as_linux_lists_them(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor : 0\nflags\t\t: fpu avx2 amx_bf16\n")
    assert roads.cpu_flags(path) == {"fpu", "avx2", "amx_bf16"}
    assert roads.cpu_flags(tmp_path / "none") == set()


@pytest.mark.parametrize("own", [{}, {"dependency_optimization": False}])
def test_rewriting_is_set_in_training_steps_alone(own):
    names = {"dependency_optimization": True, "auto_mixed_precision_onednn_bfloat16": False}

    def seen():
        options = tf.config.optimizer.get_experimental_options()
        return [options.get(name, usual) for name, usual in names.items()]

    tf.config.optimizer.set_experimental_options(names | own)
    try:
        before = seen()
        for bfloat16 in (True, False):
            with rewriting.rewriting(bfloat16):
                assert seen() == [False, bfloat16]
            assert seen() == before
    finally:
        tf.config.optimizer.set_experimental_options(names)


def test_layers_inside_layers_are_found():
    spectral = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 3))
    inner = keras.Sequential([keras.Input((6, 6, 1)), spectral])
    found = precision.all_layers(keras.Sequential([keras.Input((6, 6, 1)), inner]))
    assert spectral in found and spectral.layer in found


def test_a_run_says_which_road_it_took_and_with_how_many_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path))
    history = fit(small_vae())
    (fact,) = facts_of(read_facts(tmp_path / "facts.jsonl")[0], "training")
    assert fact["road"] == history.road
    assert fact["threads"] >= 1
    assert "too few for XLA" in history.road


# ---- bfloat16 as on a GPU


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU with bfloat16."""
    monkeypatch.setattr(roads, "gpu_capabilities", lambda: [AMPERE])
    steps._kept.clear()


@pytest.fixture
def gpu_by_graphs(gpu, monkeypatch):
    """The same without XLA, which takes a processor ten seconds for a model with convolutions."""
    monkeypatch.setattr(roads, "choose_compiler", lambda *args: (False, "a GPU"))


def test_heads_and_what_wraps_other_layers_stay_float32():
    names = lambda model: [layer.name for layer in precision.bears_bfloat16(model)]  # noqa: E731
    assert {"conv_1", "conv_2"} <= set(names(small_conv_vae()))
    assert not {"z_mean_map", "z_mean", "z_log_var_map", "z_log_var", "logits"} & set(names(small_conv_vae()))
    spectral = models.conv_discriminator((8, 8, 1), filters=(2,), spectral=True)
    assert names(spectral) == ["x", "conv_1", "conv_1_act", "dropout_1", "flatten"]
    assert "pixel_logits" not in names(models.dense_generator((8,), 2))  # whose last layers have no weights
    first = keras.layers.Dense(3, name="first")
    inside = keras.Sequential([keras.Input((2,)), first, models.dense_decoder((8,), 3)])
    assert names(inside) == ["first", "z", "hidden_1"]
    other = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, dtype="float64"), keras.layers.Dense(1)]
    )
    assert names(other) == []


def test_training_steps_on_a_gpu_compute_in_bfloat16_and_tests_in_float32(gpu, monkeypatch):
    seen, call = {}, keras.layers.Conv2D.call

    def note(layer, x):
        y = call(layer, x)
        seen.setdefault(layer.name, []).append(y.dtype.name)
        return y

    monkeypatch.setattr(keras.layers.Conv2D, "call", note)
    vae = small_conv_vae()
    policies = [layer.dtype_policy.name for layer in precision.all_layers(vae)]
    history = fit(vae)
    assert history.road.startswith("XLA, bfloat16") and history.road.endswith("a GPU")
    assert seen["conv_1"] == ["bfloat16", "float32"]  # traced once each: training, test
    assert seen["z_mean_map"] == ["float32", "float32"]
    assert vae.encode(IMAGES)[0].dtype == "float32"
    assert {variable.dtype for variable in vae.trainable_variables} == {"float32"}
    assert [layer.dtype_policy.name for layer in precision.all_layers(vae)] == policies


def test_a_history_in_bfloat16_is_near_that_in_float32(gpu_by_graphs):
    half, whole = fit(small_conv_vae()), fit(small_conv_vae(), precision="float32")
    assert half["loss"] != whole["loss"]
    for name in ("loss", "val_loss"):
        assert_allclose(half[name], whole[name], rtol=1e-3)


def test_an_interrupted_run_in_bfloat16_ends_with_the_same_history(gpu_by_graphs, tmp_path, killed_at):
    expected = fit(small_conv_vae())
    with pytest.raises(KeyboardInterrupt):
        fit(small_conv_vae(), out=tmp_path, callbacks=[killed_at(2)])
    resumed = fit(small_conv_vae(), out=tmp_path, resume=True)
    for name in ("loss", "kl_loss", "val_loss"):
        assert_array_equal(resumed[name], expected[name], err_msg=name)


def test_models_in_bfloat16_share_compiled_steps(gpu_by_graphs, traced):
    fit(small_conv_vae())
    fit(small_conv_vae(beta=3.0))
    assert len(traced) == 1


def test_weights_under_spectral_normalisation_are_not_rounded(gpu_by_graphs):
    discriminator = models.conv_discriminator((6, 6, 1), filters=(2,), spectral=True)
    generator = models.conv_generator(2, base=(3, 3, 2), filters=(2,), strides=(1, 2))
    gan = models.GAN(generator, discriminator, gradient_penalty=1.0)
    gan.compile()
    training.fit(gan, IMAGES, epochs=1, batch_size=8)
    for kernel in (w.numpy() for w in discriminator.trainable_variables):
        rounded = tf.cast(tf.cast(kernel, "bfloat16"), "float32").numpy()
        assert kernel.ndim < 2 or np.any(kernel != rounded)


# ---- Steps that models share


@pytest.fixture
def traced(monkeypatch):
    """How often training steps were traced, from no steps kept on."""
    steps._kept.clear()
    counts = []
    whole = steps.Steps.run_steps
    monkeypatch.setattr(steps.Steps, "run_steps", lambda *args: counts.append(1) or whole(*args))
    return counts


def test_models_of_one_kind_are_compiled_once_whatever_their_seed_beta_and_learning_rate(traced):
    for change in ({}, {"seed": 1}, {"beta": 3.0}, {"learning_rate": 1e-3}):
        fit(small_vae(**change))
    assert len(traced) == 1
    for change in ({"activation": "tanh"}, {"nll": losses.from_logits(losses.gaussian_nll)}):
        fit(small_vae(**change))
    assert len(traced) == 3


@pytest.mark.parametrize("change", [{"seed": 1}, {"beta": 3.0}, {"learning_rate": 1e-3}])
def test_shared_steps_change_no_result(change):
    steps._kept.clear()
    expected, alone = small_vae(**change), fit(small_vae(**change))
    fit(expected)
    steps._kept.clear()
    first, second = small_vae(), small_vae(**change)
    history = fit(first, epochs=2)
    weights = first.get_weights()
    assert_array_equal(fit(second)["loss"], alone["loss"])
    assert_array_equal(second.get_weights()[0], expected.get_weights()[0])
    for mine, before in zip(first.get_weights(), weights, strict=True):
        assert_array_equal(mine, before)
    assert len(history["loss"]) == 2


def test_layers_of_one_name_and_two_modules_are_two_kinds():
    described = {
        describe(layer)[0]
        for describe in (steps.describe, checkpoints.describe)
        for layer in (keras.layers.Dropout(0.3), fast_layers.Dropout(0.3))
    }
    assert len(described) == 2


def test_a_class_that_does_not_say_its_settings_shares_with_none(traced):
    class Own(models.VAE):
        pass

    for _ in range(2):
        own = Own(small_vae().encoder, small_vae().decoder)
        own.compile(keras.optimizers.Adam(1e-2))
        fit(own)
    assert len(traced) == 2


def test_a_model_changed_since_is_traced_again(traced):
    vae = small_vae()
    fit(vae)
    vae.nll = losses.from_logits(losses.gaussian_nll)
    fit(small_vae())
    assert len(traced) == 2


def test_a_new_optimizer_of_the_same_model_is_the_one_that_moves():
    vae = small_vae()
    fit(vae)
    vae.compile(optimizer=keras.optimizers.Adam(1e-2))
    fit(vae)
    assert int(vae.optimizer.iterations) == 4 * 5


def test_a_callback_may_change_beta_while_training():
    still, warming = small_vae(beta=0.0), small_vae(beta=0.0)

    def warm_up(epoch, logs):
        warming.beta = 1.0 * epoch

    expected = fit(still)
    history = fit(warming, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=warm_up)])
    assert history["loss"][0] == expected["loss"][0]
    total = np.add(history["reconstruction_loss"], np.arange(4) * history["kl_loss"])
    assert_allclose(history["loss"], total, rtol=1e-5)


def test_a_callback_between_batches_sees_and_changes_its_own_model(monkeypatch):
    monkeypatch.setattr(roads, "MOST_STEPS", 1)
    fit(small_vae())  # whose compiled steps serve the next
    vae, seen = small_vae(seed=1), []

    def look(batch, logs):
        seen.append((int(vae.optimizer.iterations), vae.encoder.get_weights()[0].copy()))
        vae.optimizer.learning_rate = 0.0

    fit(vae, epochs=1, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=look)])
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5]
    assert_array_equal(seen[0][1], seen[-1][1])  # the rate was 0 from the second step on


def test_few_kinds_are_kept(traced, monkeypatch):
    monkeypatch.setattr(steps, "MOST_KEPT", 2)
    for units in range(1, 5):
        encoder = models.dense_encoder((units,), 2, image_shape=(6, 6, 1))
        model = models.VAE(encoder, models.dense_decoder((8,), 2, image_shape=(6, 6, 1)))
        model.compile(keras.optimizers.Adam())
        fit(model, epochs=1)
    assert len(steps._kept) == 2


def test_fifty_epochs_are_traced_once(traced):
    fit(small_vae(), epochs=50)
    assert len(traced) == 1


def test_xla_and_tensorflow_s_graphs_agree():
    images = np.tile(IMAGES, (10, 1, 1, 1))
    by_graph = training.fit(small_vae(), images, epochs=2, batch_size=8)
    by_xla = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roads, "XLA_PAYS_FROM_IMAGES", 0)
        by_xla = training.fit(small_vae(), images, epochs=2, batch_size=8)
    assert by_xla.road.startswith("XLA") and not by_graph.road.startswith("XLA")
    # Other noise: XLA's generator is not TensorFlow's, so the curves agree and the bits do not.
    assert_allclose(by_xla["loss"], by_graph["loss"], rtol=0.02)
