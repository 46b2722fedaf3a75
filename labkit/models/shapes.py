"""What the shape and the weights of a layer must be, worked out from its numbers alone.

Dumoulin & Visin, "A Guide to Convolution Arithmetic for Deep Learning", 2016. Nothing here
looks at the shape that Keras gives a layer: that is what it is compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras import layers

from labkit.display import Table

UNCHANGED = (layers.ReLU, layers.LeakyReLU, layers.Activation, layers.Dropout)


@dataclass(frozen=True)
class Step:
    """One layer: its name and kind, the shape it makes, its weights, and how both are found."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    rule: str


def conv_size(size, kernel, stride=1, padding="valid") -> int:
    """Height or width after a convolution or pooling of a map of that height or width.

    ⌈size / stride⌉ with "same" padding, ⌊(size − kernel) / stride⌋ + 1 with "valid". Raises
    ValueError when the kernel does not fit.
    """
    check_padding(padding)
    if padding == "valid" and kernel > size:
        raise ValueError(f"a kernel of {kernel} does not fit into {size} pixels without padding")
    return -(-size // stride) if padding == "same" else (size - kernel) // stride + 1


def transposed_size(size, kernel, stride=1, padding="valid") -> int:
    """Height or width after a transposed convolution.

    size · stride with "same" padding, and max(kernel − stride, 0) more with "valid".
    """
    check_padding(padding)
    return size * stride + (max(kernel - stride, 0) if padding == "valid" else 0)


def check_padding(padding):
    """Raise ValueError unless padding is "same" or "valid"."""
    if padding not in ("same", "valid"):
        raise ValueError(f"padding is {padding!r}; 'same' or 'valid' was expected")


def layer_steps(model) -> list[Step]:
    """Work out every layer of a plain chain of layers, from the input's shape on.

    Args:
        model: keras.Model, Sequential or functional, one layer after the other.

    Raises:
        ValueError: a layer of a kind whose arithmetic is not known here, or one that does
            not follow the one before it.
    """
    steps, shape, before = [], None, None
    for layer in model.layers:
        if before is not None and layer.input is not before.output:
            raise ValueError(f"layer {layer.name!r} does not follow {before.name!r}; a chain was expected")
        before = layer
        if isinstance(layer, layers.InputLayer):
            shape, parameters, rule = tuple(layer.batch_shape[1:]), 0, "given"
        else:
            shape, parameters, rule = layer_step(layer, shape)
        steps.append(Step(layer.name, type(layer).__name__, shape, parameters, rule))
    return steps


def arithmetic_table(model) -> Table:
    """Shape and weights of each layer as `layer_steps` computes them, and how; the total last.

    Raises ValueError when Keras built a layer otherwise.
    """
    steps = layer_steps(model)
    for step, layer in zip(steps, model.layers, strict=True):
        built = tuple(layer.output.shape[1:]), layer.count_params()
        if (step.shape, step.parameters) != built:
            raise ValueError(f"{step.name}: computed {step.shape, step.parameters}, built {built}")
    rows = [[f"`{s.name}`", s.kind, s.rule, "×".join(map(str, s.shape)), s.parameters] for s in steps]
    rows.append(["**total**", "", "", "", sum(s.parameters for s in steps)])
    return Table(["layer", "kind", "how it is found", "shape", "parameters"], rows)


def multiplications(model) -> int:
    """Multiplications that one image costs in a model's dense and convolutional layers.

    A convolution uses each weight once for every place of its output, a transposed one once
    for every place of its input; biases, activations and normalisation are not counted.
    """
    total = 0
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)  # inside spectral normalisation
        if hasattr(inner, "kernel"):
            transposed = isinstance(inner, layers.Conv2DTranspose)
            places = layer.input.shape if transposed else layer.output.shape
            total += math.prod(inner.kernel.shape) * math.prod(places[1:-1])
    return total


def layer_step(layer, shape):
    """Shape after a layer, its parameters, and both in words. Raises ValueError for unknown kinds."""
    if isinstance(layer, layers.Dense):
        return dense_step(layer, shape)
    if isinstance(layer, layers.Conv2DTranspose):
        return convolution_step(layer, shape, transposed_size, "out = in · stride")
    if isinstance(layer, layers.Conv2D):
        return convolution_step(layer, shape, conv_size, "out = ⌈in / stride⌉")
    if isinstance(layer, layers.BatchNormalization):
        return shape, 4 * shape[-1], f"4 · {shape[-1]}: scale, shift, mean, variance"
    if isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
        size, stride = layer.pool_size[0], layer.strides[0]
        side = [conv_size(n, size, stride, layer.padding) for n in shape[:2]]
        return (*side, shape[2]), 0, f"windows of {size}, stride {stride}"
    if isinstance(layer, layers.Reshape):
        return (
            tuple(layer.target_shape),
            0,
            f"{math.prod(shape)} = {' · '.join(map(str, layer.target_shape))}",
        )
    if isinstance(layer, layers.Flatten):
        return (math.prod(shape),), 0, " · ".join(map(str, shape))
    if isinstance(layer, UNCHANGED):
        return shape, 0, "as it is"
    raise ValueError(f"layer {layer.name!r} is a {type(layer).__name__}; its arithmetic is not known here")


def dense_step(layer, shape):
    """A dense layer: units; in · units weights and, unless it has no bias, units more."""
    bias = layer.units if layer.use_bias else 0
    rule = f"{shape[-1]} · {layer.units}" + (f" + {bias}" if bias else "")
    return (*shape[:-1], layer.units), shape[-1] * layer.units + bias, rule


def convolution_step(layer, shape, size_after, same_rule):
    """A convolution, plain or transposed: kernel² · in · out weights, and a bias a channel."""
    kernel, stride, padding = layer.kernel_size[0], layer.strides[0], layer.padding
    side = [size_after(n, kernel, stride, padding) for n in shape[:2]]
    bias = layer.filters if layer.use_bias else 0
    count = kernel * kernel * shape[2] * layer.filters + bias
    how = same_rule if padding == "same" else f"{padding} padding"
    rule = f"kernel {kernel}, stride {stride}, {how}; {kernel}² · {shape[2]} · {layer.filters}"
    return (*side, layer.filters), count, rule + (f" + {bias}" if bias else "")
