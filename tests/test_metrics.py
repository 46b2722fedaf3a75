"""Metrics against exact values: a linear-Gaussian VAE, PCA, entropies."""

import math

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from labkit import losses, metrics
from labkit.metrics import likelihood


class LinearGaussian:
    """x | z ~ N(wz, v) and z ~ N(0, 1): ELBO and ln p(x) are known exactly."""

    w, v = np.array([[1.5, -0.5]]), 0.4

    def posterior(self, x):
        precision = 1 + float((self.w**2).sum()) / self.v
        z_mean = (x @ self.w.T) / self.v / precision
        return z_mean.astype("float32"), np.full_like(z_mean, -math.log(precision), dtype="float32")

    def decode(self, z):
        return ops.matmul(z, self.w.astype("float32"))

    def nll(self, x, logits):
        return losses.gaussian_nll(x, logits, self.v)  # its decoder makes the mean itself

    def log_evidence(self, x):
        covariance = self.w.T @ self.w + self.v * np.eye(2)
        quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -0.5 * (quadratic + math.log(np.linalg.det(2 * math.pi * covariance)))


def test_elbo_with_the_exact_posterior_is_the_log_evidence(rng):
    model, x = LinearGaussian(), rng.normal(size=(300, 2)).astype("float32")
    result = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, samples=400)
    assert_allclose(result.negative_elbo, -model.log_evidence(x).mean(), atol=0.03)


def test_elbo_with_another_posterior_is_worse_by_the_kl_between_them(rng):
    model, x = LinearGaussian(), rng.normal(size=(300, 2)).astype("float32")

    def shifted(x):
        z_mean, z_log_var = model.posterior(x)
        return z_mean + 0.5, z_log_var

    right = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, samples=400)
    wrong = metrics.elbo(shifted, model.decode, x, nll=model.nll, samples=400)
    variance = math.exp(float(model.posterior(x)[1][0, 0]))
    assert_allclose(wrong.negative_elbo - right.negative_elbo, 0.5 * 0.5**2 / variance, rtol=0.05)


def test_parts_add_up_and_do_not_depend_on_the_batch_size(rng):
    model, x = LinearGaussian(), rng.normal(size=(50, 2)).astype("float32")
    whole = metrics.elbo(model.posterior, model.decode, x, nll=model.nll)
    assert_allclose(whole.negative_elbo, whole.reconstruction + whole.kl)
    assert_allclose(whole.kl, whole.kl_per_dim.sum())
    assert whole.images == 50
    again = metrics.elbo(model.posterior, model.decode, x, nll=model.nll, batch_size=7)
    assert_allclose(again.kl, whole.kl, rtol=1e-6)


def test_elbo_is_repeatable_for_a_seed(rng):
    model, x = LinearGaussian(), rng.normal(size=(50, 2)).astype("float32")

    def value(seed):
        return metrics.elbo(model.posterior, model.decode, x, nll=model.nll, seed=seed).negative_elbo

    assert value(1) == value(1) != value(2)


def test_elbo_of_a_conditional_model_bounds_the_evidence_given_the_label(rng):
    model, labels = LinearGaussian(), rng.integers(0, 3, 300)
    shift = np.array([[0.0, 0.0], [5.0, -2.0], [-3.0, 4.0]], "float32")  # of each class's images
    x = rng.normal(size=(300, 2)).astype("float32") + shift[labels]
    conditional = {
        "encode": lambda x, y: model.posterior(x - shift[y]),
        "decode_logits": lambda z, y: model.decode(z) + shift[y],
        "nll": model.nll,
        "samples": 60,
    }
    result = metrics.elbo(x=x, labels=labels, batch_size=130, **conditional)
    assert_allclose(result.negative_elbo, -model.log_evidence(x - shift[labels]).mean(), atol=0.03)
    assert_allclose(result.per_image.mean(), result.negative_elbo)
    assert_allclose(result.per_image.std() / math.sqrt(300), result.standard_error)
    # The cost of an image under every label gives ln p(x) = ln Σ p(y) p(x|y), whatever its own is.
    costs = metrics.elbo_by_class(x=x, classes=3, **conditional)
    assert_allclose(costs[labels == 1, 1], result.per_image[labels == 1], atol=1.0)
    evidence = np.logaddexp.reduce([model.log_evidence(x - shift[c]) - math.log(3) for c in range(3)])
    assert_allclose(-metrics.sum_over_classes(costs).mean(), evidence.mean(), atol=0.05)


def test_a_sure_label_saves_nothing_in_the_sum_over_classes_and_a_free_one_its_price():
    costs = np.array([[100.0] + [200.0] * 9, [100.0] * 10])
    assert_allclose(metrics.sum_over_classes(costs), [100 + math.log(10), 100])


def test_elbo_refuses_another_number_of_labels():
    model = LinearGaussian()
    with pytest.raises(ValueError, match="2 labels for 3 images"):
        metrics.elbo(model.posterior, model.decode, np.zeros((3, 2), "float32"), labels=[0, 1])


def test_elbo_refuses_no_images_and_no_samples():
    model = LinearGaussian()
    for x, samples in ((np.zeros((0, 2)), 1), (np.zeros((3, 2)), 0)):
        with pytest.raises(ValueError, match="needs images and samples"):
            metrics.elbo(model.posterior, model.decode, x, samples=samples)


def shifted_posterior(x):
    z_mean, z_log_var = LinearGaussian().posterior(x)
    return z_mean + 0.3, z_log_var + 0.5


def test_iw_nll_with_the_exact_posterior_is_exact_for_any_k(rng):
    model, x = LinearGaussian(), rng.normal(size=(40, 2)).astype("float32")
    for k in (1, 7):
        result = metrics.iw_nll(model.posterior, model.decode, x, k=k, nll=model.nll)
        assert_allclose(result.value, -model.log_evidence(x).mean(), rtol=1e-5)
    assert (result.k, result.images) == (7, 40)
    assert_allclose(result.per_image, -model.log_evidence(x), rtol=1e-4)


def test_iw_nll_of_another_posterior_falls_from_the_elbo_to_the_exact_value(rng):
    model, x = LinearGaussian(), rng.normal(size=(400, 2)).astype("float32")

    def value(k):
        return metrics.iw_nll(shifted_posterior, model.decode, x, k=k, nll=model.nll, seed=3).value

    exact = -model.log_evidence(x).mean()
    one, ten, thousand = value(1), value(10), value(1000)
    assert one > ten > thousand > exact - 0.005
    assert_allclose(thousand, exact, atol=0.005)
    bound = metrics.elbo(shifted_posterior, model.decode, x, nll=model.nll, samples=400)
    # One draw's ln weight has a standard deviation of about 1, its mean over 400 images of 0.05.
    assert_allclose(one, bound.negative_elbo, atol=0.2)


def test_iw_nll_does_not_depend_on_how_the_draws_are_chunked(rng):
    model, x = LinearGaussian(), rng.normal(size=(30, 2)).astype("float32")
    values = [
        metrics.iw_nll(shifted_posterior, model.decode, x, k=2000, nll=model.nll, chunk=chunk).value
        for chunk in (700, 2000, 10_000)
    ]
    assert_allclose(values, -model.log_evidence(x).mean(), atol=0.02)


def test_iw_nll_is_the_same_by_xla_and_by_tensorflow_s_graphs(monkeypatch, rng):
    model, x = LinearGaussian(), rng.normal(size=(7, 2)).astype("float32")
    exact = -model.log_evidence(x).mean()
    for least in (0, 10**9):
        monkeypatch.setattr(likelihood, "XLA_PAYS_FROM_DRAWS", least)
        value = metrics.iw_nll(shifted_posterior, model.decode, x, k=3000, nll=model.nll, chunk=1000).value
        assert_allclose(value, exact, atol=0.02)


def test_iw_nll_traces_the_decoder_once_for_all_images(rng):
    model, x, traced = LinearGaussian(), rng.normal(size=(10, 2)).astype("float32"), []

    def decode(z):
        traced.append(z.shape)
        return model.decode(z)

    metrics.iw_nll(model.posterior, decode, x, k=50, nll=model.nll, chunk=150)
    assert traced == [(3 * 50, 1)]


def test_iw_nll_survives_weights_too_small_for_float32():
    def far(x, logits):
        return losses.bernoulli_nll(x, logits) + 1e4  # e^−10000 is 0 in every float

    x = np.zeros((3, 4), dtype="float32")
    result = metrics.iw_nll(
        lambda x: (np.zeros((len(x), 1), "float32"), np.zeros((len(x), 1), "float32")),
        lambda z: ops.zeros((z.shape[0], 4)),
        x,
        k=10,
        nll=far,
    )
    assert_allclose(result.value, 1e4 + 4 * math.log(2), rtol=1e-6)
    assert_allclose(result.standard_error, 0, atol=1e-9)


@pytest.mark.parametrize(("n", "k", "chunk"), [(0, 1, 1), (2, 0, 1), (2, 1, 0)])
def test_iw_nll_refuses_nothing_to_draw(n, k, chunk):
    model = LinearGaussian()
    with pytest.raises(ValueError, match="needs images"):
        metrics.iw_nll(model.posterior, model.decode, np.zeros((n, 2)), k=k, chunk=chunk)


def test_binarise_draws_white_with_the_grey_as_probability():
    x = np.full((200, 100), 0.3)
    drawn = metrics.binarise(x, seed=1)
    assert set(np.unique(drawn)) == {0.0, 1.0} and drawn.dtype == np.float32
    assert_allclose(drawn.mean(), 0.3, atol=4 * math.sqrt(0.3 * 0.7 / x.size))
    assert_allclose(metrics.binarise(np.array([0.0, 1.0])), [0, 1])
    assert (metrics.binarise(x, seed=1) == drawn).all() and (metrics.binarise(x, seed=2) != drawn).any()
    with pytest.raises(ValueError, match="expected"):
        metrics.binarise(np.array([0.5, np.nan]))


def test_active_units_are_those_whose_mean_varies(rng):
    z_mean = np.column_stack([rng.normal(size=500), np.full(500, 3.0), 0.05 * rng.normal(size=500)])
    assert metrics.active_units(z_mean).tolist() == [True, False, False]


def test_mse_by_hand_and_shapes_that_differ():
    assert_allclose(metrics.mse(np.zeros((2, 2)), np.array([[1, 0], [0, 1]])), 0.5)
    with pytest.raises(ValueError, match="must be equal"):
        metrics.mse(np.zeros((2, 2)), np.zeros((2, 1)))


def test_pixel_entropy_of_black_white_and_grey():
    x = np.zeros((4, 3, 3))
    x[:, 0, 0], x[:, 1, 1] = 1.0, 0.5
    assert_allclose(metrics.pixel_entropy(x), math.log(2), rtol=1e-9)


def test_pixel_entropy_is_the_loss_of_a_perfect_reconstruction(rng):
    x = rng.uniform(0.05, 0.95, (5, 4, 4)).astype("float32")
    loss = np.mean(losses.bernoulli_nll(x, np.log(x / (1 - x))))
    assert_allclose(metrics.pixel_entropy(x), loss, rtol=1e-5)


def test_pca_recovers_data_of_its_own_rank_and_errors_fall(rng):
    low_rank = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 16)) + 2.0
    one, two, three = metrics.pca_mse(low_rank[:150], low_rank[150:], (1, 2, 3))
    assert one > two > three
    assert_allclose(three, 0, atol=1e-20)


@pytest.mark.parametrize("n", [6, 60], ids=["fewer images than pixels", "more"])
def test_principal_components_are_an_orthonormal_basis_with_the_data_s_covariance(n, rng):
    x = rng.random((n, 4, 5, 1))
    mean, axes, spread = metrics.principal_components(x)
    assert_allclose(mean, x.reshape(n, -1).mean(0))
    assert_allclose(axes @ axes.T, np.eye(min(n, 20)), atol=1e-12)
    assert np.all(np.diff(spread) <= 0)
    assert_allclose((axes.T * spread**2) @ axes, np.cov(x.reshape(n, -1), rowvar=False), atol=1e-12)


def test_pca_of_few_images_leaves_nothing_of_those_it_is_fitted_to(rng):
    x = rng.random((5, 4, 4, 1))
    assert_allclose(metrics.pca_mse(x, x, (4, 16)), 0, atol=1e-20)
    with pytest.raises(ValueError, match="at least 2"):
        metrics.principal_components(x[:1])


def test_sharpness_of_known_images_and_of_blurred_ones(rng):
    x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
    plane = np.stack([x, 0.5 * y])[..., None]
    assert_allclose(metrics.sharpness(plane), 0, atol=1e-12)
    board = ((np.indices((8, 8)).sum(0) % 2) * 1.0)[None, ..., None]
    assert_allclose(metrics.sharpness(board), 4)
    noise = rng.random((3, 16, 16, 1))
    blurred = 0.5 * noise[:, 1:] + 0.5 * noise[:, :-1]
    assert metrics.sharpness(blurred) < metrics.sharpness(noise)
    with pytest.raises(ValueError, match=r"\(1, 2, 8, 1\)"):
        metrics.sharpness(np.zeros((1, 2, 8, 1)))
    with pytest.raises(ValueError, match="images lie in"):
        metrics.sharpness(255 * board)


def test_pca_refuses_more_components_than_pixels():
    with pytest.raises(ValueError, match="between 1 and 4"):
        metrics.pca_mse(np.zeros((5, 4)), np.zeros((5, 4)), (5,))


def test_bce_is_the_bernoulli_loss_and_its_floor_the_pixel_entropy(rng):
    x = rng.random((5, 12, 12, 1), dtype="float32")
    logits = rng.normal(size=x.shape).astype("float32")
    loss = np.mean(losses.bernoulli_nll(x, logits))
    assert_allclose(metrics.bce(x, 1 / (1 + np.exp(-logits))), loss, rtol=1e-5)
    assert_allclose(metrics.bce(x, x), metrics.pixel_entropy(x), rtol=1e-6)
    assert_allclose(metrics.bce(np.zeros((2, 4)), np.full((2, 4), 0.5)), 4 * math.log(2))
    assert np.isfinite(metrics.bce(np.ones((1, 4)), np.zeros((1, 4))))


def test_ssim_is_that_of_scikit_image(rng):
    from skimage.metrics import structural_similarity

    x = rng.random((3, 28, 28, 1), dtype="float32")
    x_hat = np.clip(x + 0.2 * rng.normal(size=x.shape), 0, 1).astype("float32")
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    pairs = zip(x[..., 0], x_hat[..., 0], strict=True)
    expected = np.mean([structural_similarity(a, b, **settings) for a, b in pairs])
    assert_allclose(metrics.ssim(x, x_hat), expected, rtol=1e-4)
    assert_allclose(metrics.ssim(x, x), 1, rtol=1e-6)


def test_reconstruction_metrics_refuse_what_does_not_fit():
    x = np.zeros((2, 12, 12, 1), dtype="float32")
    for metric in (metrics.bce, metrics.ssim):
        with pytest.raises(ValueError, match="must be equal"):
            metric(x, x[:1])
        with pytest.raises(ValueError, match="no images"):
            metric(x[:0], x[:0])
        for bad in (2.0, -0.1, np.nan):
            with pytest.raises(ValueError, match="reconstructions lie in"):
                metric(x, np.full_like(x, bad))
    with pytest.raises(ValueError, match="h and w"):
        metrics.ssim(x[:, :8], x[:, :8])


def test_grey_share_counts_inked_pixels_that_are_not_white():
    image = np.array([[0.0, 0.05, 0.2, 0.5, 0.95, 1.0]])
    assert metrics.grey_share(image) == 0.5
    assert metrics.grey_share(np.array([[0.0, 1.0]])) == 0
    with pytest.raises(ValueError, match="blank"):
        metrics.grey_share(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="images lie in"):
        metrics.grey_share(np.array([[-1.0, 1.0]]))
