"""The arithmetic of layers agrees with Keras, whose shapes it never looks at."""

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from labkit.models import conv_discriminator, conv_generator, dense_encoder
from labkit.models.shapes import (
    arithmetic_table,
    conv_size,
    layer_steps,
    multiplications,
    transposed_size,
)

SIZES = {"size": st.integers(4, 33), "kernel": st.integers(1, 7), "stride": st.integers(1, 4)}
PADDINGS = st.sampled_from(["same", "valid"])


@given(**SIZES, padding=PADDINGS)
@settings(max_examples=60)
def test_sizes_are_those_of_keras(size, kernel, stride, padding):
    options = {"strides": stride, "padding": padding}
    shape = (1, size, size, 1)
    transposed = layers.Conv2DTranspose(1, kernel, **options).compute_output_shape(shape)
    assert transposed_size(size, kernel, stride, padding) == transposed[1]
    if padding == "same" or kernel <= size:
        plain = layers.Conv2D(1, kernel, **options).compute_output_shape(shape)
        assert conv_size(size, kernel, stride, padding) == plain[1]


@pytest.mark.parametrize(
    "model",
    [
        conv_generator(),
        conv_discriminator(),
        conv_generator(96, dense=(1024,), base=(7, 7, 128), filters=(64,), strides=(2, 2), kernel_size=4),
        conv_discriminator(filters=(32, 64), strides=1, padding="valid", pool=2, dense=(64,)),
    ],
    ids=["generator", "discriminator", "generator with dense layers", "discriminator with pooling"],
)
def test_every_layer_of_a_dcgan_comes_out_as_built(model):
    for step, layer in zip(layer_steps(model), model.layers, strict=True):
        assert (step.name, step.shape, step.parameters) == (
            layer.name,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
        )


def test_a_rule_says_how_the_numbers_are_found():
    steps = {step.name: step for step in layer_steps(conv_generator())}
    assert steps["conv_2"].rule == "kernel 5, stride 2, out = in · stride; 5² · 128 · 64"
    assert steps["base"].rule == "12544 = 7 · 7 · 256"


def test_the_table_has_a_row_a_layer_and_the_total_that_keras_counts():
    model = conv_discriminator()
    table = arithmetic_table(model)
    assert len(table.rows) == len(model.layers) + 1
    assert table.rows[-1][-1] == model.count_params()


def test_the_table_refuses_a_layer_that_keras_built_otherwise():
    x = keras.Input((9, 9, 1))
    model = keras.Model(x, layers.Conv2D(2, 3, dilation_rate=2)(x))  # 5×5, where no dilation gives 7×7
    with pytest.raises(ValueError, match=r"computed .*7, 7, 2.*built .*5, 5, 2"):
        arithmetic_table(model)


def test_multiplications_by_hand():
    assert multiplications(dense_encoder((8,), 2)) == 784 * 8 + 2 * 8 * 2
    same = {"filters": (3,), "kernel_size": 5, "strides": 2}
    assert multiplications(conv_discriminator((8, 8, 1), **same)) == 25 * 3 * 16 + 48
    generator = conv_generator(4, base=(2, 2, 3), filters=(), strides=(2,), kernel_size=3)
    assert multiplications(generator) == 4 * 12 + 9 * 3 * 4  # each of 2×2 places is multiplied by 3×3·3


def test_spectral_normalisation_costs_no_multiplications_of_the_image():
    plain, spectral = (multiplications(conv_discriminator(spectral=s)) for s in (False, True))
    assert plain == spectral > 0


def test_what_has_no_known_arithmetic_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        conv_size(3, 5)
    with pytest.raises(ValueError, match="'full'"):
        transposed_size(3, 5, 1, "full")
    x = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match="UpSampling2D"):
        layer_steps(keras.Model(x, layers.UpSampling2D()(x)))
    with pytest.raises(ValueError, match="does not follow"):
        layer_steps(dense_encoder())  # two heads on one body
