"""Sample metrics against closed forms, independent implementations and cases with a known answer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import metrics
from labkit.metrics import neighbours, samples


def gaussian(n, mean, root, seed=0):
    """n rows whose sample mean is `mean` and whose sample covariance is rootᵀ root, exactly."""
    x = np.random.default_rng(seed).normal(size=(n, len(mean)))
    x -= x.mean(axis=0)
    whitening = np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False)))
    return x @ whitening.T @ root + mean


def test_frechet_distance_of_gaussians_with_commuting_covariances():
    sd_a, sd_b, mean = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.1]), np.array([1.0, -2.0, 0.0])
    a, b = gaussian(200, np.zeros(3), np.diag(sd_a)), gaussian(300, mean, np.diag(sd_b), seed=1)
    expected = np.sum(mean**2) + np.sum((sd_a - sd_b) ** 2)  # closed form for diagonal covariances
    assert_allclose(metrics.frechet_distance(a, b), expected, rtol=1e-5)


def test_frechet_distance_is_that_of_the_matrix_square_root(rng):
    from scipy import linalg

    a, b = rng.normal(size=(500, 20)) @ rng.normal(size=(20, 20)), rng.normal(size=(400, 20)) + 0.3
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert_allclose(metrics.frechet_distance(a, b), expected, rtol=1e-4)


def test_frechet_distance_is_0_for_one_set_in_any_order_and_symmetric(rng):
    a, b = rng.normal(size=(300, 10)), rng.normal(size=(200, 10))
    assert_allclose(metrics.frechet_distance(a, rng.permutation(a)), 0, atol=1e-9)
    forth = metrics.frechet_distance(a, b)
    assert_allclose(metrics.frechet_distance(b, a), forth, rtol=1e-6)
    assert_allclose(metrics.frechet_distance(rng.permutation(a), b), forth, rtol=1e-6)


def test_frechet_distance_is_exact_for_fewer_samples_than_features():
    a = np.zeros((3, 50))
    a[:, 0] = (-1, 0, 1)  # variance 1 along one axis
    b = np.roll(2 * a, 1, axis=1)  # variance 4 along another
    assert_allclose(metrics.frechet_distance(a, b), 1 + 4, rtol=1e-6)
    assert_allclose(metrics.frechet_distance(a, 2 * a), 1, rtol=1e-6)


def test_kernel_distance_is_that_of_scikit_learns_kernel(rng):
    from sklearn.metrics.pairwise import polynomial_kernel

    a, b = rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) + 0.5
    k_aa, k_bb, k_ab = (polynomial_kernel(x, y, 3, None, 1) for x, y in ((a, a), (b, b), (a, b)))
    off = ~np.eye(60, dtype=bool)
    value, spread = metrics.kernel_distance(a, b, subsets=3)
    assert_allclose(value, k_aa[off].mean() + k_bb[off].mean() - 2 * k_ab.mean(), rtol=1e-4)
    assert spread < 1e-5  # a subset of all rows is always the same one


def test_kernel_distance_of_one_distribution_is_0_within_its_error(rng):
    a, b = rng.normal(size=(4000, 16)), rng.normal(size=(4000, 16))
    value, spread = metrics.kernel_distance(a, b, size=200, subsets=100)
    assert abs(value) < 4 * spread / np.sqrt(4000 / 200)  # 20 disjoint subsets are independent
    assert metrics.kernel_distance(a, b + 1, size=200)[0] > 20 * spread


def test_prdc_is_that_of_the_authors_package(monkeypatch, rng):
    from prdc import compute_prdc

    monkeypatch.setattr(neighbours, "BLOCK", 37)  # several blocks, the last a short one
    real, fake = rng.normal(size=(300, 6)), 0.8 * rng.normal(size=(250, 6)) + 0.3
    of_3, of_5 = (compute_prdc(real, fake, nearest_k=k) for k in (3, 5))
    found = metrics.prdc(real, fake)
    assert_allclose([found.precision, found.recall], [of_3["precision"], of_3["recall"]])
    assert_allclose([found.density, found.coverage], [of_5["density"], of_5["coverage"]])


def test_prdc_of_the_same_set_and_of_sets_far_apart(rng):
    real = rng.normal(size=(200, 5))
    same, far = metrics.prdc(real, real), metrics.prdc(real, real + 100)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert far == metrics.Prdc(0, 0, 0, 0)


def test_a_collapsed_generator_is_precise_but_recalls_nothing(rng):
    real = rng.normal(size=(500, 5))
    found = metrics.prdc(
        real, real[np.argmin(np.linalg.norm(real, axis=1))] + 1e-3 * rng.normal(size=(500, 5))
    )
    assert found.precision == 1
    assert found.recall < 0.05 and found.coverage < 0.2


def test_nearest_finds_the_image_and_its_distance(monkeypatch, rng):
    monkeypatch.setattr(neighbours, "BLOCK", 3)
    reference = rng.random((20, 4, 4, 1))
    order = rng.permutation(20)[:7]
    shifted = reference[order] + np.float32(0.01)
    distance, index = metrics.nearest(shifted, reference)
    assert (index == order).all()
    assert_allclose(distance, 0.01 * 4, rtol=1e-3)  # √16 pixels


def test_class_histogram_counts_and_names_what_is_missing():
    found = metrics.class_histogram(np.repeat([0, 1, 3], [50, 49, 1]), classes=4, threshold=0.02)
    assert found.counts.tolist() == [50, 49, 0, 1]
    assert_allclose(found.shares.sum(), 1)
    assert (found.missing, found.covered) == ([2, 3], 2)


def test_conditional_agreement_by_hand():
    found = metrics.conditional_agreement(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), classes=3)
    assert_allclose(found.overall, 0.75)
    assert_allclose(found.per_class, [0.5, 1.0, np.nan])
    assert found.asked.tolist() == [2, 2, 0]


@pytest.mark.parametrize("labels", [np.array([0, 10]), np.array([-1]), np.array([]), np.array([0.0, 1.0])])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(ValueError, match="expected"):
        metrics.class_histogram(labels)
    with pytest.raises(ValueError, match="expected"):
        metrics.conditional_agreement(labels, labels)
    with pytest.raises(ValueError, match="must be equal"):
        metrics.conditional_agreement(np.array([1, 2]), np.array([1]))


def test_memorisation_of_fresh_images_is_even_and_of_copies_shows(rng):
    train, test, fresh = (rng.normal(size=(n, 8)) for n in (2000, 500, 1000))
    found = metrics.memorisation(fresh, train, test)
    assert_allclose(found.nearer_train, 0.5, atol=0.05)
    assert_allclose(found.ratio, 1, atol=0.05)
    assert found.copies < 0.05 and (found.images, found.references) == (1000, 500)
    copied = metrics.memorisation(train[:1000], train, test)
    assert copied.copies == 1 and copied.nearer_train > 0.6
    all_of_train = metrics.memorisation(train[:500], train[:500], test)
    assert all_of_train.nearer_train == 1 and all_of_train.ratio < 0.01


def test_memorisation_compares_sets_of_equal_size(rng):
    train, test, fresh = (rng.normal(size=(n, 8)) for n in (300, 3000, 800))
    assert_allclose(metrics.memorisation(fresh, train, test).nearer_train, 0.5, atol=0.06)


@pytest.mark.parametrize("metric", [metrics.frechet_distance, metrics.kernel_distance, metrics.prdc])
def test_features_that_do_not_fit_are_refused(metric):
    a = np.zeros((10, 4))
    for b, message in (
        (np.zeros((10, 3)), "shapes"),
        (np.zeros((10, 2, 2)), "shapes"),
        (a[:1], "at least"),
        (np.full((10, 4), np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            metric(a, b)


class FirstPixels:
    """A stand-in for the classifier: the features are pixels, the class is the first one's tenth."""

    def outputs(self, x):
        features = x.reshape(len(x), -1)[:, : samples.FEATURES]
        return features, np.eye(10)[(features[:, 0] * 9.99).astype(int)]

    def features(self, x):
        return self.outputs(x)[0]


def one_grey(n, rng):
    """Images of nearly one grey each, which pixels drawn on their own are not."""
    return 0.9 * rng.random((n, 1, 1, 1)) + 0.1 * rng.random((n, 28, 28, 1))


@pytest.fixture(scope="module")
def references():
    rng = np.random.default_rng(1)
    train, test = (one_grey(n, rng) for n in (600, 300))
    return metrics.reference_sets(train, test, FirstPixels(), n=250)


def test_judging_training_images_gives_the_floor_and_noise_the_ceiling(references, rng):
    real = metrics.judge_samples(references.x_train, references)
    noise = metrics.judge_samples(rng.permuted(references.x_test, axis=0), references)
    assert_allclose([real.fcd.position, noise.fcd.position], [0, 1], atol=0.1)
    # Features this alike give the cubic kernel a heavy tail, so that 250 images leave it rough.
    assert_allclose([real.kcd.position, noise.kcd.position], [0, 1], atol=0.6)
    assert (real.fcd.floor, noise.fcd.floor) == (references.fcd.value,) * 2
    assert real.classes.covered == 10 and real.prdc.precision > noise.prdc.precision
    assert "FCD" in str(real.fcd) and "250 images" in str(real.fcd)


def test_judging_a_collapsed_generator_warns(references):
    one = np.repeat(references.x_test[:1], 300, axis=0)
    warnings = metrics.judge_samples(one, references).warnings
    assert any("classes" in w for w in warnings) and any("recall" in w for w in warnings)


def test_judging_copies_of_training_images_warns_and_fresh_images_do_not(references, rng):
    (warning,) = metrics.judge_samples(references.x_train, references).warnings
    assert "100% of samples look like copies" in warning
    assert metrics.judge_samples(one_grey(250, rng), references).warnings == []


def test_judging_is_repeatable_and_does_not_depend_on_what_was_judged_before(references, rng):
    x = rng.random((260, 28, 28, 1))
    first, again = (metrics.judge_samples(x, references) for _ in range(2))
    for part in ("fcd", "kcd", "prdc", "memorisation"):
        assert getattr(first, part) == getattr(again, part)


def test_what_cannot_be_judged_is_refused(references):
    x = np.zeros((260, 28, 28, 1))
    for images, message in (
        (x[:249], "249 images"),
        (x + np.nan, "NaN"),
        (x - 1, "tanh"),
        (x[:, :, :27], "was expected"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.judge_samples(images, references)
    with pytest.raises(ValueError, match="too few for 128 features"):
        metrics.reference_sets(x, x, FirstPixels(), n=128)
    with pytest.raises(ValueError, match="x_test holds 200"):
        metrics.reference_sets(x, x[:200], FirstPixels(), n=250)


def test_the_share_of_items_that_keep_their_class_from_round_to_round():
    assert metrics.classes_kept([[1, 2, 3, 4], [1, 2, 3, 5], [1, 9, 9, 9]]) == [0.75, 0.25]
    assert metrics.classes_kept([[1, 2]]) == []
    with pytest.raises(ValueError, match="same shape"):
        metrics.classes_kept([[1, 2], [1, 2, 3]])


def test_fidelity_is_what_judging_samples_gives_for_the_same_images(references):
    images = references.x_train[:250]
    found = metrics.fidelity(images, references)
    judged = metrics.judge_samples(images, references)
    assert found["fcd"] == metrics.fcd(images, references) == pytest.approx(judged.fcd.value)
    per_cent = [100 * judged.prdc.precision, 100 * judged.prdc.recall]
    assert [found["precision"], found["recall"]] == per_cent
    more = metrics.fidelity(images, references, more=("coverage",))
    assert more == found | {"coverage": 100 * judged.prdc.coverage}
    with pytest.raises(ValueError, match="images holds 249 images; n = 250"):
        metrics.fcd(images[:249], references)
