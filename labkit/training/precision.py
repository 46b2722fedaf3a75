"""bfloat16 in training steps and nowhere else: on GPUs by Keras's policies, on processors by rewriting.py."""

from __future__ import annotations

from contextlib import contextmanager

import keras

KERAS = "keras.", "labkit.models.fast_layers"  # modules of layers that cast as their policy says


@contextmanager
def mixed_bfloat16(model, on):
    """What is traced inside computes in bfloat16 in the layers of `bears_bfloat16`, as on a GPU.

    TensorFlow's own rewriting does not reach what XLA compiles, so the layers are told: by Keras's
    policy "mixed_bfloat16", under which weights and gradients stay float32. After it the model is as it was.
    """
    layers = bears_bfloat16(model) if on else []
    for layer in layers:
        layer.dtype_policy = "mixed_bfloat16"
    try:
        yield
    finally:
        for layer in layers:
            layer.dtype_policy = "float32"


def bears_bfloat16(model):
    """The layers of a model's networks that may compute in bfloat16, heads left out.

    They are Keras's own and `fast_layers`, in a network whose graph tells which are its heads, and of
    no other policy than Keras's first. A layer that wraps another stays float32, since it may assign
    that one's weights (spectral normalisation does); the wrapped one does not.
    """
    networks = [part for part in (model, *all_layers(model)) if getattr(part, "outputs", None)]
    found = []
    for network in networks:
        kept = heads(network)
        inside = [layer for layer in network.layers if layer not in kept and layer not in networks]
        found += [part for layer in inside for part in (layer, *all_layers(layer)) if not all_layers(part)]
    own = [layer for layer in dict.fromkeys(found) if type(layer).__module__.startswith(KERAS)]
    return [layer for layer in own if layer.dtype_policy.name == "float32"]


def heads(network):
    """The layers that make a network's outputs: from each back to the first one with weights."""
    found, tensors = [], keras.tree.flatten(network.outputs)
    while tensors:
        layer = tensors.pop()._keras_history.operation
        found.append(layer)
        if not getattr(layer, "weights", None):
            tensors += keras.tree.flatten(layer.input)
    return found


def all_layers(part):
    """Every layer inside a model or layer, however deeply nested."""
    inside = getattr(part, "layers", None) or [v for v in vars(part).values() if isinstance(v, keras.Layer)]
    return [layer for child in inside for layer in (child, *all_layers(child))]
