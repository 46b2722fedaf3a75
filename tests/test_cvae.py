"""The conditional VAE: its loss, its labels, its priors, and what it is when it ignores them."""

import keras
import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from labkit import losses, metrics, models, training
from labkit.training import batches, steps

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).random((40, *SHAPE), dtype="float32")
LABELS = np.random.default_rng(1).integers(0, 4, 40)


def small_cvae(beta=1.0, **options):
    cvae = models.dense_cvae((8, 7, 6), 2, n_classes=4, image_shape=SHAPE, beta=beta, **options)
    cvae.compile(optimizer=keras.optimizers.Adam(1e-2))
    return cvae


def fit(cvae, **options):
    data, val = (IMAGES, LABELS), (IMAGES[:10], LABELS[:10])
    return training.fit(cvae, data, val, **{"epochs": 3, "batch_size": 8, **options})


def test_label_joins_the_flattened_image_and_the_code():
    cvae = models.dense_cvae((400, 300, 200), 15)
    assert cvae.encoder.input_shape == (None, 784 + 10)
    assert cvae.decoder.input_shape == (None, 15 + 10)
    dense = [layer for layer in cvae.encoder.layers if layer.name.startswith("hidden")]
    assert [layer.units for layer in dense] == [400, 300, 200]
    joined = np.asarray(small_cvae().join(keras.ops.convert_to_tensor(IMAGES[:3]), LABELS[:3]))
    assert_array_equal(joined, np.hstack([IMAGES[:3].reshape(3, -1), np.eye(4)[LABELS[:3]]]))


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_loss_is_the_vae_s(beta):
    cvae = small_cvae(beta)
    logits, z_mean, z_log_var = y_pred = cvae((IMAGES, LABELS))
    loss = cvae.compute_loss(x=(IMAGES, LABELS), y_pred=y_pred)
    nll = np.mean(losses.bernoulli_nll(IMAGES, logits))
    kl = np.mean(losses.kl_divergence(z_mean, z_log_var))
    assert_allclose(loss, nll + beta * kl, rtol=1e-5)
    assert_allclose(cvae.reconstruction_tracker.result(), nll, rtol=1e-5)


def test_with_labels_ignored_it_is_the_vae():
    cvae = small_cvae()
    encoder = models.dense_encoder((8, 7, 6), 2, image_shape=SHAPE)
    decoder = models.dense_decoder((6, 7, 8), 2, image_shape=SHAPE)
    vae = models.VAE(encoder, decoder)
    for joined, plain, rows in ((cvae.encoder, encoder, 36), (cvae.decoder, decoder, 2)):
        kernel, *others = joined.get_weights()
        kernel[rows:] = 0.0
        joined.set_weights([kernel, *others])
        plain.set_weights([kernel[:rows], *others])
    for mine, theirs in zip(cvae.encode(IMAGES, LABELS), vae.encode(IMAGES), strict=True):
        assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert_allclose(cvae.reconstruct(IMAGES, LABELS), vae.reconstruct(IMAGES), rtol=1e-5)
    for mine, theirs in zip(cvae((IMAGES, LABELS)), vae(IMAGES), strict=True):  # the same noise
        assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_the_label_changes_the_picture_and_not_its_shape():
    cvae, z = small_cvae(), np.zeros((4, 2), "float32")
    pixels = np.asarray(cvae.decode(z, np.arange(4)))
    assert pixels.shape == (4, *SHAPE)
    assert np.abs(pixels[0] - pixels[1]).max() > 1e-4


def test_training_keeps_images_and_labels_together_and_logs_what_the_vae_logs():
    history = fit(small_cvae())
    names = ("loss", "reconstruction_loss", "kl_loss")
    assert set(history) == {"epoch", "seconds", *names, *(f"val_{name}" for name in names)}
    numbers = np.arange(12, dtype="float32").reshape(12, 1)
    for ((x, labels),) in batches.training_batches((numbers, np.arange(12)), 4, 0, 0, 2):
        assert_array_equal(x[:, 0], labels)
    ((x, labels),) = next(iter(batches.whole_batches((numbers, np.arange(12)))))
    assert_array_equal(x[:, 0], labels)


def test_other_labels_are_another_run(tmp_path):
    fit(small_cvae(), out=tmp_path)
    shuffled = training.fit(
        small_cvae(), (IMAGES, LABELS[::-1]), epochs=3, batch_size=8, out=tmp_path, resume=True
    )
    assert "val_loss" not in shuffled


def test_same_seed_same_history():
    assert_array_equal(fit(small_cvae())["loss"], fit(small_cvae())["loss"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((IMAGES, LABELS + 1), "labels run from 1 to 4; those of 4 classes go from 0 to 3"),
        ((IMAGES, LABELS - 1), "labels run from -1"),
        ((IMAGES, LABELS[:30]), r"\[40, 30\] rows"),
        ((IMAGES, LABELS.astype("float32")), "integers from 0 to 3"),
        ((IMAGES, np.eye(4)[LABELS]), r"labels have shape \(40, 4\)"),
        ((IMAGES[:, :5], LABELS), r"images have shape \(5, 6, 1\)"),
        (IMAGES, r"a pair \(images, labels\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_training(data, message):
    with pytest.raises(ValueError, match=message):
        training.fit(small_cvae(), data, epochs=1)


def test_validation_labels_are_checked_too():
    with pytest.raises(ValueError, match="labels run from 9 to 9"):
        training.fit(small_cvae(), (IMAGES, LABELS), (IMAGES, np.full(40, 9)), epochs=1)


def test_decoding_checks_its_labels():
    with pytest.raises(ValueError, match=r"one a row was expected, \(2,\)"):
        small_cvae().decode(np.zeros((2, 2), "float32"), [1])
    with pytest.raises(ValueError, match="labels run from 7"):
        small_cvae().decode(np.zeros((1, 2), "float32"), [7])


def test_pixels_are_the_sigmoid_of_the_logits(rng):
    cvae, z = small_cvae(), rng.normal(size=(4, 2)).astype("float32")
    logits = np.asarray(cvae.decode_logits(z, np.arange(4)))
    assert_allclose(cvae.decode(z, np.arange(4)), 1 / (1 + np.exp(-logits)), rtol=1e-5)
    with pytest.raises(ValueError, match="labels run from 7"):
        cvae.decode_logits(z[:1], [7])


def test_elbo_of_a_cvae_is_the_loss_it_is_trained_on():
    cvae = small_cvae()
    result = metrics.elbo(cvae.encode, cvae.decode_logits, IMAGES, labels=LABELS, samples=200)
    data = (IMAGES, LABELS)
    losses_seen = [float(cvae.compute_loss(x=data, y_pred=cvae(data))) for _ in range(50)]
    assert_allclose(result.negative_elbo, np.mean(losses_seen), rtol=1e-2)
    exact = np.mean(losses.kl_divergence(*cvae.encode(IMAGES, LABELS)))
    assert_allclose(result.kl, exact, rtol=1e-5)


def test_networks_without_room_for_the_label_are_refused():
    decoder = models.dense_decoder((8,), 6, image_shape=SHAPE)
    with pytest.raises(ValueError, match=r"the encoder takes \(6, 6, 1\)"):
        models.CVAE(models.dense_encoder((8,), 2, image_shape=SHAPE), decoder, n_classes=4)
    with pytest.raises(ValueError, match=r"the decoder takes \(6,\)"):
        models.CVAE(models.dense_encoder((8,), 3, image_shape=(40,)), decoder, n_classes=4)


def with_prior(**options):
    """A CVAE whose classes have priors of their own, other than N(0, I)."""
    cvae = small_cvae(learned_prior=True, **options)
    cvae.prior.kernel.assign(np.random.default_rng(2).normal(size=(4, 4)))
    return cvae


def test_a_learned_prior_starts_as_the_standard_one_and_has_two_numbers_a_latent_and_class():
    assert models.dense_cvae(latent_dim=15, learned_prior=True).prior.count_params() == 300
    plain, learned = small_cvae(), small_cvae(learned_prior=True)
    for mine, theirs in zip(learned.encode(IMAGES, LABELS), plain.encode(IMAGES, LABELS), strict=True):
        assert_array_equal(mine, theirs)
    for mine, theirs in zip(learned.class_prior(LABELS), plain.class_prior(LABELS), strict=True):
        assert_array_equal(mine, theirs)
    assert_array_equal(learned.reconstruct(IMAGES, LABELS), plain.reconstruct(IMAGES, LABELS))


def test_kl_is_that_to_the_class_s_own_gaussian():
    cvae = with_prior()
    z_mean, z_log_var = (np.asarray(t, "float64") for t in cvae.encoder(cvae.join(IMAGES, LABELS)))
    mean, log_var = (np.asarray(t, "float64") for t in cvae.class_prior(LABELS))
    variance, prior = np.exp(z_log_var), np.exp(log_var)
    kl = 0.5 * ((variance + (z_mean - mean) ** 2) / prior - 1 + log_var - z_log_var).sum(axis=1)
    assert_allclose(losses.kl_divergence(*cvae.encode(IMAGES, LABELS)), kl, rtol=1e-4)
    z = z_mean[0] + np.sqrt(variance[0]) * np.random.default_rng(3).normal(size=(100_000, 2))
    log_ratio = scipy.stats.norm.logpdf(z, z_mean[0], np.sqrt(variance[0]))
    log_ratio = (log_ratio - scipy.stats.norm.logpdf(z, mean[0], np.sqrt(prior[0]))).sum(axis=1)
    assert abs(log_ratio.mean() - kl[0]) < 4 * log_ratio.std() / np.sqrt(len(z))
    cvae((IMAGES, LABELS))
    cvae.compute_loss(x=(IMAGES, LABELS), y_pred=cvae((IMAGES, LABELS)))
    assert_allclose(cvae.kl_tracker.result(), kl.mean(), rtol=1e-4)


def test_codes_are_in_units_of_the_class_s_prior(rng):
    cvae, u = with_prior(), rng.normal(size=(4, 2)).astype("float32")
    mean, log_var = cvae.class_prior(np.arange(4))
    z = np.asarray(mean) + np.exp(0.5 * np.asarray(log_var)) * u
    assert_allclose(
        cvae.decode_logits(u, np.arange(4)), cvae.decoder(cvae.join(z, np.arange(4))), rtol=1e-4, atol=1e-5
    )
    u_mean, _ = cvae.encode(IMAGES, LABELS)
    z_mean, _ = cvae.encoder(cvae.join(IMAGES, LABELS))
    mean, log_var = cvae.class_prior(LABELS)
    assert_allclose(mean + np.exp(0.5 * log_var) * u_mean, z_mean, rtol=1e-4, atol=1e-5)


def test_the_prior_is_trained_and_its_elbo_is_the_loss():
    cvae = with_prior(label_everywhere=True)
    before = np.asarray(cvae.prior.kernel)
    assert fit(cvae)["loss"][-1] > 0
    assert np.abs(np.asarray(cvae.prior.kernel) - before).max() > 1e-3
    result = metrics.elbo(cvae.encode, cvae.decode_logits, IMAGES, labels=LABELS, samples=200)
    data = (IMAGES, LABELS)
    losses_seen = [float(cvae.compute_loss(x=data, y_pred=cvae(data))) for _ in range(50)]
    assert_allclose(result.negative_elbo, np.mean(losses_seen), rtol=1e-2)


def test_every_layer_of_the_decoder_is_told_the_label():
    plain = models.dense_cvae((400, 400, 400), 15).decoder
    told = models.dense_cvae((400, 400, 400), 15, label_everywhere=True).decoder
    assert told.count_params() - plain.count_params() == 10 * 400 + 10 * 400 + 10 * 784
    cvae = small_cvae(label_everywhere=True)
    for layer, rows in (("hidden_1", 2), ("hidden_2", 6), ("hidden_3", 7), ("pixel_logits", 8)):
        deaf = small_cvae(label_everywhere=True)
        for other, others_rows in (("hidden_1", 2), ("hidden_2", 6), ("hidden_3", 7), ("pixel_logits", 8)):
            if other != layer:  # only `layer` hears the label
                kernel = np.array(deaf.decoder.get_layer(other).kernel)
                kernel[others_rows:] = 0.0
                deaf.decoder.get_layer(other).kernel.assign(kernel)
        assert deaf.decoder.get_layer(layer).kernel.shape[0] == rows + 4
        pixels = np.asarray(deaf.decode(np.zeros((2, 2), "float32"), [0, 1]))
        assert np.abs(pixels[0] - pixels[1]).max() > 1e-4
    assert cvae.decode(np.zeros((4, 2), "float32"), np.arange(4)).shape == (4, *SHAPE)


def test_seeds_share_compiled_steps_and_another_build_does_not():
    batch = (IMAGES[:8], LABELS[:8])
    both = {"label_everywhere": True, "learned_prior": True}
    kinds = [steps.kind(small_cvae(seed=s, **both), None, batch) for s in (0, 1)]
    assert kinds[0] is not None and kinds[0] == kinds[1]
    others = [steps.kind(small_cvae(**{name: True}), None, batch) for name in both]
    assert len({kinds[0], *others, steps.kind(small_cvae(), None, batch)}) == 4
