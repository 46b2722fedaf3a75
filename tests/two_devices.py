"""Trains on two devices that share each batch: `python -m tests.two_devices vae out.json`.

A processor can be two devices to TensorFlow, if a process says so before it computes.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from labkit import models, training
from labkit.training import roads, steps
from labkit.training.checkpoints import state_variables

IMAGES = np.random.default_rng(0).random((32, 8, 8, 1), dtype="float32")
SHAPE = {"image_shape": (8, 8, 1)}


def autoencoder():
    encoder = models.conv_encoder((2,), 3, gaussian=False, **SHAPE)
    model = models.Autoencoder(encoder, models.conv_decoder((2,), 3, **SHAPE))
    model.compile(optimizer=keras.optimizers.SGD(1e-2, momentum=0.9, clipnorm=1.0))
    return model


def vae(seed=0):
    encoder = models.conv_encoder((2,), 3, seed=seed, **SHAPE)
    model = models.VAE(encoder, models.conv_decoder((2,), 3, **SHAPE), beta=2.0, seed=seed)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    return model


def gan():
    generator = models.conv_generator(3, base=(4, 4, 2), filters=(2,), strides=(1, 2))
    model = models.GAN(generator, models.conv_discriminator((8, 8, 1), filters=(2,)), ema_decay=0.9)
    model.compile()
    return model


def fit(model, epochs=3, **options):
    # One device and two are compared to many digits, so neither may take bfloat16 where the machine has it.
    options = {"precision": "float32", "batch_size": 8} | options
    return training.fit(model, IMAGES, IMAGES[:5], epochs=epochs, **options)


def two_devices():
    """Let this process take its processor for two, and both for GPUs."""
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    roads.gpu_capabilities = lambda: [(7, 0)] * 2
    roads.LEAST_IMAGES_A_GPU = 4
    steps.gpu_names = lambda count: [f"CPU:{i}" for i in range(count)]


def held():
    """What the devices hold after the next steps: a list over variables of lists over devices."""
    devices, train = [], steps.Steps.train

    def note(self, *args):
        logs = train(self, *args)
        devices[:] = [[np.ravel(part).tolist() for part in variable.values] for variable in self.variables]
        return logs

    steps.Steps.train = note
    return devices


def trained(model, **options):
    """History, road and weights of one run, and what it left in the model and on the devices."""
    state_variables(model)  # builds the optimizers
    before, devices = optimizers_attributes(model), held()
    history = fit(model, **options)
    distributed = [isinstance(v.value, tf.distribute.DistributedValues) for v in model.variables]
    return {
        "history": history,
        "road": history.road,
        "weights": [weight.tolist() for weight in model.get_weights()],
        "devices": devices,
        "as it was": not any(distributed) and optimizers_attributes(model) == before,
    }


def optimizers_attributes(model):
    """Names of all attributes of the model's optimizers, and their strategies."""
    optimizers = [value for value in vars(model).values() if isinstance(value, keras.Optimizer)]
    return [(*vars(optimizer), optimizer._distribution_strategy) for optimizer in optimizers]


def resumed(out):
    """A whole run, and the same one killed and resumed; how often steps were traced for them."""
    traced, whole = [], steps.Steps.run_steps
    steps.Steps.run_steps = lambda *args: traced.append(1) or whole(*args)

    def kill(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    expected = trained(vae(seed=1))
    fit(vae(seed=2))
    try:
        fit(vae(seed=1), out=out, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=kill)])
    except KeyboardInterrupt:
        return {**expected, "resumed": trained(vae(seed=1), out=out, resume=True), "traced": len(traced)}
    raise AssertionError("it was not killed")


if __name__ == "__main__":
    case, out = sys.argv[1:]
    two_devices()
    made = {
        "autoencoder": lambda: trained(autoencoder()),
        "vae": lambda: resumed(Path(out).parent),
        "gan": lambda: trained(gan()),
    }
    Path(out).write_text(json.dumps(made[case]()), encoding="utf-8")
