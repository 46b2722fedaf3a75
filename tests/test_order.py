"""Training steps as TensorFlow rewrites them: a variable's reads and its updates have a fixed order.

Where they have none, threads decide whether a read sees the old value or the new one, and two runs
of one seed differ.
"""

from contextlib import nullcontext
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context  # only it gives graphs as they are executed

from labkit import models
from labkit.training.rewriting import rewriting
from labkit.training.roads import Road
from labkit.training.steps import Steps

READ = "ReadVariableOp"
PASSED_ON = "Identity", "Enter", "Switch", "Merge"  # a variable's handle comes through these


def spectral_gan():
    """A small GAN whose discriminator is called several times a step."""
    size = {"image_shape": (6, 6, 1)}
    discriminator = models.conv_discriminator((6, 6, 1), filters=(2,), kernel_size=3, spectral=True)
    gan = models.GAN(
        models.dense_generator((8,), 3, **size), discriminator,
        loss="wasserstein", gradient_penalty=1.0, r1=1.0, ema_decay=0.9,
    )  # fmt: skip
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return gan


def rewritten(gan, within):
    """The graph of two training steps as it is executed, name → (operation, inputs)."""
    steps = Steps(gan, Road(False, "float32", 2, 1, ""))
    context.enable_graph_collection()
    try:
        with within:
            steps.loop(tf.constant(np.zeros((2, 4, 6, 6, 1), "float32")), 2)
        graphs = context.context().export_run_metadata().function_graphs
    finally:
        context.context().disable_graph_collection()
    found = [graph.post_optimization_graph.node for graph in graphs]
    return {node.name: (node.op, [origin(name) for name in node.input]) for node in max(found, key=len)}


def origin(name):
    """The operation that an input or control input comes from."""
    return name.removeprefix("^").partition(":")[0]


def unordered(graph):
    """Pairs of a variable's accesses, one of them an update, without a path from one to the other."""

    @cache
    def before(name):
        return frozenset(inputs(name)).union(*map(before, inputs(name)))

    def inputs(name):  # those of this iteration of the loop
        return [one for one in graph[name][1] if graph[one][0] != "NextIteration"]

    def handle(name):
        while graph[name][0] in PASSED_ON:
            name = graph[name][1][0]
        return name

    accesses = {}
    for name, (operation, given) in graph.items():
        if operation == READ or operation.startswith(("Assign", "ResourceApply")):
            accesses.setdefault(handle(given[0]), []).append(name)
    assert len(accesses) > 20
    pairs = [(a, b) for names in accesses.values() for i, a in enumerate(names) for b in names[:i]]
    writes = [(a, b) for a, b in pairs if {graph[a][0], graph[b][0]} != {READ}]
    return [(a, b) for a, b in writes if a not in before(b) and b not in before(a)]


@pytest.mark.parametrize("update", ["alternating", "simultaneous"])
def test_reads_and_updates_of_a_variable_have_an_order(update):
    gan = spectral_gan()
    gan.update_kind = update
    assert not unordered(rewritten(gan, rewriting(bfloat16=False)))


def test_the_order_is_lost_without_the_options_of_rewriting():
    assert unordered(rewritten(spectral_gan(), nullcontext())), "TensorFlow keeps the order now"
