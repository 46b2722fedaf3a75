"""Layers that are computed another way give what Keras's own layers give."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from labkit.models import fast_layers


@pytest.fixture
def pair(rng):
    """Both layers with the same weights, which are not the first ones."""
    pair = [
        kind(momentum=0.9, epsilon=1e-3)
        for kind in (keras.layers.BatchNormalization, fast_layers.BatchNormalization)
    ]
    for layer in pair:
        layer.build((None, 6, 5, 3))
    weights = [rng.uniform(0.5, 2, w.shape) for w in pair[0].weights]
    for layer in pair:
        layer.set_weights(weights)
    return pair


@pytest.fixture
def maps(rng):
    return tf.constant(rng.normal(1, 3, (4, 6, 5, 3)), tf.float32)


def close(a, b):
    assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
def test_outputs_statistics_and_gradients_are_those_of_keras(pair, maps, training):
    found = []
    for layer in pair:
        with tf.GradientTape() as tape:
            tape.watch(maps)
            out = layer(maps, training=training)
            loss = tf.reduce_sum(tf.sin(out))
        sources = [maps, *(w.value for w in layer.trainable_weights)]
        found.append([out, *tape.gradient(loss, sources), *layer.non_trainable_weights])
    for keras_has, fused_has in zip(*found, strict=True):
        close(keras_has, fused_has)


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics(pair, maps):
    for layer in pair:
        layer.trainable = False
    before = pair[1].get_weights()
    close(*(layer(maps, training=True) for layer in pair))
    assert all(np.array_equal(a, b) for a, b in zip(before, pair[1].get_weights(), strict=True))


def test_a_gradient_s_gradient_is_that_of_keras(pair, maps):
    found = []
    for layer in pair:
        with tf.GradientTape() as outer:
            outer.watch(maps)
            with tf.GradientTape() as inner:
                inner.watch(maps)
                loss = tf.reduce_sum(tf.sin(layer(maps, training=True)))
            penalty = tf.reduce_sum(inner.gradient(loss, maps) ** 2)
        found.append(outer.gradient(penalty, maps))
    close(*found)


def test_vectors_go_the_way_of_keras(rng):
    layer = fast_layers.BatchNormalization()
    vectors = tf.constant(rng.normal(3, 2, (64, 5)), tf.float32)
    assert_allclose(np.mean(layer(vectors, training=True), axis=0), 0, atol=1e-5)


def test_masked_maps_go_the_way_of_keras(pair, maps):
    mask = np.ones((4, 6, 5), bool)
    mask[:, :, 3:] = False
    close(*(layer(maps, training=True, mask=mask) for layer in pair))


def test_it_compiles_under_xla_and_in_a_graph(pair, maps):
    eager = pair[1](maps, training=False)
    for xla in (False, True):
        close(eager, tf.function(lambda x: pair[1](x, training=False), jit_compile=xla)(maps))


@pytest.mark.parametrize(
    ("name", "shape", "kernel_shape"),
    [
        ("Conv2D", (3, 6, 5, 4), (6, 5, 4, 2)),  # one place
        ("Conv2D", (3, 7, 6, 4), (6, 5, 4, 2)),  # four
        ("Conv2DTranspose", (3, 1, 1, 4), (6, 5, 2, 4)),
        ("Conv2DTranspose", (3, 2, 1, 4), (6, 5, 2, 4)),
    ],
)
def test_a_convolution_and_its_gradients_are_those_of_keras(name, shape, kernel_shape, rng):
    maps, kernel, found = tf.constant(rng.normal(size=shape), tf.float32), rng.normal(size=kernel_shape), []
    for kinds in (keras.layers, fast_layers):
        layer = getattr(kinds, name)(2, (6, 5), activation="tanh")
        layer.build(shape)
        layer.set_weights([kernel, np.array([0.5, -0.5])])
        with tf.GradientTape() as tape:
            tape.watch(maps)
            out = layer(maps)
            loss = tf.reduce_sum(tf.sin(out))
        found.append([out, *tape.gradient(loss, [maps, *(w.value for w in layer.trainable_weights)])])
    for keras_has, fast_has in zip(*found, strict=True):
        assert keras_has.shape == fast_has.shape
        close(keras_has, fast_has)


@pytest.mark.parametrize("shape", [(64, 14, 14, 8), (3, 7, 5)], ids=["even", "odd"])
def test_dropout_keeps_the_share_and_the_mean_that_its_rate_says(shape):
    layer = fast_layers.Dropout(0.3, seed=1)
    ones = np.ones(shape, "float32")
    dropped = np.concatenate([np.ravel(layer(ones, training=True)) for _ in range(40)])
    assert_allclose(np.unique(dropped), [0, 1 / 0.7], rtol=1e-4)
    assert_allclose(np.mean(dropped > 0), 0.7, atol=5 * np.sqrt(0.21 / len(dropped)))


def test_dropout_is_another_one_in_every_step_and_the_same_for_the_same_seed():
    first, second = (fast_layers.Dropout(0.5, seed=3) for _ in range(2))
    ones = np.ones((4, 100), "float32")
    masks = [np.asarray(first(ones, training=True)) for _ in range(3)]
    for mask in masks:
        assert_allclose(second(ones, training=True), mask)
    assert len({mask.tobytes() for mask in masks}) == 3
    assert len({row.tobytes() for row in masks[0]}) == 4


@pytest.mark.parametrize("rate", [0.0, 1e-7])
def test_dropout_of_nothing_and_dropout_at_rest_change_nothing(rate):
    x = np.random.default_rng(0).random((5, 6), dtype="float32")
    assert_allclose(fast_layers.Dropout(rate)(x, training=True), x, rtol=1e-6, atol=1e-6 if rate else 0)
    assert_allclose(fast_layers.Dropout(0.5)(x), x)


def test_dropout_lets_the_gradient_through_where_it_kept_and_follows_the_policy():
    layer = fast_layers.Dropout(0.25, seed=2, dtype="mixed_bfloat16")
    x = tf.ones((4, 50))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert y.dtype == tf.bfloat16
    assert_allclose(tf.cast(y, tf.float32), tape.gradient(y, x), rtol=1e-2)
