"""Probes against cases with a known answer, an independent solution and their own definitions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import metrics


def blobs(rng, n, spread=0.3):
    """Codes (n, 3) in three clusters, and the cluster of each; the third latent is silent."""
    labels = rng.integers(0, 3, n)
    centres = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5]])
    return (centres[labels] + spread * rng.normal(size=(n, 3)) * [1, 1, 0]).astype("float32"), labels


def test_clusters_that_lie_apart_are_read_by_the_probe(rng):
    train, y_train = blobs(rng, 300)
    test, y_test = blobs(rng, 200)
    assert metrics.linear_probe(train, y_train, test, y_test) == 1


def test_codes_without_the_class_give_chance(rng):
    train, test = rng.normal(size=(2000, 4)), rng.normal(size=(2000, 4))
    labels = rng.integers(0, 4, (2, 2000))
    share = metrics.linear_probe(train, labels[0], test, labels[1])
    assert_allclose(share, 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 2000))


def test_the_linear_probe_does_not_see_a_ring(rng):
    angle, labels = rng.uniform(0, 2 * np.pi, 2000), np.arange(2000) % 2
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * (1 + 2 * labels)[:, None]
    train, test = ring[:1000], ring[1000:]
    assert_allclose(metrics.linear_probe(train, labels[:1000], test, labels[1000:]), 0.5, atol=0.1)


def test_the_linear_probe_is_ridge_regression_on_one_hot_labels(rng):
    train, y_train = blobs(rng, 150, spread=2.0)
    test, y_test = blobs(rng, 150, spread=2.0)
    x, t = ((part[:, :2] - train[:, :2].mean(0)) / train[:, :2].std(0) for part in (train, test))
    targets = np.eye(3)[y_train]
    weights = np.linalg.solve(x.T @ x + 1e-3 * 150 * np.eye(2), x.T @ (targets - targets.mean(0)))
    expected = np.mean((t @ weights + targets.mean(0)).argmax(1) == y_test)
    assert 0.5 < expected < 0.95
    assert_allclose(metrics.linear_probe(train, y_train, test, y_test), expected)


def test_the_scale_of_a_latent_does_not_matter_to_the_linear_probe(rng):
    (train, y_train), (test, y_test) = blobs(rng, 200, 2.0), blobs(rng, 200, 2.0)
    scale = np.array([100.0, 0.01, 1.0])
    plain = metrics.linear_probe(train, y_train, test, y_test)
    assert_allclose(metrics.linear_probe(train * scale, y_train, test * scale, y_test), plain)


def test_the_probe_needs_a_class_for_each_item():
    with pytest.raises(ValueError, match="train has 3 items and 2 classes"):
        metrics.linear_probe(np.zeros((3, 2)), [0, 1], np.zeros((2, 2)), [0, 1])
    with pytest.raises(ValueError, match="test has 0 items"):
        metrics.linear_probe(np.zeros((2, 2)), [0, 1], np.zeros((0, 2)), [])


def test_equal_steps_have_no_spread_and_the_length_of_one(rng):
    start, direction = rng.random((2, 1, 4, 4, 1))
    line = start + np.arange(5)[:, None, None, None] * direction
    found = metrics.roughness(np.concatenate([line, line[::-1]]), 5)
    assert_allclose(found, [np.linalg.norm(direction), 0], atol=1e-12)


def test_a_jump_shows_in_the_spread_by_hand():
    images = np.array([0.0, 1, 4, 0, 2, 4])[:, None]  # steps 1 and 3; 2 and 2
    assert_allclose(metrics.roughness(images, 3), [2, (0.5 + 0) / 2])


def test_a_generator_that_makes_one_image_has_no_steps_and_no_spread():
    assert metrics.roughness(np.ones((6, 2)), 3) == (0, 0)


@pytest.mark.parametrize(
    ("images", "steps", "message"),
    [
        (np.zeros((7, 2)), 3, "do not make paths of 3"),
        (np.zeros((4, 2)), 2, "steps ≥ 3"),
        (np.zeros((0, 2)), 3, "0 images"),
    ],
)
def test_what_is_no_path_is_refused(images, steps, message):
    with pytest.raises(ValueError, match=message):
        metrics.roughness(images, steps)


@pytest.mark.parametrize("lean", [-0.5, 0.0, 1.0])
def test_the_slant_of_a_bar_is_the_columns_that_it_moves_a_row(lean):
    image = np.zeros((28, 28, 1))
    for row in range(4, 24):
        at = 14 + lean * (13.5 - row)  # upwards is to smaller rows
        left = int(np.floor(at))
        image[row, [left, left + 1], 0] = 1 - (at - left), at - left
    assert_allclose(metrics.slant(image[None]), [lean], atol=1e-9)
    assert_allclose(metrics.slant(image[None, :, ::-1]), [-lean], atol=1e-9)
    assert_allclose(metrics.slant(0.3 * image[None]), [lean], atol=1e-9, err_msg="fainter ink leans as much")


def test_what_has_no_slant_is_refused():
    with pytest.raises(ValueError, match="fewer than two rows"):
        metrics.slant(np.zeros((2, 28, 28, 1)))
    with pytest.raises(ValueError, match=r"shape \(28, 28\)"):
        metrics.slant(np.zeros((28, 28)))


def test_a_cloud_of_draws_from_the_prior_lies_on_its_shell_around_0():
    z = np.random.default_rng(0).standard_normal((20_000, 128))
    cloud = metrics.code_cloud(z)
    assert cloud["length"] == pytest.approx(np.sqrt(128), rel=0.01)
    assert cloud["spread_of_length"] == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert (
        cloud["centre_from_0"] < 0.2 and 0.8 < cloud["least_variance"] < 1 < cloud["largest_variance"] < 1.2
    )


def test_a_cloud_has_the_centre_and_the_widths_that_it_was_made_with():
    z = np.random.default_rng(1).standard_normal((50_000, 2)) * [3.0, 0.1] + [30.0, 40.0]
    cloud = metrics.code_cloud(z)
    assert cloud["centre_from_0"] == pytest.approx(50, rel=0.01)
    assert cloud["least_variance"] == pytest.approx(0.01, rel=0.05)
    assert cloud["largest_variance"] == pytest.approx(9, rel=0.05)
    with pytest.raises(ValueError, match="n at least 2"):
        metrics.code_cloud(z[:1])


def test_a_style_is_shared_where_the_code_fixes_the_measure_whatever_the_class(rng):
    z = rng.normal(size=(500, 2))

    def shared(decode):
        return metrics.style_shared(decode, z, lambda images: images[:, 0], classes=4)

    assert_allclose(shared(lambda z, y: z + 3 * y[:, None]), 1)  # each class moves it
    assert abs(shared(lambda z, y: rng.normal(size=z.shape))) < 0.1
    signs = np.array([1, 1, 1, -1])
    assert_allclose(shared(lambda z, y: signs[y][:, None] * z), 0, atol=1e-12)  # 3 pairs of 6 are opposed
