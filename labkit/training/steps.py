"""Compiled training and test steps, shared by all models of the same kind.

Keras's `fit` traces and compiles its functions anew for every model. Here ten models that
differ in seed, learning rate or β alone are compiled once: the first one's steps are kept, and
the others lend it their variables for a call.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from contextlib import contextmanager

import keras
import tensorflow as tf

from labkit.training.checkpoints import class_name, optimizers_of, settings_of, state_variables
from labkit.training.precision import mixed_bfloat16
from labkit.training.replicas import Replicas
from labkit.training.rewriting import rewriting
from labkit.training.roads import gpu_names

MOST_KEPT = 8  # kinds of models; each keeps one model's variables in memory
_kept: OrderedDict = OrderedDict()
# A layer's seed and first weights are in its variables.
IN_VARIABLES = ("seed", "kernel_initializer", "bias_initializer")


class Function:
    """A function as an object, for TensorFlow warns of one function traced over and over when
    several of the same code are traced once each."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)


class Steps:
    """The compiled steps of one model, which serve every model of its kind.

    Args:
        model: compiled keras.Model; its `train_step` and `test_step` are traced.
        road: how they are compiled, a `Road`.
    """

    def __init__(self, model, road):
        self.model, self.road = model, road
        self.bfloat16 = road.precision == "bfloat16"
        traced = Replicas(model, gpu_names(road.gpus)) if road.gpus > 1 else model
        self.reset_metrics = traced.reset_metrics  # the means are the steps' own and never lent
        self.variables = state_variables(model) if traced is model else traced.variables
        self.lender = self.variables  # whose values they hold now
        self.train_step = tf.function(Function(traced.train_step), autograph=False)
        self.test_step = tf.function(Function(traced.test_step), autograph=False, reduce_retracing=True)
        self.loop = tf.function(Function(self.run_steps), jit_compile=road.xla, autograph=False)

    def run_steps(self, batches, count):
        """`count` training steps on the first batches of (steps, batch, …); the last one's logs."""
        specs = keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape[1:], a.dtype), batches)
        with mixed_bfloat16(self.model, self.bfloat16 and self.road.gpus):
            step = self.train_step.get_concrete_function(specs)
        logs = {name: tf.zeros(log.shape, log.dtype) for name, log in step.structured_outputs.items()}

        def one_step(i, _):
            return i + 1, step(keras.tree.map_structure(lambda a: a[i], batches))

        return tf.while_loop(lambda i, _: i < count, one_step, (0, logs), parallel_iterations=1)[1]

    def train(self, variables, batches, count):
        """Train the model of these variables for `count` steps and return the logs as numbers."""
        with self.lent(variables), rewriting(self.bfloat16 and not self.road.gpus):
            return numbers(self.loop(batches, count))

    def test(self, variables, batches):
        """Means of the model of these variables over all batches, in float32."""
        with self.lent(variables):
            self.reset_metrics()
            for batch in batches:
                logs = self.test_step(batch)
            return numbers(logs)

    @contextmanager
    def lent(self, variables):
        """Inside, the steps' own variables hold the values of another model of the same kind.

        The other model's own are as they were until the outermost such block ends.
        """
        if all(now is theirs for now, theirs in zip(self.lender, variables, strict=True)):
            yield
            return
        own = [tf.identity(variable) for variable in self.variables]
        copy(variables, self.variables)
        self.lender = variables
        try:
            yield
        finally:
            self.lender = self.variables
            copy(self.variables, variables)
            copy(own, self.variables)


def numbers(logs):
    """Logs of tensors as floats."""
    return {name: float(value) for name, value in logs.items()}


def copy(values, variables):
    """Assign values to variables, one to one."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def shared_steps(model, road, batch):
    """The compiled steps of the model's kind; made if there are none yet.

    `batch` is what one step is given: arrays whose shapes belong to the kind.
    """
    key = kind(model, road, batch)
    steps = _kept.pop(key, None) if key else None
    # The model that was traced may have been changed since.
    if steps is None or kind(steps.model, road, batch) != key:
        steps = Steps(model, road)
    if key:
        _kept[key] = steps
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return steps


def kind(model, road, batch):
    """What two models must have in common for one compiled step to serve both.

    None for a model whose class does not define `settings` itself: what its step depends on
    cannot be told, so it shares with no other.
    """
    if "settings" not in vars(type(model)):
        return None
    shapes = [(tuple(v.shape), v.dtype.name, v.trainable) for v in state_variables(model)]
    arrays = [(tuple(a.shape), a.dtype.name) for a in keras.tree.flatten(batch)]
    try:
        described = json.dumps([describe(part) for part in (*model.layers, *optimizers_of(model))])
    except (TypeError, NotImplementedError):
        return None
    return (type(model), tuple(settings_of(model).items()), described, str(shapes), str(arrays), road)


def describe(part):
    """Class and configuration of a network, layer or optimizer, without what its variables hold."""
    config = {**part.get_config(), "name": ""}
    if isinstance(config.get("learning_rate"), float):
        config["learning_rate"] = "a variable"
    return [class_name(part), without(config, IN_VARIABLES)]


def without(config, names):
    """A nested configuration without the entries of these names."""
    if isinstance(config, dict):
        return {name: without(value, names) for name, value in config.items() if name not in names}
    return [without(value, names) for value in config] if isinstance(config, list | tuple) else config
