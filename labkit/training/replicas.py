"""Several devices: each takes its part of every batch, and all make the same step.

TensorFlow's MirroredStrategy wants variables that were made under it, and `fit` is given a model whose
variables lie on one device. So copies of them, one a device, stand in for the model's own while its
steps are traced. The traced steps keep the copies; the model is as it was.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import keras
import tensorflow as tf

from labkit.training.checkpoints import optimizers_of, state_variables

FAR_APART = 0x9E3779B9  # the seeds of two devices: 2^32 over the golden ratio, as hash functions use it


class Replicas:
    """The steps of a model on several devices, to be traced in place of its own.

    The optimizers get the mean of the devices' gradients, which is that of the whole batch's loss
    where this is a mean over images. Noise is another on each device. Statistics of a batch, and
    norms of gradients in the history, are means over the devices of what each finds in its part.

    Args:
        model: compiled keras.Model whose losses are means over the batch.
        devices: names of at least two, such as ["GPU:0", "GPU:1"].
    """

    def __init__(self, model, devices):
        self.model, self.parts = model, len(devices)
        # TensorFlow's collectives, its default, do not keep a GAN's two reductions apart inside a loop.
        self.strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
        state_variables(model)  # builds the optimizers
        optimizers = optimizers_of(model)
        holders = [model, *optimizers]
        variables = [*(v for holder in holders for v in holder.variables), *model.metrics_variables]
        own = {name: value for name, value in vars(model).items() if isinstance(value, tf.Variable)}
        with self.strategy.scope():
            self.stand_ins = [(vars(variable), "_value", copy_of(variable)) for variable in variables]
            self.stand_ins += [(vars(model), name, on_all(value)) for name, value in own.items()]
        with self.standing_in():
            self.variables = state_variables(model)
            self.seeds = [v.value for v in model.variables if is_seed(v)]
            changes = [(vars(o), *change) for o in optimizers for change in self.changes(o).items()]
        self.stand_ins += changes

    def changes(self, optimizer):
        """What stands in for an optimizer's attributes, where the copies stand in for the variables."""
        return {
            "_distribution_strategy": self.strategy,
            "_trainable_variables_indices": {
                optimizer._var_key(variable): i for i, variable in enumerate(optimizer._trainable_variables)
            },
            "apply": partial(apply_mean, optimizer),
            "_all_reduce_sum_gradients": lambda gradients_and_variables: gradients_and_variables,
        }

    @contextmanager
    def standing_in(self):
        """Inside, the model's variables are the copies, and its optimizers move these."""
        before = [(holder, name, holder.get(name)) for holder, name, _ in self.stand_ins]
        for holder, name, value in self.stand_ins:
            holder[name] = value
        try:
            yield
        finally:
            for holder, name, value in before:
                holder[name] = value
                if value is None:  # it was the class's
                    del holder[name]

    def train_step(self, batch):
        """The model's step for a batch, arrays (n, …), n a multiple of the devices; the means of its logs."""
        with self.standing_in(), self.strategy.scope():
            seeds = [tf.identity(seed) for seed in self.seeds]  # the first device's, which are kept
            logs = self.strategy.run(self.part_of_step, (batch, seeds))
            return {name: self.strategy.reduce("MEAN", log, axis=None) for name, log in logs.items()}

    def part_of_step(self, batch, seeds):
        """One device's: from its part of the batch, and noise of its own."""
        device = int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))
        for mine, first in zip(self.seeds, seeds, strict=True):
            mine.assign(first + tf.constant([device * FAR_APART, 0], first.dtype))
        part = keras.tree.map_structure(lambda array: tf.split(array, self.parts)[device], batch)
        return self.model.train_step(part)

    def test_step(self, batch):
        """The model's own, on the first device alone: batches of a test need not divide."""
        with self.standing_in(), self.strategy.scope():
            return self.model.test_step(batch)

    def reset_metrics(self):
        """Begin the means of an epoch anew."""
        with self.standing_in(), self.strategy.scope():
            self.model.reset_metrics()


def apply_mean(optimizer, gradients, variables=None):
    """Move the variables by the mean of the devices' gradients, None where there is none."""
    known = [gradient for gradient in gradients if gradient is not None]
    means = iter(tf.distribute.get_replica_context().all_reduce("MEAN", known))
    means = [None if gradient is None else next(means) for gradient in gradients]
    type(optimizer).apply(optimizer, means, variables)


def copy_of(variable):
    """A Keras variable on all devices of the scope: see `on_all`."""
    if variable.synchronization == "on_read" or is_seed(variable):  # metrics, and noise
        return on_all(variable.value, tf.VariableSynchronization.ON_READ, variable.aggregation)
    return on_all(variable.value)


def on_all(value, synchronization=tf.VariableSynchronization.AUTO, aggregation="none"):
    """A tf.Variable on all devices of the scope.

    What the devices assign is its mean; of whole numbers, which do not differ, the first. With
    ON_READ each device has a value of its own, and outside of steps it is their sum, or the first.
    """
    default = "MEAN" if value.dtype.is_floating else "ONLY_FIRST_REPLICA"
    chosen = default if aggregation == "none" else aggregation.upper()
    return tf.Variable(
        tf.identity(value),
        trainable=value.trainable,
        aggregation=getattr(tf.VariableAggregation, chosen),
        synchronization=synchronization,
    )


def is_seed(variable):
    """Whether it is the state of a keras.random.SeedGenerator."""
    return variable.name == "seed_generator_state"
